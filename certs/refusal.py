"""Saying why the API did not do as asked, so that somebody can mend it."""

from dataclasses import dataclass

import msgspec
from kubernetes.client import ApiException

from certs.cluster import ApiError, ConflictError

_ADMISSION = "admissionregistration.k8s.io"
_RESOURCES = {
    "Secret": ("Role", "", "secrets"),
    "MutatingWebhookConfiguration": ("ClusterRole", _ADMISSION, "mutatingwebhookconfigurations"),
    "ValidatingWebhookConfiguration": (
        "ClusterRole",
        _ADMISSION,
        "validatingwebhookconfigurations",
    ),
}
"""Where the right to a kind is written, its API group, its plural."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the API."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} '{path}'"


class _Status(msgspec.Struct):
    message: str = ""


def explain(error: Exception, verb: str, thing: Thing) -> ApiError:
    """Turn what the client raised when it was to `verb` this object into words."""
    if not isinstance(error, ApiException) or not error.status:
        cause = getattr(error, "reason", None) or error
        return ApiError(f"{thing}: the API server does not answer a {verb}: {cause}")
    if error.status == 409:
        return ConflictError(f"{thing}: somebody else wrote it first")
    if error.status == 403:
        return ApiError(f"{thing}: may not {verb} it: {_missing_rule(verb, thing)}")
    if error.status == 404:
        return ApiError(
            f"{thing} does not exist; it comes with the chart: 'helm upgrade' puts it back"
        )
    return ApiError(f"{thing}: {verb} was refused: {_message(error)}")


def _missing_rule(verb: str, thing: Thing) -> str:
    role, group, resource = _RESOURCES[thing.kind]
    return (
        f'the {role} lacks apiGroups: ["{group}"], resources: [{resource}],'
        f" resourceNames: [{thing.name}], verbs: [{verb}]"
    )


def _message(error: ApiException) -> str:
    """Return the API's own words, from the Status that it sends."""
    try:
        status = msgspec.json.decode(error.body or b"", type=_Status)
    except msgspec.DecodeError:
        status = _Status()
    return status.message or f"{error.status} {error.reason}"
