"""The version of a cluster."""

import re
from typing import TYPE_CHECKING

import msgspec

from webhook.kube.api.errors import ApiError

if TYPE_CHECKING:
    from webhook.kube.api.client import Client

_TIMEOUT_SECONDS = 3.0


class _Version(msgspec.Struct):
    minor: str = ""


def read_minor_version(client: "Client") -> int | None:
    """Return the minor version, 30 for Kubernetes 1.30; None if the server does not say it."""
    try:
        body = client.get("/version", timeout_seconds=_TIMEOUT_SECONDS)
        minor = msgspec.json.decode(body, type=_Version).minor
    except (ApiError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    digits = re.match(r"\d+", minor)
    return int(digits[0]) if digits else None
