"""The wire: an AdmissionReview of admission.k8s.io/v1, read and answered.

`encode` is the only function that builds an answer.
"""

import base64
import re
import textwrap
from collections.abc import Iterable, Iterator

import msgspec

from webhook.kube.messages import describe_validation_error
from webhook.kube.objects import Json
from webhook.model import (
    Decision,
    Mode,
    Outcome,
    Reason,
    Request,
)

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

MAX_BODY_BYTES = 7 * 2**20
"""An API server takes no object above 3 MiB; a review has the old and the new one."""

WARNING_CHARACTERS = 120
"""What fits beside a prompt; the API server cuts a warning at 256."""
WARNINGS_BYTES = 4096
"""The API server drops what goes beyond, over all warnings of an answer."""
ANNOTATION_BYTES = 8192
"""Kubernetes caps the audit annotations of its own policies at 10 kB."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class BadReview(Exception):  # noqa: N818 - it is not an error of ours
    """The body is no review that can be decided."""

    def __init__(self, status: int, reason: Reason, message: str, uid: str = "") -> None:
        super().__init__(message)
        self.status = status
        """Of HTTP."""
        self.reason = reason
        self.message = message
        """What is wrong, in one line."""
        self.uid = uid
        """The review's, where it could be read."""


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


def decode(body: bytes) -> Request:
    """Read a review.

    Raises:
        BadReview: HTTP 400, for whatever is no AdmissionReview of v1 with a request in it.

    """
    try:
        review = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _misshapen(body, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(f"the body is no JSON: {error}") from None
    except RecursionError:
        raise _malformed("the body is no JSON that can be read: it is nested too deeply") from None
    request = review.request
    uid = request.uid if request else ""
    if (review.kind, review.api_version) != (KIND, API_VERSION):
        raise _foreign(review.kind, review.api_version, uid)
    if request is None:
        raise _malformed("'request' is missing: is this an answer?")
    if not uid:
        raise _malformed("'request.uid' is empty")
    return Request(
        uid=uid,
        operation=request.operation,
        kind=str(request.kind),
        namespace=request.namespace or "",
        name=request.name or "",
        subresource=request.sub_resource or "",
        dry_run=bool(request.dry_run),
        object=request.object or {},
        old_object=request.old_object or {},
    )


def encode(uid: str, decision: Decision) -> bytes:
    """Answer the review `uid` with `decision`."""
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
        response["warnings"] = list(_fitting(_lines(decision.warnings)))
    if decision.outcome is not Outcome.SKIPPED:
        response["auditAnnotations"] = _annotations(decision)
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _misshapen(body: bytes, error: msgspec.ValidationError) -> BadReview:
    """Say what is wrong with JSON that is no review: first of all, what it is instead."""
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        whole = None  # further on it is not even JSON
    if not isinstance(whole, dict):
        return _malformed(describe_validation_error(error, "the body"))
    request = whole.get("request")
    uid = request.get("uid") if isinstance(request, dict) else None
    uid = uid if isinstance(uid, str) else ""
    kind, api_version = whole.get("kind", ""), whole.get("apiVersion", "")
    if (kind, api_version) != (KIND, API_VERSION):
        return _foreign(kind, api_version, uid)
    return _malformed(describe_validation_error(error, "the body"), uid)


def _foreign(kind: object, api_version: object, uid: str) -> BadReview:
    return _malformed(
        f"expected kind '{KIND}' of '{API_VERSION}', found '{kind}' of '{api_version}'; "
        "a webhook configuration must say admissionReviewVersions: [v1]",
        uid,
    )


def _malformed(message: str, uid: str = "") -> BadReview:
    return BadReview(400, Reason.MALFORMED_REVIEW, message, uid)


def _lines(warnings: Iterable[str]) -> Iterator[str]:
    """Make warnings fit for a header and a screen: printable, unprefixed, wrapped."""
    for warning in warnings:
        text = _CONTROL.sub(" ", warning).strip().removeprefix("Warning:").lstrip()
        yield from textwrap.wrap(text, WARNING_CHARACTERS, break_on_hyphens=False)


def _fitting(lines: Iterable[str]) -> Iterator[str]:
    """Pass on the lines that the API server would not drop, and say what is left out."""
    more = "and more: see the webhook's log and the Plan's Events"
    left = WARNINGS_BYTES - len(more)
    for line in lines:
        left -= len(line.encode())
        if left < 0:
            yield more
            return
        yield line


def _annotations(decision: Decision) -> dict[str, str]:
    """Return what the API server's audit log shall say, under keys that it prefixes."""
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
    return {key: _cut(value) for key, value in audit.items()}


def _cut(value: str) -> str:
    encoded = value.encode()
    if len(encoded) <= ANNOTATION_BYTES:
        return value
    return encoded[:ANNOTATION_BYTES].decode(errors="ignore") + " ..."
