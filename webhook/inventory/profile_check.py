"""A dry run of the convertor profile: whether the API server accepts convertor pods with it.

A wrong value in the profile stops every migration into a namespace. What happens on the nodes, such
as a seccomp profile that is not installed there, a dry run does not show.
"""

import msgspec

from webhook.forklift.convertor_pod import build_convertor_pod
from webhook.kube.api.client import Client
from webhook.kube.api.errors import ApiError
from webhook.kube.messages import quote
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.placement.profile import place_profile

STORAGE_CLASSES_PATH = "/apis/storage.k8s.io/v1/storageclasses"
_NAME = "convertor-profile-check"
_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}
"""Strict, because before 1.30 the API server would drop the field for AppArmor without an error."""
_REFUSALS = frozenset({400, 403, 422})
"""The statuses of validation and admission."""
_NOT_FOUND = 404


class ProfileCheck(msgspec.Struct, frozen=True):
    """The result for a namespace."""

    refusal: str = ""
    """The reason why pods with the profile are refused, and others are not; empty if accepted."""
    unchecked: str = ""
    """The reason why there is no result."""


class _NoResultError(Exception):
    """No dry run is possible; the message is the reason."""


def check_profile(client: Client, namespace: str, installation: Installation) -> ProfileCheck:
    """Send a convertor pod with the profile of a namespace as a server-side dry run.

    If it is refused, it is sent without the profile too: a quota refuses both.

    Raises:
        ApiError: the API server did not answer, or failed.

    """
    profile = installation.profile_for(namespace)
    pod = build_convertor_pod(namespace, _NAME)
    placed = place_profile(pod["spec"], profile, installation)
    with_profile = {
        **pod,
        "metadata": pod["metadata"] | {"annotations": placed.annotations},
        "spec": placed.spec,
    }
    try:
        if refusal := _find_refusal(client, with_profile):
            if other := _find_refusal(client, pod):
                return ProfileCheck(unchecked=f"pods without the profile are refused too: {other}")
            return ProfileCheck(refusal)
        storage_class = profile.scratch_volume and profile.scratch_volume.storage_class
        if storage_class and not _exists(client, storage_class):
            return ProfileCheck(
                f"StorageClass {quote(storage_class)} of the scratch volume does not exist, so "
                "pods would stay Pending"
            )
    except _NoResultError as error:
        return ProfileCheck(unchecked=str(error))
    return ProfileCheck()


def _find_refusal(client: Client, pod: Json) -> str:
    """Return the API server's reason against a pod; empty if it accepts the pod."""
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    try:
        client.send("POST", path, pod, _DRY_RUN)
    except ApiError as error:
        if error.lacks_right or error.status == _NOT_FOUND:  # or the namespace does not exist yet
            raise _NoResultError(str(error)) from None
        if error.status not in _REFUSALS:
            raise
        return str(error)
    return ""


def _exists(client: Client, storage_class: str) -> bool:
    query = {"fieldSelector": f"metadata.name={storage_class}"}
    try:
        return bool(client.get_object(STORAGE_CLASSES_PATH, query).get("items"))
    except ApiError as error:
        if error.lacks_right:
            raise _NoResultError(str(error)) from None
        raise
