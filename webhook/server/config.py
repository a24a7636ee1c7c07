"""What whoever starts the server decides: values, files, and what is wrong with them."""

import os
import stat
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import msgspec

from webhook.kube import labels, manifests
from webhook.kube.messages import did_you_mean
from webhook.kube.objects import Json
from webhook.model import Installation, Mode
from webhook.server.drain import DrainTimes
from webhook.settings import check_defaults

ENVIRONMENT = "CONVERTOR_WEBHOOK"
"""Every flag is also an environment variable: `--tls-dir` is CONVERTOR_WEBHOOK_TLS_DIR."""

MAX_CONCURRENT = 100
"""Reviews at a time. One that knows its plan is never interrupted, so these are reviews whose
body is still on its way, or whose plan is."""

_SERVICE_LINKS = ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")
"""Kubernetes sets such variables itself, in pods beside a Service of our name."""


class ConfigError(Exception):
    """A flag, a variable or a file that the server cannot start with; the text says all."""


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server's certificate comes from, and which clients it serves."""

    names: tuple[str, ...] = ()
    """What it has to be valid for, and first of all for what API servers call the webhook."""
    files: tuple[Path, Path] | None = None
    """Certificate and key; without files, and without a Secret, they are made at the start."""
    secret: tuple[str, str] | None = None
    """Namespace and name of the Secret that holds our own CA in the cluster."""
    webhook_config: str = ""
    """Name of the webhook configurations in which we publish the CA; empty where others do."""
    client_ca: Path | None = None
    """By which clients have to be signed; None asks no client for a certificate."""
    state_dir: Path | None = None
    """Where the CA of a certificate made at the start is written."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `convertor-webhook serve` is told."""

    listen: Address
    status_listen: Address
    installation: Installation = Installation()
    plans: Path | None = None
    """A directory of plans; None asks the cluster."""
    kubeconfig: Path | None = None
    """Of the cluster that has the pods; None means the one we run in, or kubectl's."""
    hub_kubeconfig: Path | None = None
    """Of the cluster that has the Plans, where that is another one."""
    watch_pods: bool = True
    """Whether to look for convertor pods that were missed; needs a cluster."""
    certificates: Certificates = Certificates()
    max_concurrent: int = MAX_CONCURRENT
    drain: DrainTimes = DrainTimes()


def address(text: str) -> Address:
    """Read `HOST:PORT`, `:PORT` for every address, or `[::1]:PORT`. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(
            f"{text!r}: expected HOST:PORT with a port up to 65535, such as '0.0.0.0:8443'"
        )
    if ":" in host.strip("[]") and not (host.startswith("[") and host.endswith("]")):
        raise ConfigError(f"{text!r}: an IPv6 address stands in brackets; try '[{host}]:{port}'")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - what no host means


def namespace_mode(text: str) -> tuple[str, Mode]:
    """Read `NAMESPACE=MODE`. Raises ConfigError."""
    namespace, equals, mode = text.partition("=")
    if not (namespace and equals):
        raise ConfigError(f"{text!r}: expected NAMESPACE=MODE, such as 'production=audit'")
    if wrong := labels.check_namespace(namespace):
        raise ConfigError(f"{text!r}: namespace {namespace!r} {wrong}")
    if mode not in list(Mode):
        expected = f"expected {', '.join(Mode)}{did_you_mean(mode, Mode)}"
        raise ConfigError(f"{text!r}: unknown mode {mode!r}, {expected}")
    return namespace, Mode(mode)


def object_name(text: str) -> tuple[str, str]:
    """Read `NAMESPACE/NAME`. Raises ConfigError."""
    namespace, _, name = text.partition("/")
    if not (namespace and name) or "/" in name:
        raise ConfigError(f"{text!r}: expected NAMESPACE/NAME")
    return namespace, name


def new(text: str) -> Path:
    """Read a path where nothing has to be yet. Raises ConfigError."""
    if not text:  # for Path it is `.`, and in a script a variable that is not set
        raise ConfigError("the path is empty")
    return Path(text)


def existing(text: str) -> Path:
    """Read the path of a file or a directory that is there. Raises ConfigError."""
    return _existing(text, "file or directory")[0]


def directory(text: str) -> Path:
    """Read the path of a directory that is there. Raises ConfigError."""
    path, mode = _existing(text, "directory")
    if not stat.S_ISDIR(mode):
        raise ConfigError(f"'{path}': expected a directory, found a file; try '{path.parent}'")
    return path


def file(text: str) -> Path:
    """Read the path of a file that is there. Raises ConfigError."""
    path, mode = _existing(text, "file")
    if stat.S_ISDIR(mode):
        raise ConfigError(f"'{path}': expected a file, found a directory")
    return path


def read(path: Path) -> bytes:
    """Read a file. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        hint = _near(path) if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"'{path}': {in_words(error)}{hint}") from None


def defaults(path: Path) -> Json:
    """Read the file with the installation's defaults. Raises ConfigError with all its faults."""
    try:
        every = manifests.parse_documents(read(path).decode("utf-8-sig"), is_json=False)
    except UnicodeDecodeError as error:
        raise ConfigError(f"'{path}': byte {error.start} is not UTF-8") from None
    except manifests.DocumentError as error:
        raise ConfigError(f"'{path}': {error}") from None
    found = [(line, document) for line, document in every if document is not None]
    if len(found) > 1:
        raise ConfigError(f"'{path}': line {found[1][0]}: expected one document, found another")
    content = found[0][1] if found else {}
    if problems := check_defaults(content, f"'{path}'"):
        raise ConfigError("\n".join(f"{problem}\n{problem.detail}".strip() for problem in problems))
    return content


def in_words(error: OSError) -> str:
    """Say what the operating system says, as part of a sentence."""
    if error.errno is not None and error.errno > 0:  # names that resolve to nothing have others
        return os.strerror(error.errno).lower()
    # Where a name resolves to nothing, Python adds which address it was: whoever asks knows.
    return str(error.strerror or error).partition(" (while attempting")[0].lower()


def unknown_variables(environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence on each variable that looks like one of ours and is none."""
    known = set(known)
    return [
        f"unknown environment variable '{name}'{did_you_mean(name, known)}"
        for name in sorted(environment.keys() - known)
        if name.startswith(f"{ENVIRONMENT}_") and not any(part in name for part in _SERVICE_LINKS)
    ]


def _existing(text: str, what: str) -> tuple[Path, int]:
    """Return a path and what kind of file is there."""
    path = new(text)
    try:
        return path, path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"'{path}': no such {what}{_near(path)}") from None
    except OSError as error:
        raise ConfigError(f"'{path}': {in_words(error)}") from None


def _near(path: Path) -> str:
    """Hint at something of nearly that name in the same directory."""
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, 1)
    return f"; did you mean '{path.with_name(near[0])}'?" if near else ""
