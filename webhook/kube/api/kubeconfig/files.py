"""Kubeconfig files: found, decoded and merged by the rules of client-go's clientcmd."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from webhook.kube import manifests
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.messages import describe_os_error, describe_validation_error, did_you_mean

T = TypeVar("T")

_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


class _Extension(msgspec.Struct, frozen=True):
    name: str = ""
    extension: Any = None


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    """A cluster, with absolute paths."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: bytes = b""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list[_Extension] = []

    def exec_config(self) -> Any:
        """Return what the cluster passes to exec plugins, or None."""
        found = (each.extension for each in self.extensions if each.name == _EXEC_EXTENSION)
        return next(found, None)


class EnvVar(msgspec.Struct, frozen=True):
    """A variable for an exec plugin."""

    name: str = ""
    value: str = ""


class ExecConfig(msgspec.Struct, frozen=True, rename="camel"):
    """A program that prints credentials; a path in `command` is absolute."""

    command: str = ""
    api_version: str = ""
    args: list[str] = []
    env: list[EnvVar] = []
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class AuthProvider(msgspec.Struct, frozen=True):
    """A login that is built into kubectl."""

    name: str = ""
    config: dict[str, str] = {}


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """The credentials of a user, with absolute paths."""

    client_certificate: str = ""
    client_certificate_data: bytes = b""
    client_key: str = ""
    client_key_data: bytes = b""
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    as_user: str = msgspec.field(name="as", default="")
    as_uid: str = ""
    as_groups: list[str] = []
    as_user_extra: dict[str, list[str]] = {}
    username: str = ""
    password: str = ""
    auth_provider: AuthProvider | None = None
    exec: ExecConfig | None = None


class Context(msgspec.Struct, frozen=True):
    """The names of a cluster and a user, and the default namespace."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(msgspec.Struct, frozen=True):
    name: str = ""
    cluster: Cluster = Cluster()


class _NamedUser(msgspec.Struct, frozen=True):
    name: str = ""
    user: User = User()


class _NamedContext(msgspec.Struct, frozen=True):
    name: str = ""
    context: Context = Context()


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    kind: str = ""
    api_version: str = msgspec.field(name="apiVersion", default="")
    current_context: str = ""
    clusters: list[_NamedCluster] = []
    users: list[_NamedUser] = []
    contexts: list[_NamedContext] = []


class Selected(NamedTuple):
    """A context with its cluster and user."""

    name: str
    context: Context
    cluster: Cluster
    user: User
    """A user without any credentials if the context names none."""


class Kubeconfig(NamedTuple):
    """The configuration of all files together."""

    paths: str
    """As in KUBECONFIG: `/home/me/.kube/config:/tmp/kind`."""
    current_context: str
    clusters: Mapping[str, Cluster]
    users: Mapping[str, User]
    contexts: Mapping[str, Context]

    @property
    def name(self) -> str:
        """Its name in messages: `kubeconfig '/home/me/.kube/config'`."""
        return f"kubeconfig '{self.paths}'"

    def select(self, context: str = "") -> Selected:
        """Return a context, by default the current context.

        Raises:
            KubeconfigError: it does not exist, or its cluster or user does not.

        """
        wanted = context or self.current_context
        if not self.contexts:
            raise KubeconfigError(f"{self.name} has no contexts")
        if not wanted:
            choices = _list_names(self.contexts)
            raise KubeconfigError(f"{self.name} has no current context; choose one of {choices}")
        found = self._find("context", wanted, self.contexts, self.name)
        whose = f"{self.name}: context '{wanted}'"
        if not found.cluster:
            raise KubeconfigError(f"{whose}: 'cluster' is missing")
        cluster = self._find("cluster", found.cluster, self.clusters, whose)
        user = self._find("user", found.user, self.users, whose) if found.user else User()
        return Selected(wanted, found, cluster, user)

    def _find(self, kind: str, name: str, entries: Mapping[str, T], whose: str) -> T:
        if name in entries:
            return entries[name]
        known, hint = _list_names(entries), did_you_mean(name, entries)
        if kind == "context":
            raise KubeconfigError(f"{whose} has no context '{name}': it has {known}{hint}")
        raise KubeconfigError(f"{whose}: there is no {kind} '{name}', there is {known}{hint}")


def find_files(kubeconfig: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """Return the files that kubectl reads: `kubeconfig`, else KUBECONFIG's, else the default one.

    Files of KUBECONFIG and a default file that do not exist are left out.
    """
    if kubeconfig:
        return [kubeconfig]
    if given := environ.get("KUBECONFIG"):
        paths = [Path(each) for each in dict.fromkeys(given.split(os.pathsep)) if each]
    else:
        paths = [default_file(environ)]
    return [path for path in paths if _may_exist(path)]


def default_file(environ: Mapping[str, str]) -> Path:
    """Return the path of the file that kubectl reads by default; without HOME it is relative."""
    return Path(environ.get("HOME", ""), ".kube/config")


def _may_exist(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:  # another file must not be used instead: reading it gives the message
        return True
    return True


def read_files(paths: Sequence[Path]) -> Kubeconfig:
    """Read and merge kubeconfig files: the first file that has a name or a current context wins.

    Raises:
        KubeconfigError: a file cannot be read, or is not a kubeconfig; contents are never shown.

    """
    current_context = ""
    clusters: dict[str, Cluster] = {}
    users: dict[str, User] = {}
    contexts: dict[str, Context] = {}
    for path in paths:
        file, folder = _read_file(path), path.absolute().parent
        current_context = current_context or file.current_context
        for cluster in file.clusters:
            clusters.setdefault(cluster.name, _resolve(cluster.cluster, folder))
        for user in file.users:
            users.setdefault(user.name, _resolve_user(user.user, folder))
        for context in file.contexts:
            contexts.setdefault(context.name, context.context)
    names = os.pathsep.join(map(str, paths))
    return Kubeconfig(names, current_context, clusters, users, contexts)


def _read_file(path: Path) -> _File:
    where = f"kubeconfig '{path}'"
    try:
        document = _normalize(manifests.parse_first_document(manifests.decode(path.read_bytes())))
    except FileNotFoundError:
        raise KubeconfigError(f"{where}: no such file") from None
    except OSError as error:
        raise KubeconfigError(f"{where}: {describe_os_error(error)}") from None
    except manifests.DocumentError as error:  # its message may quote a password
        raise KubeconfigError(f"{where}: {error.without_contents}") from None
    except RecursionError:
        raise KubeconfigError(f"{where}: it is nested too deeply") from None
    try:
        file = msgspec.convert({} if document is None else document, _File)
    except msgspec.ValidationError as error:
        message = describe_validation_error(error, "the file")
        raise KubeconfigError(f"{where}: {_name_entry(message, document)}") from None
    if file.kind not in ("", "Config") or file.api_version not in ("", "v1"):
        raise KubeconfigError(f"{where}: expected 'kind: Config' of 'apiVersion: v1'")
    names = {
        "cluster": [each.name for each in file.clusters],
        "user": [each.name for each in file.users],
        "context": [each.name for each in file.contexts],
    }
    for kind, of_kind in names.items():
        for name, count in Counter(of_kind).items():
            if count > 1:
                raise KubeconfigError(f"{where}: there are two of the {kind} '{name}'")
    return file


def _normalize(value: Any, key: str = "") -> Any:
    """Return a document without null members, and without line ends in its base64 texts."""
    match value:
        case dict():
            return {
                name: _normalize(member, name)
                for name, member in value.items()
                if member is not None
            }
        case list():
            return [_normalize(member) for member in value if member is not None]
        case str() if key.endswith("-data"):
            return value.replace("\r", "").replace("\n", "")
        case _:
            return value


_ENTRY = re.compile(
    r"'(clusters|users|contexts)\[(\d+)\](?:\.(?:cluster|user|context)(?=['.\[]))?\.?"
)


def _name_entry(message: str, document: Any) -> str:
    """Replace `'users[2].user.token'` by `user 'admin': 'token'`."""
    found = _ENTRY.match(message)
    if not found:
        return message
    kind, index = found[1], int(found[2])
    entry = document[kind][index]
    name = entry.get("name") if isinstance(entry, dict) else None
    whose = f"{kind[:-1]} '{name}'" if isinstance(name, str) else f"{kind}[{index}]"
    field = message[found.end() :]
    return f"{whose}{field[1:]}" if field.startswith("'") else f"{whose}: '{field}"


def _resolve(cluster: Cluster, folder: Path) -> Cluster:
    path = _absolute(cluster.certificate_authority, folder)
    return msgspec.structs.replace(cluster, certificate_authority=path)


def _resolve_user(user: User, folder: Path) -> User:
    program = user.exec
    if program and "/" in program.command:
        path = os.path.normpath(_absolute(program.command, folder))
        program = msgspec.structs.replace(program, command=path)
    return msgspec.structs.replace(
        user,
        client_certificate=_absolute(user.client_certificate, folder),
        client_key=_absolute(user.client_key, folder),
        token_file=_absolute(user.token_file, folder),
        exec=program,
    )


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder / path) if path and not path.startswith("/") else path


def read_authority(cluster: Cluster) -> bytes:
    """Return the certificates of a cluster's CA as PEM, or nothing.

    Raises:
        KubeconfigError: they cannot be read, or are given twice.

    """
    if cluster.certificate_authority and cluster.certificate_authority_data:
        raise KubeconfigError(
            "'certificate-authority' and 'certificate-authority-data' exclude each other"
        )
    path, data = cluster.certificate_authority, cluster.certificate_authority_data
    return read("certificate-authority", path, data)


def read(name: str, path: str, data: bytes) -> bytes:
    """Return the `data` of an entry, or the content of the file that its field `name` names.

    Raises:
        KubeconfigError: the file cannot be read. Its path is not shown: a token or a key may be
            where a path belongs.

    """
    if not path:
        return data
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"the file of '{name}': {describe_os_error(error)}") from None
    except ValueError:  # a NUL character
        raise KubeconfigError(f"'{name}' is not a path") from None


def _list_names(entries: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in entries) or "none"
