import json
from pathlib import Path

import pytest

from tests.support import builders
from tests.support.certificates import write_certificate
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import credentials, find
from webhook.kube.api.kubeconfig.find import find_client_config

ENVIRON = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def write_config(path: Path, server: str = "http://127.0.0.1:1", *, namespace: str = "") -> Path:
    path.write_text(json.dumps(builders.kubeconfig(server, namespace=namespace)))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def pod(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the files of a pod's service account."""
    monkeypatch.setattr(find, "SERVICE_ACCOUNT", home)
    write_certificate(home)
    (home / "token").write_text("secret\n")
    (home / "namespace").write_text("convertor")
    return home


def test_a_given_file_comes_before_the_environment_and_the_default_file(home: Path) -> None:
    (home / ".kube").mkdir()
    default = write_config(home / ".kube/config", "http://default")
    of_environ = write_config(home / "environ", "http://environ")
    given = write_config(home / "given", "http://given")
    environ = {"HOME": str(home), "KUBECONFIG": str(of_environ)}
    assert find_client_config(given, environ=environ).load().url == "http://given"
    assert find_client_config(environ=environ).load().url == "http://environ"
    found = find_client_config(environ=environ | {"KUBECONFIG": ""})
    assert (found.load().url, found.origin) == ("http://default", f"context 'fake' of '{default}'")


def test_without_home_the_default_file_is_relative(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / ".kube").mkdir()
    write_config(home / ".kube/config")
    assert find_client_config(environ={}).origin == "context 'fake' of '.kube/config'"


def test_a_file_of_kubeconfig_that_cannot_be_reached_is_not_left_out(home: Path) -> None:
    config = write_config(home / "config")
    environ = {"KUBECONFIG": f"{config}/folder:{config}"}
    with pytest.raises(KubeconfigError, match="config/folder': not a directory"):
        find_client_config(environ=environ)


def test_a_file_is_read_once_and_again_for_new_credentials(home: Path) -> None:
    path = write_config(home / "config")
    found = find_client_config(path)
    path.unlink()
    assert found.load().url == "http://127.0.0.1:1"
    write_config(path, "http://127.0.0.1:2")
    assert found.load().url == "http://127.0.0.1:2"


def test_the_context_stays_when_the_current_one_changes(home: Path) -> None:
    path = write_config(home / "config")
    found = find_client_config(path)
    found.load()
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | {"current-context": "other"}))
    assert found.load().url == "http://127.0.0.1:1"


def test_a_given_file_that_is_missing_is_an_error_in_a_pod_too(pod: Path) -> None:
    with pytest.raises(KubeconfigError, match="no such file"):
        find_client_config(pod / "none", environ=ENVIRON)


def test_a_folder_is_no_kubeconfig(home: Path) -> None:
    with pytest.raises(KubeconfigError, match=f"kubeconfig '{home}': is a directory"):
        find_client_config(home)


def test_without_a_configuration_the_error_names_the_places_searched(home: Path) -> None:
    with pytest.raises(KubeconfigError) as caught:
        find_client_config(environ={"HOME": str(home)})
    assert str(caught.value) == (
        f"no cluster: KUBECONFIG is not set, '{home}/.kube/config' does not exist, and this is "
        "not a pod; try --kubeconfig FILE"
    )


@pytest.mark.parametrize(
    "text",
    [
        "users: [{name: u, user: {password: *hunter2}}]",
        "users: [{name: u, user: {password: !hunter2 x}}]",
        "users: [{name: u, user: {password: 0x_hunter2}}, {hunter2: ]",
        "users: [{name: u, user: {password: [hunter2]}}]",
        "users: [{name: u, user: {token: {hunter2: 1}}}]",
        "users: [{name: u, user: {client-key-data: hunter2!}}]",
        "users: [{name: u, user: {exec: {env: {hunter2: x}}}}]",
        "users: [{name: u, user: {1: hunter2}}]",
        "users: [{name: u, user: hunter2}]",
        "users: [hunter2]",
        "hunter2",
        "users: [{name: u, user: {tokenFile: /hunter2}}]",
        "users: [{name: u, user: {client-key: hunter2, client-certificate: hunter2}}]",
        'users: [{name: u, user: {token: "hunter2\\n"}}]',
        "users: [{name: u, user: {client-certificate-data: aHVudGVyMg==, client-key-data: eA==}}]",
        "users: [{name: u, user: {exec: {command: x, apiVersion: hunter2}}}]",
        "users: [{name: u, user: {auth-provider: {name: hunter2}}}]",
        "clusters: [{name: fake, cluster: {server: 'ftp://u:hunter2@x'}}]",
        "clusters: [{name: fake, cluster: {server: 'http://x', proxy-url: 'hunter2'}}]",
        "clusters: [{name: fake, cluster: {server: 'https://x', certificate-authority: hunter2}}]",
    ],
)
def test_no_message_shows_what_an_entry_holds(home: Path, text: str) -> None:
    rest = {
        "users": "users: []",
        "clusters": "clusters: [{name: fake, cluster: {server: 'https://x'}}]",
        "contexts": "contexts: [{name: fake, context: {cluster: fake, user: u}}]",
        "current-context": "current-context: fake",
    }
    rest.pop(text.partition(":")[0], None)
    path = home / "config"
    path.write_text("\n".join([text, *rest.values()]))
    with pytest.raises(KubeconfigError) as caught:
        find_client_config(path, environ={}).load()
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith(f"kubeconfig '{path}': ")


def test_a_file_that_is_nested_too_deeply_is_an_error(home: Path) -> None:
    path = home / "config"
    path.write_text("[" * 900 + "]" * 900)
    with pytest.raises(KubeconfigError, match="nested too deeply"):
        find_client_config(path)


def test_an_entry_without_a_name_is_named_by_its_position(home: Path) -> None:
    path = home / "config"
    path.write_text("users: [{name: [], user: {}}]")
    with pytest.raises(KubeconfigError, match=r"users\[0\]: 'name': expected text, found a list"):
        find_client_config(path)


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    found = find_client_config(environ=ENVIRON)
    assert (found.origin, found.namespace) == ("the pod's service account", "convertor")
    loaded = found.load()
    assert loaded.url == "https://[fd00::1]:443"
    assert loaded.credentials.authorization() == "Bearer secret"
    assert loaded.tls is not None
    assert loaded.tls.get_ca_certs()


def test_a_pod_uses_a_proxy_of_its_environment(pod: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    environ |= {"HTTPS_PROXY": "proxy:3128"}
    assert find_client_config(environ=environ).load().proxy == "http://proxy:3128"
    environ |= {"NO_PROXY": "10.0.0.0/16"}
    assert find_client_config(environ=environ).load().proxy == ""


@pytest.mark.parametrize("kubeconfig", ["", "current-context: ''", "contexts: [{name: a}]"])
def test_a_pod_uses_its_service_account_without_a_current_context(
    pod: Path, kubeconfig: str
) -> None:
    (pod / "config").write_text(kubeconfig)
    environ = ENVIRON | {"KUBECONFIG": str(pod / "config")}
    assert find_client_config(environ=environ).origin == "the pod's service account"
    with pytest.raises(KubeconfigError, match="has no c"):
        find_client_config(pod / "config", environ=environ)


def test_the_default_namespace_is_the_contexts_or_the_pods(pod: Path) -> None:
    def namespace(environ: dict[str, str], of_context: str = "") -> str:
        path = write_config(pod / "config", namespace=of_context)
        return find_client_config(path, environ=environ).namespace

    assert namespace({}) == "default"
    assert namespace({}, "mine") == namespace(ENVIRON, "mine") == "mine"
    assert namespace(ENVIRON) == "convertor"
    assert namespace(ENVIRON | {"POD_NAMESPACE": "given"}) == "given"
    (pod / "namespace").unlink()
    assert namespace(ENVIRON) == "default"


def test_a_pod_without_a_token_gets_an_error(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(KubeconfigError) as caught:
        find_client_config(environ=ENVIRON).load()
    assert str(caught.value) == (
        "the pod's service account: the file of 'tokenFile': no such file or directory; is "
        "automountServiceAccountToken off?"
    )


def test_a_token_file_is_read_again_after_a_minute(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    source = credentials.token_file_source(pod / "token")
    assert source() == "Bearer secret"
    (pod / "token").write_text("new")
    assert source() == "Bearer secret"
    now += credentials.TOKEN_FILE_LIFETIME_SECONDS
    assert source() == "Bearer new"
    (pod / "token").unlink()
    now += credentials.TOKEN_FILE_LIFETIME_SECONDS
    assert source() == "Bearer new"
