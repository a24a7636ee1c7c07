import datetime as dt
import ipaddress
import json
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.fake_api import FakeApi, run_fake_api
from tests.support.reactions import encode_status
from tests.support.waiting import eventually
from webhook.forklift.plan import PlanObject
from webhook.kube.api.client import Client, connect
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError

PLANS = "/apis/forklift.konveyor.io/v1beta1/plans"
PLAN = "/apis/forklift.konveyor.io/v1beta1/namespaces/forklift/plans/db"
PLANS_OF_FORKLIFT = "/apis/forklift.konveyor.io/v1beta1/namespaces/forklift/plans"
DB = {"kind": "Plan", "metadata": {"namespace": "forklift", "name": "db"}}
WEB = {"kind": "Plan", "metadata": {"namespace": "forklift", "name": "web"}, "a": 1}
FORBIDDEN = (
    'plans.forklift.konveyor.io is forbidden: User "system:serviceaccount:a:b" cannot list '
    'resource "plans" in API group "forklift.konveyor.io" at the cluster scope'
)


def test_get_returns_the_object_with_unknown_fields(api: FakeApi, client: Client) -> None:
    api.add(DB | {"spec": {"unknown": [1, None]}})
    assert json.loads(client.get(PLAN))["spec"] == {"unknown": [1, None]}
    assert api.requests[-1].headers["user-agent"] == "convertor-webhook"


def test_the_default_namespace_is_that_of_the_context(client: Client) -> None:
    assert client.namespace == "here"


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type"),
    [
        ("POST", PLANS_OF_FORKLIFT, WEB, "application/json"),
        ("PUT", PLAN, DB | {"a": 1}, "application/json"),
        ("PATCH", PLAN, {"a": 1}, "application/merge-patch+json"),
        ("PATCH", PLAN, [{"op": "add", "path": "/a", "value": 1}], "application/json-patch+json"),
    ],
)
def test_the_content_type_matches_the_kind_of_patch(
    api: FakeApi, client: Client, *, method: str, path: str, body: Any, content_type: str
) -> None:
    api.add(DB)
    assert client.send(method, path, body)["a"] == 1
    assert api.requests[-1].headers["content-type"] == content_type


@pytest.mark.parametrize(
    ("path", "code", "body", "message"),
    [
        (PLANS, 401, b"", "{} does not accept the credentials: they are wrong or have expired"),
        (
            PLANS,
            403,
            encode_status(message=FORBIDDEN, reason="Forbidden"),
            (
                "'system:serviceaccount:a:b' may not list plans at the cluster scope: it needs a "
                'ClusterRole with apiGroups: ["forklift.konveyor.io"], resources: ["plans"], '
                'verbs: ["list"]'
            ),
        ),
        (
            "/api/v1/namespaces/x/pods/y/log",
            403,
            encode_status(message='pods "y" is forbidden: User "me" cannot get resource …'),
            (
                "'me' may not get pods/log in namespace 'x': it needs a Role or ClusterRole with "
                'apiGroups: [""], resources: ["pods/log"], verbs: ["get"]'
            ),
        ),
        (PLANS, 403, encode_status(message="too many pods"), "{} forbids it: too many pods"),
        (
            PLANS,
            404,
            b"404 page not found\n",
            (
                "{} does not serve plans of forklift.konveyor.io/v1beta1: is their "
                "CustomResourceDefinition installed?"
            ),
        ),
        (
            PLAN,
            404,
            encode_status(message='plans "db" not found', reason="NotFound"),
            '{} answered 404: plans "db" not found',
        ),
        (PLANS, 500, b"<html>oops", "{} answered 500: <html>oops"),
        (PLANS, 503, b"", "{} answered 503: no message"),
    ],
)
def test_an_error_response_becomes_a_helpful_message(
    api: FakeApi, client: Client, *, path: str, code: int, body: bytes, message: str
) -> None:
    kind = "get" if path != PLANS else "list"
    api.fail(kind, code, times=2, body=body)
    with pytest.raises(ApiError) as caught:
        client.get(path)
    assert str(caught.value) == message.replace("{}", client.server)
    assert caught.value.status == code
    assert caught.value.lacks_right == (" may not " in message)


def test_the_missing_rbac_rule_of_a_write_and_of_a_watch_is_named(
    api: FakeApi, client: Client
) -> None:
    body = encode_status(message='User "me" cannot do it')
    api.fail("*", 403, body=body)
    with pytest.raises(ApiError, match=re.escape('verbs: ["patch"]')):
        client.send("PATCH", PLAN, {})
    api.fail("watch", 403, body=body)
    with pytest.raises(ApiError, match=re.escape('verbs: ["watch"]')):
        client.stream(PLANS, {"watch": "true"}, accept="", idle_timeout_seconds=1)


def test_retry_after_is_read_from_a_429(api: FakeApi, client: Client) -> None:
    api.fail("list", 429, headers=(("Retry-After", "7"),))
    with pytest.raises(ApiError) as caught:
        client.get(PLANS)
    assert caught.value.retry_after == 7


def test_the_server_is_named_with_its_context_and_kubeconfig(
    api: FakeApi, client: Client, tmp_path: Path
) -> None:
    assert client.server == (
        f"the API server at {api.url} (context 'fake' of '{tmp_path}/kubeconfig')"
    )


def test_a_refused_connection_is_reported(tmp_path: Path) -> None:
    with run_fake_api() as api:
        client = connect(api.write_kubeconfig(tmp_path))
    with pytest.raises(ApiError) as caught:
        client.get(PLANS)
    assert str(caught.value) == (
        f"{client.server} cannot be reached: connection refused; is it running, and is it the "
        "right cluster?"
    )


def test_a_timeout_is_reported(api: FakeApi, client: Client) -> None:
    api.hang("list")
    with pytest.raises(ApiError, match="cannot be reached: no response before the timeout"):
        client.get(PLANS, timeout_seconds=0.05)


def test_a_connection_closed_without_a_response_is_reported(api: FakeApi, client: Client) -> None:
    api.fail("list", 0)
    with pytest.raises(
        ApiError, match="the connection was closed before the response was complete"
    ):
        client.get(PLANS)


def test_a_rotated_token_is_reloaded(api: FakeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    client = connect(api.write_kubeconfig(tmp_path, tokenFile=str(token)))
    api.token = "old"
    client.get(PLANS)
    token.write_text("new\n")
    api.token = "new"
    client.get(PLANS)
    assert [request.headers["authorization"] for request in api.requests] == [
        "Bearer old",
        "Bearer old",
        "Bearer new",
    ]


def test_a_deleted_kubeconfig_leaves_no_other_credentials(api: FakeApi, tmp_path: Path) -> None:
    path = api.write_kubeconfig(tmp_path, token="old")
    client = connect(path)
    api.token = "new"
    path.unlink()
    with pytest.raises(ApiError) as caught:
        client.get(PLANS)
    assert str(caught.value) == (
        f"{client.server} does not accept the credentials, and there are no others: "
        f"kubeconfig '{path}': no such file"
    )


@pytest.mark.parametrize(
    ("media_type", "body", "found"),
    [
        ("text/html; charset=utf-8", b"<html>Log in", "'text/html'"),
        ("application/json", b" <html>Log in", "'application/json'"),
        ("", b"", "'something else'"),
    ],
)
def test_a_login_page_is_no_answer(
    api: FakeApi, client: Client, *, media_type: str, body: bytes, found: str
) -> None:
    headers = (("Content-Type", media_type),) if media_type else ()
    api.fail("*", 200, times=2, body=body, headers=headers)
    message = f"{client.server} answered 200 with {found} instead of JSON: is it a login page"
    with pytest.raises(ApiError, match=re.escape(message)):
        client.get(PLANS)
    with pytest.raises(ApiError, match=re.escape(message)):
        client.send("PATCH", PLAN, {})


def test_a_login_page_is_no_watch(api: FakeApi, client: Client) -> None:
    api.fail("*", 200, body=b"<html>Log in", headers=(("Content-Type", "text/html"),))
    with pytest.raises(ApiError, match="answered 200 with 'text/html' instead of JSON"):
        client.stream(PLANS, watch(api), accept="", idle_timeout_seconds=1)


def test_a_redirect_is_not_followed(api: FakeApi, client: Client) -> None:
    location = ("Location", "https://login.example.com/?state=secret")
    api.fail("list", 302, headers=(location,))
    with pytest.raises(ApiError) as caught:
        client.get(PLANS)
    assert str(caught.value) == (
        f"{client.server} redirects to https://login.example.com: is it a login page, or a proxy?"
    )


def test_invalid_json_is_an_error_of_the_server(api: FakeApi, client: Client) -> None:
    api.fail("list", 200, body=b'{"items": [')
    with pytest.raises(ApiError, match=f"answered {PLANS} with invalid JSON"):
        client.get_object(PLANS)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"metadata": null}',
        b'{"metadata": {}, "items": "x"}',
        b'{"metadata": {}, "items": [null]}',
    ],
)
def test_json_that_is_not_an_api_object_is_an_error(
    api: FakeApi, client: Client, body: bytes
) -> None:
    api.fail("list", 200, body=body)
    with pytest.raises(ApiError, match=f"answered {PLANS} with JSON that is not an API object"):
        client.get_object(PLANS)


def test_json_that_is_nested_too_deeply_is_an_error(api: FakeApi, client: Client) -> None:
    deep = b'{"metadata": {}, "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    api.fail("list", 200, body=deep)
    with pytest.raises(ApiError, match="invalid JSON"):
        client.get_object(PLANS)
    api.fail("list", 200, body=deep)
    with pytest.raises(ApiError, match="sent an invalid response"):
        list(ListWatch(client, PLANS, PlanObject).list_items())


def test_an_error_whose_text_is_broken_has_its_status(api: FakeApi, client: Client) -> None:
    api.fail("list", 503, body=b"x", headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(ApiError, match="answered 503: no message"):
        client.get(PLANS)


def test_the_text_of_an_error_is_printed_without_control_characters(
    api: FakeApi, client: Client
) -> None:
    api.fail("list", 503, body=b"\x1b[31m<h1>\r\n  Bad</h1>")
    with pytest.raises(ApiError, match=r"answered 503: \[31m<h1> Bad</h1>$"):
        client.get(PLANS)


def test_lines_are_whole_whatever_chunks_they_are_sent_in(api: FakeApi, client: Client) -> None:
    long = b'{"long": "' + b"x" * 200_000 + b'"}'
    with client.stream(PLANS, watch(api), accept="", idle_timeout_seconds=10) as stream:
        for line in (b"{}", long, b"{}\n{}\n\n{}"):
            api.send_line("plans", line)
        eventually(lambda: api.watching)
        api.end_watches()
        assert list(stream) == [b"{}", long, b"{}", b"{}", b"", b"{}"]


def test_an_idle_stream_ends_without_an_error(api: FakeApi, client: Client) -> None:
    with client.stream(PLANS, watch(api), accept="", idle_timeout_seconds=0.05) as stream:
        assert list(stream) == []


def test_a_read_is_interrupted_from_another_thread(api: FakeApi, client: Client) -> None:
    assert_interrupted(client, api)


def test_a_read_is_interrupted_through_tls(tmp_path: Path) -> None:
    with run_fake_api() as api:
        ca = serve_tls(api, tmp_path)
        client = connect(api.write_kubeconfig(tmp_path, ca=ca, token="t"))
        assert_interrupted(client, api)


def test_a_certificate_of_an_unknown_ca_is_rejected(tmp_path: Path) -> None:
    with run_fake_api() as api:
        serve_tls(api, tmp_path)
        client = connect(api.write_kubeconfig(tmp_path, token="t"))
        with pytest.raises(ApiError, match="certificate verify failed: self-signed certificate"):
            client.get(PLANS)


def test_a_new_ca_is_loaded_after_a_tls_error(tmp_path: Path) -> None:
    with run_fake_api() as api:
        ca = serve_tls(api, tmp_path)
        client = connect(api.write_kubeconfig(tmp_path, token="t"))
        api.write_kubeconfig(tmp_path, ca=ca, token="t")
        with pytest.raises(ApiError):
            client.get(PLANS)
        assert b"items" in client.get(PLANS)


def watch(api: FakeApi) -> dict[str, str]:
    return {"watch": "true", "resourceVersion": str(api.version)}


def assert_interrupted(client: Client, api: FakeApi) -> None:
    ended = []

    def read() -> None:
        with client.stream(PLANS, watch(api), accept="", idle_timeout_seconds=60) as stream:
            streams.append(stream)
            try:
                ended.append(list(stream))
            except ApiError:
                ended.append([])

    streams: list[Any] = []
    thread = threading.Thread(target=read)
    thread.start()
    eventually(lambda: streams and api.watching)
    started_at = time.monotonic()
    streams[0].interrupt()
    thread.join()
    assert ended == [[]]
    assert time.monotonic() - started_at < 5


def serve_tls(api: FakeApi, folder: Path) -> Path:
    """Switch the server to TLS and return its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake")])
    now = dt.datetime.now(dt.UTC)
    localhost = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([localhost]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "fake.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    api.use_tls(pem)
    return pem


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_refuses_connections_is_reported(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://me:secret@{proxy}")
    api.url = "https://api.test.invalid"
    client = connect(api.write_kubeconfig(tmp_path, token="t"))
    with pytest.raises(ApiError, match=r"the proxy failed: connection refused$") as caught:
        client.get(PLANS)
    assert f"https://api.test.invalid through proxy {scheme}" in str(caught.value)
    assert "secret" not in str(caught.value)
