import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import builders
from webhook.kube.api import kubeconfig
from webhook.kube.api.errors import KubeconfigError
from webhook.kube.api.kubeconfig import find_client_config


def config_text(**changes: Any) -> str:
    """Return a kubeconfig with the contexts `a` and `b`."""
    whole = builders.kubeconfig("http://127.0.0.1:1")
    (context,) = whole["contexts"]
    contexts = [context | {"name": name} for name in "ab"]
    return json.dumps(whole | {"contexts": contexts, "current-context": "a"} | changes)


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        (None, "", "kubeconfig '{}': no such file"),
        ("", "", "kubeconfig '{}': invalid kube-config. {} file is empty"),
        ("hello", "", "kubeconfig '{}': expected clusters, users and contexts"),
        ("a: [", "", "kubeconfig '{}': line 1 column 5: expected YAML: "),
        (config_text(), "A", "kubeconfig '{}' has no context 'A': it has 'a', 'b'"),
        (
            config_text(contexts=[{"name": "kind-kind", "context": {"cluster": "c"}}]),
            "kind-kid",
            (
                "kubeconfig '{}' has no context 'kind-kid': it has 'kind-kind'; "
                "did you mean 'kind-kind'?"
            ),
        ),
        (
            config_text(**{"current-context": ""}),
            "",
            "kubeconfig '{}' has no current context; choose one of 'a', 'b'",
        ),
        (
            config_text(clusters=[]),
            "",
            (
                "kubeconfig '{}': invalid kube-config file. Expected object with name fake in "
                "{}/clusters list"
            ),
        ),
    ],
)
def test_an_invalid_kubeconfig_is_named_with_its_error(
    tmp_path: Path, text: str | None, context: str, message: str
) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KubeconfigError, match=re.escape(message.replace("{}", str(path)))):
        find_client_config(path, context).load()


def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(config_text())
    assert find_client_config(path, "b").origin == f"context 'b' of '{path}'"
    assert (
        find_client_config(environ={"KUBECONFIG": str(path)}).origin == f"context 'a' of '{path}'"
    )


def test_several_files_in_the_environment_are_one_configuration(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(config_text(contexts=[]))
    (tmp_path / "2").write_text(config_text(clusters=[], users=[]))
    found = find_client_config(environ={"KUBECONFIG": f"{tmp_path}/1:{tmp_path}/2"})
    assert found.load().host == "http://127.0.0.1:1"


def test_without_a_configuration_the_error_names_the_places_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(KubeconfigError) as caught:
        find_client_config(environ={})
    assert str(caught.value) == (
        f"no cluster: KUBECONFIG is not set, '{tmp_path}/.kube/config' does not exist, and this is "
        "not a pod; try --kubeconfig FILE"
    )


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the files of a pod's service account."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(kubeconfig, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(kubeconfig, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(kubeconfig, "_NAMESPACE_FILE", tmp_path / "namespace")
    for name, text in (("token", "secret\n"), ("ca.crt", "CA"), ("namespace", "convertor")):
        (tmp_path / name).write_text(text)
    return tmp_path


ENVIRON = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    found = find_client_config(environ=ENVIRON)
    assert (found.origin, found.namespace) == ("the pod's service account", "convertor")
    loaded = found.load()
    assert loaded.host == "https://[fd00::1]:443"
    assert loaded.auth_settings()["BearerToken"]["value"] == "bearer secret"


def test_a_pod_without_a_token_gets_an_error(pod: Path) -> None:
    (pod / "token").unlink()
    with pytest.raises(KubeconfigError) as caught:
        find_client_config(environ=ENVIRON).load()
    assert str(caught.value) == (
        "the pod's service account: service token file does not exist; is "
        "automountServiceAccountToken off?"
    )
