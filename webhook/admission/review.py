"""Decoding and encoding of AdmissionReviews of admission.k8s.io/v1.

`encode` is the only function that builds a response.
"""

import base64
import contextlib
import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec import Raw

from webhook.admission.raw_object import (
    PLAN_FIELDS,
    POD_FIELDS,
    FieldError,
    RawMetadata,
    RawObject,
    read_text,
)
from webhook.forklift import plan
from webhook.kube.labels import MAX_NAME_LENGTH, MAX_SUBDOMAIN_LENGTH
from webhook.kube.messages import (
    describe_validation_error,
    escape,
    escape_within,
    quote,
    truncate,
    truncate_bytes,
)
from webhook.kube.objects import Json
from webhook.model import Decision, Mode, Outcome, Reason, Request

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

POD = "v1/Pod"
PLAN = f"{plan.API_VERSION}/{plan.KIND}"
"""The kinds whose objects are decoded, as a Request has them."""

MAX_BODY_BYTES = 7 * 2**20
"""An API server accepts objects of up to 3 MiB; a review has the old and the new one.

Go escapes `<`, `>` and `&` with six characters, so a review may be larger, but no object of
Forklift has that many of them.
"""
MAX_UID_LENGTH = 253
"""The API server makes UUIDs. A response has the UID as it is, so it is never truncated."""

MAX_WARNING_CHARACTERS = 120
"""Wraps warnings for a terminal; the API server truncates a warning at 256."""
MAX_WARNINGS_BYTES = 4096
"""The API server drops warnings beyond this sum over a response."""
MAX_MESSAGE_BYTES = 8192
"""Of a denial, for whatever reason."""
MAX_ANNOTATION_BYTES = 8192
"""Kubernetes limits the audit annotations of its own policies to 10 kB."""


_STATUS_CODES = {Outcome.DENIED: 403, Outcome.REFUSED: 429}
"""HTTP status of a response that does not allow the object. Without a Retry-After, so that the
client does not repeat the request by itself: CDI creates the importer again, from its PVC."""


class BadReview(Exception):  # noqa: N818 - not an error of the webhook
    """The body is not a review that can be decided."""

    def __init__(self, status: int, reason: Reason, message: str, uid: str = "") -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status."""
        self.reason = reason
        self.message = message
        """One line."""
        self.uid = uid
        """The review's UID; empty if it could not be read."""


class _Kind(msgspec.Struct):
    version: str
    kind: str
    group: str = ""

    def __str__(self) -> str:
        version = f"{self.group}/{self.version}" if self.group else self.version
        return f"{version}/{self.kind}"


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: _Kind
    operation: str
    namespace: str | None = None
    name: str | None = None
    sub_resource: str | None = None
    dry_run: bool | None = None
    object: RawObject | None = None
    old_object: RawObject | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    request: _Request | None = None


class _AnyRequest(msgspec.Struct):
    uid: Raw = Raw()


class _AnyReview(msgspec.Struct, rename="camel"):
    """A review with fields of any type."""

    api_version: Raw = Raw()
    kind: Raw = Raw()
    request: Raw = Raw()


_decode = msgspec.json.Decoder(_Review).decode
_decode_any = msgspec.json.Decoder(_AnyReview).decode
_decode_any_request = msgspec.json.Decoder(_AnyRequest).decode


_NO_OBJECT = RawObject()
_NO_METADATA = RawMetadata()


class RawReview(NamedTuple):
    """A review whose objects are not decoded yet."""

    request: Request
    """Without objects."""
    object: RawObject
    old_object: RawObject

    def decode(self) -> Request:
        """Return the request with those fields of a pod, or of Plans, that reviews read."""
        request = self.request
        try:
            if request.kind == POD:
                return msgspec.structs.replace(request, object=self.object.decode(POD_FIELDS))
            if request.kind == PLAN:
                plans = self.object.decode(PLAN_FIELDS), self.old_object.decode(PLAN_FIELDS)
                return msgspec.structs.replace(request, object=plans[0], old_object=plans[1])
        except FieldError as error:
            return msgspec.structs.replace(request, malformed=str(error))
        return request


class ReviewResponse(NamedTuple):
    """The response to a review, and the decision that it was made from."""

    request: Request
    decision: Decision
    body: bytes


def respond(request: Request, decision: Decision) -> ReviewResponse:
    """Return the response to a review."""
    return ReviewResponse(request, decision, encode(request.uid, decision))


def decode(body: bytes) -> Request:
    """Decode a review with its objects, as far as reviews read them.

    Raises:
        BadReview: as `read`.

    """
    return read(body).decode()


def read(body: bytes) -> RawReview:
    """Decode a review without its objects; the namespace is the request's, or that of its object.

    Raises:
        BadReview: HTTP 400, for anything but an AdmissionReview of v1 with a request.

    """
    try:
        review = _decode(body)
    except msgspec.ValidationError as error:
        raise _describe_invalid(body, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise _malformed("the body is nested too deeply") from None
    request = review.request
    if (review.kind, review.api_version) != (KIND, API_VERSION):
        raise _wrong_kind(review.kind, review.api_version, request.uid if request else "")
    if request is None:
        raise _malformed("'request' is missing: is this a response?")
    if not request.uid:
        raise _malformed("'request.uid' is empty")
    if len(request.uid) > MAX_UID_LENGTH:
        raise _malformed(f"'request.uid': expected at most {MAX_UID_LENGTH} characters")
    return RawReview(
        _bounded(request), request.object or _NO_OBJECT, request.old_object or _NO_OBJECT
    )


def _bounded(request: _Request) -> Request:
    """Return the request with texts of limited length, which are written to the log."""
    metadata = (request.object or _NO_OBJECT).metadata or _NO_METADATA
    name = request.name or read_text(metadata.name) or read_text(metadata.generate_name)
    namespace = request.namespace or read_text(metadata.namespace)
    return Request(
        uid=request.uid,
        operation=truncate(request.operation, MAX_NAME_LENGTH),
        kind=truncate(str(request.kind), MAX_SUBDOMAIN_LENGTH),
        namespace=truncate(namespace, MAX_SUBDOMAIN_LENGTH),
        name=truncate(name, MAX_SUBDOMAIN_LENGTH),
        subresource=truncate(request.sub_resource or "", MAX_SUBDOMAIN_LENGTH),
        dry_run=bool(request.dry_run),
    )


def encode(uid: str, decision: Decision) -> bytes:
    """Encode the response to the review `uid`."""
    code = _STATUS_CODES.get(decision.outcome)
    response: Json = {"uid": uid, "allowed": code is None}
    if code is not None:
        response["status"] = {
            "code": code,
            "reason": decision.reason,
            "message": escape_within(decision.message, MAX_MESSAGE_BYTES),
        }
    if decision.outcome is Outcome.PATCHED and decision.patch:
        patch = msgspec.json.encode(decision.patch)
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(patch).decode()
    if decision.warnings:
        response["warnings"] = list(_limit(_wrap(decision.warnings)))
    if decision.outcome is not Outcome.SKIPPED:
        response["auditAnnotations"] = _audit_annotations(decision)
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _describe_invalid(body: bytes, error: msgspec.ValidationError) -> BadReview:
    """Describe JSON that is not a review, by its kind if it has one."""
    try:
        review = _decode_any(body)
    except (msgspec.DecodeError, RecursionError):  # not an object, or JSON ends later
        return _malformed(describe_validation_error(error, "the body"))
    uid = ""
    with contextlib.suppress(msgspec.DecodeError):
        uid = read_text(_decode_any_request(review.request).uid)
    kind, api_version = map(_read_any, (review.kind, review.api_version))
    if (kind, api_version) != (KIND, API_VERSION):
        return _wrong_kind(kind, api_version, uid)
    return _malformed(describe_validation_error(error, "the body"), uid)


def _read_any(raw: Raw) -> str:
    return read_text(raw) or bytes(raw)[:MAX_SUBDOMAIN_LENGTH].decode(errors="replace")


def _wrong_kind(kind: str, api_version: str, uid: str) -> BadReview:
    return _malformed(
        f"expected kind '{KIND}' of '{API_VERSION}', found {quote(kind)} of {quote(api_version)}; "
        "a webhook configuration must say admissionReviewVersions: [v1]",
        uid,
    )


def _malformed(message: str, uid: str = "") -> BadReview:
    return BadReview(
        400, Reason.MALFORMED_REVIEW, message, uid if len(uid) <= MAX_UID_LENGTH else ""
    )


def _wrap(warnings: Iterable[str]) -> Iterator[str]:
    """Yield lines that are valid in an HTTP header: printable, without prefix, wrapped."""
    for warning in warnings:
        text = " ".join(warning[:MAX_WARNINGS_BYTES].split()).removeprefix("Warning:").lstrip()
        yield from textwrap.wrap(escape(text), MAX_WARNING_CHARACTERS, break_on_hyphens=False)


def _limit(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that the API server would not drop, and a note if there are more."""
    more = "and more: see the webhook's log and the Plan's Events"
    left = MAX_WARNINGS_BYTES - len(more)
    for line in lines:
        left -= len(line.encode())
        if left < 0:
            yield more
            return
        yield line


def _audit_annotations(decision: Decision) -> dict[str, str]:
    """Return the audit annotations; the API server prefixes their keys."""
    audit = {
        "mode": decision.mode.value,
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
    }
    if decision.role:
        audit["role"] = decision.role.value
    if decision.plan:
        audit["plan"] = str(decision.plan)
        audit["generation"] = str(decision.generation)
    if decision.problems:
        audit["problems"] = "\n".join(problem.in_full() for problem in decision.problems)
    if decision.mode is Mode.AUDIT and decision.patch:
        audit["patch"] = msgspec.json.encode(decision.patch).decode()
    return {key: truncate_bytes(value, MAX_ANNOTATION_BYTES) for key, value in audit.items()}
