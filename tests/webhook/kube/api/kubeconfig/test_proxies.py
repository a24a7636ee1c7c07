import pytest

from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import proxies

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "found"),
    [
        ("https://10.1.2.3:6443", "", PROXY),
        ("https://10.1.2.3:6443", "10.0.0.0/8", ""),
        ("https://10.1.2.3:6443", "10.0.0.1/8", ""),
        ("https://10.1.2.3:6443", "11.0.0.0/8, fd00::/8", PROXY),
        ("https://10.1.2.3:6443", "10.1.2.3", ""),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", ""),
        ("https://10.1.2.3:6443", "10.1.2.3:443", PROXY),
        ("https://10.1.2.3:6443", "2.3", PROXY),
        ("https://10.1.2.3:6443", "[10.1.2.3]", PROXY),
        ("https://[fd00::1]:6443", "fd00::/8", ""),
        ("https://[fd00::1]:6443", "fd00::1", ""),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", ""),
        ("https://[fd00::1]:6443", "[fd00::1]:443", PROXY),
        ("https://[fd00::1]:6443", "[fd00::1]", PROXY),
        ("https://[::1]:6443", "", ""),
        ("https://127.1.2.3:6443", "", ""),
        ("https://LOCALHOST:6443", "", ""),
        ("https://api.example.com", "api.example.com:443", ""),
        ("http://api.example.com", "api.example.com:443", "http://plain:8080"),
        ("https://example.com", ".example.com", PROXY),
        ("https://example.com", "*.example.com", PROXY),
        ("https://example.com", "example.com", ""),
    ],
)
def test_the_proxy_is_that_of_go(url: str, no_proxy: str, found: str) -> None:
    environ = {"HTTPS_PROXY": "proxy:3128", "HTTP_PROXY": "http://plain:8080", "NO_PROXY": no_proxy}
    assert proxies.from_environment(url, environ) == found


def test_the_upper_case_variable_wins() -> None:
    environ = {"HTTPS_PROXY": "a", "https_proxy": "b", "NO_PROXY": "", "no_proxy": "x.com"}
    assert proxies.from_environment("https://y.com", environ) == "http://a:80"
    assert proxies.from_environment("https://x.com", environ) == ""


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://proxy", "http://proxy:80"),
        ("https://proxy", "https://proxy:443"),
        ("SOCKS5://Proxy", "socks5h://proxy:1080"),
        ("socks5h://x:y@[fd00::1]:9", "socks5h://x:y@[fd00::1]:9"),
    ],
)
def test_a_proxy_has_a_port_and_socks_proxies_resolve_names(given: str, used: str) -> None:
    assert proxies.check(given, "'proxy-url'") == used


@pytest.mark.parametrize(
    "given", ["ftp://u:hunter2@proxy", "proxy:3128", "http://", "http://[x", "http://proxy:port"]
)
def test_an_invalid_proxy_is_an_error_without_its_password(given: str) -> None:
    with pytest.raises(KubeconfigError) as caught:
        proxies.check(given, "'proxy-url'")
    assert str(caught.value) == (
        "'proxy-url': expected the URL of a proxy with http://, https://, socks5:// or socks5h://"
    )
