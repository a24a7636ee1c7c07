"""Server configuration: flags, environment variables, files."""

import stat
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from webhook.kube import labels, manifests
from webhook.kube.messages import describe_os_error, did_you_mean
from webhook.kube.objects import Json
from webhook.model import Installation, Mode, Problem
from webhook.server.drain import DrainTimes
from webhook.settings.installation import check_defaults, read_installation

ENVIRONMENT = "CONVERTOR_WEBHOOK"
"""Prefix of the environment variables: that of `--tls-dir` is CONVERTOR_WEBHOOK_TLS_DIR."""

MAX_CONCURRENT_REVIEWS = 100
"""A review whose plan is known is never interrupted, so these are reviews that wait for the rest
of their body or for their plan."""

MAX_WATCHED_NAMESPACES = 50
"""For each namespace, a replica has up to three threads, each with a connection that watches pods,
of about 100 KB."""

_SERVICE_LINKS = ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")
"""In names of variables that Kubernetes sets in pods for a Service named like the server."""


class ConfigError(Exception):
    """An invalid flag, variable or file; the message has every problem."""


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Certificates(msgspec.Struct, frozen=True, kw_only=True):
    """Source of the serving certificate, and the CA of the clients.

    Without `files` and `secret` the server makes a certificate when it starts.
    """

    names: tuple[str, ...] = ()
    """DNS names of the certificate; first the one that API servers call."""
    files: tuple[Path, Path] | None = None
    """Certificate and key."""
    secret: tuple[str, str] | None = None
    """Namespace and name of the Secret with the CA that the replicas share."""
    webhook_config: str = ""
    """Name of the webhook configurations to publish the CA in; empty if an injector does that."""
    client_ca: Path | None = None
    """CA that signs the certificates of clients; None accepts clients without one."""
    state_dir: Path | None = None
    """Directory for the CA of a certificate that the server makes."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of `convertor-webhook serve`."""

    listen: Address
    status_listen: Address
    installation: Installation = Installation()
    plans: Path | None = None
    """Directory with plans; None reads them from the cluster."""
    kubeconfig: Path | None = None
    """Of the cluster with the pods; None is the cluster of this pod, or kubectl's."""
    hub_kubeconfig: Path | None = None
    """Of the cluster with the Plans, if that is another one."""
    watch_pods: bool = True
    """True finds missed convertor pods; needs a cluster."""
    watch_pods_namespaces: tuple[str, ...] = ()
    """The namespaces in which they are found; empty for all."""
    webhook_config: str = ""
    """Name of the MutatingWebhookConfiguration, which excludes pods that are not missed."""
    certificates: Certificates = Certificates()
    max_concurrent: int = MAX_CONCURRENT_REVIEWS
    drain: DrainTimes = DrainTimes()


def parse_address(text: str) -> Address:
    """Parse `HOST:PORT`, `:PORT` for every address, or `[::1]:PORT`. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(
            f"{text!r}: expected HOST:PORT with a port up to 65535, such as '0.0.0.0:8443'"
        )
    if ":" in host.strip("[]") and not (host.startswith("[") and host.endswith("]")):
        raise ConfigError(f"{text!r}: an IPv6 address needs brackets; try '[{host}]:{port}'")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - ":8443" means that


def parse_namespace_mode(text: str) -> tuple[str, Mode]:
    """Parse `NAMESPACE=MODE`. Raises ConfigError."""
    namespace, equals, mode = text.partition("=")
    if not (namespace and equals):
        raise ConfigError(f"{text!r}: expected NAMESPACE=MODE, such as 'production=audit'")
    if wrong := labels.check_namespace(namespace):
        raise ConfigError(f"{text!r}: namespace {namespace!r} {wrong}")
    if mode not in list(Mode):
        expected = f"expected {', '.join(Mode)}{did_you_mean(mode, Mode)}"
        raise ConfigError(f"{text!r}: unknown mode {mode!r}, {expected}")
    return namespace, Mode(mode)


def parse_namespace(text: str) -> str:
    """Parse the name of a namespace. Raises ConfigError."""
    if wrong := labels.check_namespace(text):
        raise ConfigError(f"namespace {text!r} {wrong}")
    return text


def parse_object_name(text: str) -> tuple[str, str]:
    """Parse `NAMESPACE/NAME`. Raises ConfigError."""
    namespace, _, name = text.partition("/")
    if not (namespace and name) or "/" in name:
        raise ConfigError(f"{text!r}: expected NAMESPACE/NAME")
    return namespace, name


def parse_path(text: str) -> Path:
    """Parse a path, which need not exist. Raises ConfigError."""
    if not text:  # for Path it is `.`, and in a script a variable that is not set
        raise ConfigError("the path is empty")
    return Path(text)


def find_path(text: str) -> Path:
    """Return the path of a file or directory that exists. Raises ConfigError."""
    return _find_existing(text, "file or directory")[0]


def find_directory(text: str) -> Path:
    """Return the path of a directory that exists. Raises ConfigError."""
    path, mode = _find_existing(text, "directory")
    if not stat.S_ISDIR(mode):
        raise ConfigError(f"'{path}': expected a directory, found a file; try '{path.parent}'")
    return path


def find_file(text: str) -> Path:
    """Return the path of a file that exists. Raises ConfigError."""
    path, mode = _find_existing(text, "file")
    if stat.S_ISDIR(mode):
        raise ConfigError(f"'{path}': expected a file, found a directory")
    return path


def load_installation(path: Path) -> Installation:
    """Load the file of `--config`. Raises ConfigError with all its problems."""
    installation, problems = read_installation(_load_document(path), f"'{path}'")
    _raise_problems(problems)
    return installation


def load_defaults(path: Path, installation: Installation) -> Json:
    """Load the file of `--defaults`, for an installation. Raises ConfigError with all problems."""
    defaults: Json = _load_document(path)
    _raise_problems(check_defaults(defaults, f"'{path}'", installation))
    return defaults


def find_unknown_variables(environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each variable that has the server's prefix and an unknown name."""
    known = set(known)
    return [
        f"unknown environment variable '{name}'{did_you_mean(name, known)}"
        for name in sorted(environment.keys() - known)
        if name.startswith(f"{ENVIRONMENT}_") and not any(part in name for part in _SERVICE_LINKS)
    ]


def _load_document(path: Path) -> Any:
    """Return the one document of a YAML file, `{}` if it has none."""
    try:
        document = manifests.parse_document(manifests.decode(path.read_bytes()))
    except OSError as error:
        hint = _suggest_similar_name(path) if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"'{path}': {describe_os_error(error)}{hint}") from None
    except manifests.DocumentError as error:
        raise ConfigError(f"'{path}': {error}") from None
    return {} if document is None else document


def _raise_problems(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError("\n".join(problem.in_full() for problem in problems))


def _find_existing(text: str, what: str) -> tuple[Path, int]:
    """Return a path that exists, and its file mode."""
    path = parse_path(text)
    try:
        return path, path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"'{path}': no such {what}{_suggest_similar_name(path)}") from None
    except OSError as error:
        raise ConfigError(f"'{path}': {describe_os_error(error)}") from None


def _suggest_similar_name(path: Path) -> str:
    """Return a hint at a file of almost that name in the same directory."""
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, 1)
    return f"; did you mean '{path.with_name(near[0])}'?" if near else ""
