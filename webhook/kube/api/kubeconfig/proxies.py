"""The proxy of a request, by the rules of Go's golang.org/x/net/http/httpproxy."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.messages import join_with_or

_SCHEMES = ("http", "https", "socks5", "socks5h")
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def from_environment(url: str, environ: Mapping[str, str]) -> str:
    """Return the URL of the proxy for requests to `url`, or nothing.

    HTTPS_PROXY or HTTP_PROXY apply, by the scheme of `url`, unless it is a loopback address or
    NO_PROXY has it: `*`, an address, a network in CIDR notation, a domain with its subdomains,
    `.domain` or `*.domain` for its subdomains alone, and each but the network with a port.

    Raises:
        KubeconfigError: the URL of the proxy is invalid, or its scheme is unknown.

    """
    target = urlsplit(url)
    name = f"{target.scheme.upper()}_PROXY"
    proxy = _get_any(environ, name)
    if not proxy or not _uses_proxy(target, _get_any(environ, "NO_PROXY")):
        return ""
    return check(proxy if "://" in proxy else f"http://{proxy}", name)


def check(proxy: str, origin: str) -> str:
    """Return the URL of a proxy, with its port, and host names resolved by SOCKS proxies.

    Raises:
        KubeconfigError: it is invalid, or its scheme is unknown; `origin` is named, and
            the URL is not, because it may have a password.

    """
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in _SCHEMES:
        kinds = join_with_or([f"{scheme}://" for scheme in _SCHEMES])
        raise KubeconfigError(f"{origin}: expected the URL of a proxy with {kinds}")
    scheme = "socks5h" if parts.scheme == "socks5" else parts.scheme
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{user}{at}{host}:{port or _PORTS[parts.scheme]}"


def without_password(proxy: str) -> str:
    """Return the URL of a proxy for messages."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address."""
    address = _parse_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _get_any(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.lower()) or ""


def _uses_proxy(target: SplitResult, no_proxy: str) -> bool:
    host = (target.hostname or "").lower()
    if is_loopback(host):
        return False
    port = target.port or _PORTS[target.scheme]
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return not any(_matches(entry, host, port) for entry in entries if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _parse_address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, entry_port = _split_port(entry)
    if entry_port and entry_port != str(port):
        return False
    if address:  # a domain matches no address: `2.3` is not in 10.1.2.3
        return address == _parse_address(name)
    name = name.removeprefix("*") if name.startswith("*.") else name
    return host == name or (bool(name) and host.endswith(f".{name.removeprefix('.')}"))


def _split_port(entry: str) -> tuple[str, str]:
    name, _, port = entry.rpartition(":")
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1], port
    return (name, port) if name and ":" not in name else (entry, "")


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
