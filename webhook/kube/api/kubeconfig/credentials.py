"""The credentials of a user of a kubeconfig, checked and loaded as kubectl does."""

import base64
import binascii
import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote

import msgspec

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import exec_plugin
from webhook.kube.api.kubeconfig.files import AuthProvider, Cluster, User, read

TOKEN_FILE_LIFETIME_SECONDS = 60.0
"""A token's file is read again after this: kubelets replace the tokens of pods."""
_ILLEGAL_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LEGAL_IN_HEADER_NAME = "!#$&'*+-.^_`|~"  # RFC 7230, without `%`, which escapes the others
_REMOVED_PROVIDERS = {
    "gcp": "the exec plugin gke-gcloud-auth-plugin",
    "azure": "the exec plugin kubelogin, https://github.com/Azure/kubelogin",
}


class Credentials(NamedTuple):
    """The credentials of the requests to a cluster."""

    authorization: Callable[[], str] = str
    """Returns the value of the Authorization header, or nothing; raises KubeconfigError."""
    impersonation: tuple[tuple[str, str], ...] = ()
    """The Impersonate headers: names may repeat."""
    certificate: bytes = b""
    """The client certificate as PEM, or empty."""
    key: bytes = b""
    """Its key as PEM, or empty."""
    expires_at: dt.datetime | None = None
    """The time from which an exec plugin has to be run again."""


def load_credentials(user: User, cluster: Cluster, *, required: bool = True) -> Credentials:
    """Load the credentials of a user; an exec plugin is run.

    Raises:
        KubeconfigError: they are incomplete or cannot be read, or there are none but `required`.

    """
    if problem := _find_problem(user):
        raise KubeconfigError(problem)
    certificate = read("client-certificate", user.client_certificate, user.client_certificate_data)
    key = read("client-key", user.client_key, user.client_key_data) if certificate else b""
    found = Credentials(str, tuple(_impersonation_headers(user)), certificate, key)
    if user.token or user.token_file:
        return found._replace(authorization=_token_source(user))
    if user.username:
        header = _basic(user.username, user.password)
        return found._replace(authorization=lambda: header)
    if user.auth_provider:
        id_token = bearer("'auth-provider.config.id-token'", _find_id_token(user.auth_provider))
        return found._replace(authorization=lambda: id_token)
    if user.exec and not certificate:
        return _run_plugin(user, cluster, found)
    if required and not certificate:
        raise KubeconfigError(
            "no credentials: expected 'token', 'tokenFile', 'exec', 'client-certificate' with "
            "'client-key', or 'username' with 'password'"
        )
    return found


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def login_of(address: SplitResult) -> str:
    """Return the Authorization header of the user and password in a URL, or nothing."""
    if address.username is None:
        return ""
    return _basic(unquote(address.username), unquote(address.password or ""))


def bearer(name: str, token: str) -> str:
    """Return the Authorization header of a token.

    Raises:
        KubeconfigError: the token cannot be sent; `name` is the name of its field, for the message.

    """
    return f"Bearer {_header_value(name, token)}"


def token_file_source(path: Path, otherwise: str = "") -> Callable[[], str]:
    """Return a source of the Authorization header with the token of a file, which may change.

    While the file cannot be read, its last token is used, or else the token `otherwise`. The
    source raises KubeconfigError if there is none.
    """
    header, read_at = otherwise and bearer("'token'", otherwise), float("-inf")

    def authorization() -> str:
        nonlocal header, read_at
        now = time.monotonic()
        if now - read_at >= TOKEN_FILE_LIFETIME_SECONDS:
            try:
                header = bearer("the token of 'tokenFile'", _read_token(path))
            except KubeconfigError:
                if not header:
                    raise
            read_at = now
        return header

    return authorization


def _read_token(path: Path) -> str:
    try:
        token = read("tokenFile", str(path), b"").decode().strip()
    except UnicodeDecodeError:
        raise KubeconfigError("the file of 'tokenFile' is not text in UTF-8") from None
    if not token:
        raise KubeconfigError("the file of 'tokenFile' is empty")
    return token


def _find_problem(user: User) -> str:
    """Return what is wrong with the fields of a user, or nothing."""
    has_certificate = user.client_certificate or user.client_certificate_data
    has_key = user.client_key or user.client_key_data
    provider = user.auth_provider.name if user.auth_provider else "oidc"
    if provider in _REMOVED_PROVIDERS:
        return f"'auth-provider' {provider} is not in kubectl: use {_REMOVED_PROVIDERS[provider]}"
    checks = (
        (
            user.client_certificate and user.client_certificate_data,
            "'client-certificate' and 'client-certificate-data' exclude each other",
        ),
        (
            has_certificate and user.client_key and user.client_key_data,
            "'client-key' and 'client-key-data' exclude each other",
        ),
        (has_certificate and not has_key, "'client-key' or 'client-key-data' is missing"),
        (
            (user.username and (user.token or user.token_file)) or (user.password and user.token),
            "'username' or 'password' and a token exclude each other",
        ),
        (
            not user.as_user and (user.as_uid or user.as_groups or user.as_user_extra),
            "'as-uid', 'as-groups' and 'as-user-extra' need 'as'",
        ),
        (user.auth_provider and user.exec, "'auth-provider' and 'exec' exclude each other"),
        (provider != "oidc", "'auth-provider' is not one of kubectl: use 'exec'"),
    )
    first = next((message for is_wrong, message in checks if is_wrong), "")
    return first or (exec_plugin.find_problem(user.exec) if user.exec else "")


def _impersonation_headers(user: User) -> Iterator[tuple[str, str]]:
    if not user.as_user:
        return
    yield "Impersonate-User", _header_value("'as'", user.as_user)
    if user.as_uid:
        yield "Impersonate-Uid", _header_value("'as-uid'", user.as_uid)
    for group in user.as_groups:
        yield "Impersonate-Group", _header_value("'as-groups'", group)
    for key, values in user.as_user_extra.items():
        name = f"Impersonate-Extra-{quote(key, safe=_LEGAL_IN_HEADER_NAME)}"
        for value in values:
            yield name, _header_value("'as-user-extra'", value)


def _header_value(name: str, value: str) -> str:
    if _ILLEGAL_IN_HEADER.search(value):
        raise KubeconfigError(f"{name}: line ends and control characters cannot be sent")
    return value.encode().decode("latin-1")  # sent as UTF-8


def _token_source(user: User) -> Callable[[], str]:
    if user.token_file:
        source = token_file_source(Path(user.token_file), user.token)
        source()  # an error is reported before a request
        return source
    header = bearer("'token'", user.token)
    return lambda: header


def _run_plugin(user: User, cluster: Cluster, found: Credentials) -> Credentials:
    assert user.exec is not None  # noqa: S101 - the caller has checked it
    printed = exec_plugin.run(user.exec, cluster)
    header = bearer("the exec plugin's token", printed.token) if printed.token else ""
    return found._replace(
        authorization=lambda: header,
        certificate=printed.certificate,
        key=printed.key,
        expires_at=printed.expires_at,
    )


def _find_id_token(provider: AuthProvider) -> str:
    """Return the token of an OpenID Connect login that kubectl has made.

    kubectl renews an expired token and writes the new one, with the next refresh token, into the
    kubeconfig. Nothing else may use up the refresh token.
    """
    token = provider.config.get("id-token", "")
    expires_at = _read_expiry(token)
    if expires_at is not None and expires_at > time.time():
        return token
    if provider.config.get("refresh-token"):
        raise KubeconfigError(
            "'auth-provider' oidc: its id-token has expired; kubectl renews it: run any kubectl "
            "command with this context, such as 'kubectl get --raw /version'"
        )
    raise KubeconfigError(
        "'auth-provider' oidc: it has no valid id-token and no refresh-token; log in again"
    )


class _Claims(msgspec.Struct):
    exp: float = 0


def _read_expiry(token: str) -> float | None:
    """Return the time of expiry of a JSON web token, in seconds since 1970; None if it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).exp
    except (binascii.Error, ValueError):
        return None
