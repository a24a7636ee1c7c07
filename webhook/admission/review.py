"""Decoding and encoding of AdmissionReviews of admission.k8s.io/v1.

`encode` is the only function that builds a response.
"""

import base64
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from webhook.kube.messages import describe_validation_error, truncate_bytes
from webhook.kube.objects import Json, nested_string
from webhook.model import Decision, Mode, Outcome, Reason, Request

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

MAX_BODY_BYTES = 7 * 2**20
"""An API server accepts objects of up to 3 MiB; a review has the old and the new one."""

MAX_WARNING_CHARACTERS = 120
"""Wraps warnings for a terminal; the API server truncates a warning at 256."""
MAX_WARNINGS_BYTES = 4096
"""The API server drops warnings beyond this sum over a response."""
MAX_ANNOTATION_BYTES = 8192
"""Kubernetes limits the audit annotations of its own policies to 10 kB."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


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
        return "/".join(part for part in (self.group, self.version, self.kind) if part)


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: _Kind
    operation: str
    namespace: str | None = None
    name: str | None = None
    sub_resource: str | None = None
    dry_run: bool | None = None
    object: Json | None = None
    old_object: Json | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    request: _Request | None = None


_decoder = msgspec.json.Decoder(_Review)


class ReviewResponse(NamedTuple):
    """The response to a review, and the decision that it was made from."""

    request: Request
    decision: Decision
    body: bytes


def respond(request: Request, decision: Decision) -> ReviewResponse:
    """Return the response to a review."""
    return ReviewResponse(request, decision, encode(request.uid, decision))


def decode(body: bytes) -> Request:
    """Decode a review; the namespace is the request's, or that of its object.

    Raises:
        BadReview: HTTP 400, for anything but an AdmissionReview of v1 with a request.

    """
    try:
        review = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _describe_invalid(body, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise _malformed("the body is nested too deeply") from None
    request = review.request
    uid = request.uid if request else ""
    if (review.kind, review.api_version) != (KIND, API_VERSION):
        raise _wrong_kind(review.kind, review.api_version, uid)
    if request is None:
        raise _malformed("'request' is missing: is this a response?")
    if not uid:
        raise _malformed("'request.uid' is empty")
    return Request(
        uid=uid,
        operation=request.operation,
        kind=str(request.kind),
        namespace=request.namespace or nested_string(request.object, "metadata", "namespace"),
        name=request.name or "",
        subresource=request.sub_resource or "",
        dry_run=bool(request.dry_run),
        object=request.object or {},
        old_object=request.old_object or {},
    )


def encode(uid: str, decision: Decision) -> bytes:
    """Encode the response to the review `uid`."""
    response: Json = {"uid": uid, "allowed": decision.outcome is not Outcome.DENIED}
    if decision.outcome is Outcome.DENIED:
        response["status"] = {
            "code": 403,
            "reason": decision.reason,
            "message": decision.message,
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
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decoded = None  # JSON ends after the wrong type
    if not isinstance(decoded, dict):
        return _malformed(describe_validation_error(error, "the body"))
    uid = nested_string(decoded, "request", "uid")
    kind, api_version = decoded.get("kind", ""), decoded.get("apiVersion", "")
    if (kind, api_version) != (KIND, API_VERSION):
        return _wrong_kind(kind, api_version, uid)
    return _malformed(describe_validation_error(error, "the body"), uid)


def _wrong_kind(kind: object, api_version: object, uid: str) -> BadReview:
    return _malformed(
        f"expected kind '{KIND}' of '{API_VERSION}', found '{kind}' of '{api_version}'; "
        "a webhook configuration must say admissionReviewVersions: [v1]",
        uid,
    )


def _malformed(message: str, uid: str = "") -> BadReview:
    return BadReview(400, Reason.MALFORMED_REVIEW, message, uid)


def _wrap(warnings: Iterable[str]) -> Iterator[str]:
    """Yield lines that are valid in an HTTP header: printable, without prefix, wrapped."""
    for warning in warnings:
        text = _CONTROL.sub(" ", warning).strip().removeprefix("Warning:").lstrip()
        yield from textwrap.wrap(text, MAX_WARNING_CHARACTERS, break_on_hyphens=False)


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
    if decision.plan:
        audit["plan"] = str(decision.plan)
        audit["generation"] = str(decision.generation)
    if decision.problems:
        audit["problems"] = "\n".join(problem.in_full() for problem in decision.problems)
    if decision.mode is Mode.AUDIT and decision.patch:
        audit["patch"] = msgspec.json.encode(decision.patch).decode()
    return {key: truncate_bytes(value, MAX_ANNOTATION_BYTES) for key, value in audit.items()}
