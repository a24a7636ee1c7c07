"""Commands read the settings of an installed release from its ConfigMap, and report why not."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import plan
from tests.support.commands import Run
from tests.support.fake_api import FakeApi
from tests.support.releases import CONFIG_MAP, CONFIGURATION, release
from webhook.kube.objects import Json

UNKNOWN = f"the settings of '{CONFIGURATION}' are not known"


def audited(run: Run, *words: str, **options: Any) -> Json:
    result = run("audit", "-o", "json", *words, **options)
    assert (result.exit_code, result.stderr) == (0, "")
    found: Json = json.loads(result.stdout)
    return found


def modes(found: Json) -> list[str]:
    return [each["mode"] for each in found["plans"]]


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({}, "enforce"),
        ({"text": "# nothing\n"}, "enforce"),
        ({"mode": "audit"}, "audit"),
        ({"mode": False}, "off"),
        ({"namespaceModes": {"vms": "off"}}, "off"),
    ],
)
def test_the_settings_are_those_of_the_config_map(
    run: Run, cluster: FakeApi, config: Json, mode: str
) -> None:
    cluster.add(plan(), *release(**config))
    found = audited(run)
    assert (modes(found), found["unread"]) == ([mode], [])


@pytest.mark.parametrize("config", [None, {}, {"defaults": {"pods": "all"}}])
@pytest.mark.parametrize(("minor", "invalid"), [("25", True), ("26", False), ("", False)])
def test_the_version_is_that_of_the_cluster_with_and_without_a_release(
    run: Run, cluster: FakeApi, config: Json | None, minor: str, *, invalid: bool
) -> None:
    cluster.server_version = {"major": "1", "minor": minor}
    cluster.add(plan(affinity="SPREAD pods(app=virt-v2v) on node hard"))
    if config is not None:
        cluster.add(*release(**config))
    result = run("audit", "-o", "json")

    (found,) = json.loads(result.stdout)["plans"]
    assert ["a hard SPREAD is not applied on Kubernetes 1.25" in str(found)] == [invalid]


def test_a_plans_own_mode_counts_unless_the_release_forbids_it(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(mode="off"))
    for allowed, mode in ((True, "off"), (False, "enforce")):
        cluster.add(*release(planModes=allowed))
        assert modes(audited(run)) == [mode]


def test_flags_and_variables_override_single_settings_of_the_release(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release(mode="off", defaults={"labels": {"team": "a"}}))
    found = audited(run, env={"CONVERTOR_WEBHOOK_MODE": "audit"})
    assert modes(found) == ["audit"]
    assert found["plans"][0]["asks"] == "labels team=a"
    assert found["installed"][0]["mode"] == "off"


def test_a_file_replaces_all_settings_of_the_release(
    run: Run, cluster: FakeApi, tmp_path: Path
) -> None:
    cluster.add(plan(), *release(mode="off", defaults={"labels": {"team": "a"}}))
    path = tmp_path / "config.yaml"
    path.write_text("namespaceModes: {other: off}\n", encoding="utf-8")
    found = audited(run, "--config", str(path))
    assert (modes(found), found["plans"][0]["asks"]) == (["enforce"], "")
    assert found["installed"][0]["mode"] == "off"


def test_a_file_is_enough_where_several_releases_are_installed(
    run: Run, cluster: FakeApi, tmp_path: Path
) -> None:
    cluster.add(plan(), *release(mode="off"), *release(called="other"))
    path = tmp_path / "config.yaml"
    path.write_text("mode: audit\n", encoding="utf-8")
    found = audited(run, "--config", str(path))
    assert (modes(found), found["unread"]) == (["audit"], [])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"text": "mode: later\n"}, "mode: expected mode enforce, audit or off, found 'later'"),
        ({"text": "- a\n"}, "expected a map, found a list"),
        ({"text": "a: 1\n---\nb: 1\n"}, "line 3: expected one document, found another"),
        (
            {"text": "a: {b: c\nd: {e: f}\n"},
            (
                "line 2 column 2: expected YAML: did not find expected ',' or '}' while parsing a "
                "flow mapping"
            ),
        ),
        (
            {"scope": "mine", "defaults": {"labels": {"team": 1}}},
            (
                "scope: expected scope all or own, found 'mine'; "
                f"ConfigMap {CONFIG_MAP} config.yaml defaults.labels['team']: expected text, "
                "found 1: put it in quotes"
            ),
        ),
    ],
)
def test_invalid_settings_are_reported_and_none_of_them_is_used(
    run: Run, cluster: FakeApi, config: Json, said: str
) -> None:
    cluster.add(plan(), *release(**config))
    found = audited(run)
    (unread,) = found["unread"]
    place, message = f"ConfigMap {CONFIG_MAP} config.yaml", f"{said}; {UNKNOWN}"
    assert unread in {f"{place} {message}", f"{place}: {message}"}
    assert "mode" not in found["installed"][0]
    assert modes(found) == ["enforce"]


def test_a_config_map_without_a_file_is_reported(run: Run, cluster: FakeApi) -> None:
    configuration, config_map = release()
    for data in ({"data": {"defaults.yaml": ""}}, {}):
        config_map.pop("data", None)
        cluster.add(plan(), configuration, config_map | data)
        assert audited(run)["unread"] == [f"ConfigMap {CONFIG_MAP} has no config.yaml; {UNKNOWN}"]


def test_a_release_without_a_config_map_is_reported(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), release()[0])
    assert audited(run)["unread"] == [
        (
            "namespace 'convertor-webhook' has no ConfigMap 'convertor-webhook-config' with a "
            f"config.yaml; {UNKNOWN}"
        )
    ]


def test_without_the_right_to_read_the_config_map_the_right_is_reported(
    run: Run, cluster: FakeApi
) -> None:
    cluster.add(plan(), *release(mode="audit"))
    cluster.forbid("get", "configmaps")
    found = audited(run)
    assert modes(found) == ["enforce"]
    assert found["unread"] == [
        (
            "'jane' may not get configmaps in namespace 'convertor-webhook': it needs a Role or "
            'ClusterRole with apiGroups: [""], resources: ["configmaps"], verbs: ["get"]; '
            f"{UNKNOWN}"
        )
    ]


def test_a_failing_api_server_ends_the_command(run: Run, cluster: FakeApi) -> None:
    cluster.add(plan(), *release())
    cluster.fail("get", 500, "configmaps", message="etcd is away")
    assert run("audit").exit_code == 3
