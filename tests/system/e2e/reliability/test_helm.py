"""Upgrade, rollback and uninstallation with Helm."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.system.chart.rendering import CHART
from tests.system.controlplane.api import Json
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.replicas import Replicas
from tests.system.e2e.preparation import add_namespace
from tests.system.e2e.reliability.creators import Creators
from tests.system.e2e.reliability.everything import everything, identity
from tests.system.e2e.reliability.numbers import Row
from tests.system.e2e.reliability.running import opted_in, values

REMOVED_OBJECT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "convertor-webhook.metadata" (list . "removed" true) | nindent 2 }}
"""

NOT_RENDERED = (" IPAddress ", "/sh.helm.release.")
"""Objects that the API server creates for a Service, and Helm for a release."""


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a chart to upgrade from.

    No earlier version has been released, so it is this chart with another version, one more object,
    and without two of its objects.
    """
    chart = tmp_path_factory.mktemp("previous") / CHART.name
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    about |= {"version": "0.0.9", "appVersion": "0.0.9"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    templates = chart / "templates"
    (templates / "removed.yaml").write_text(REMOVED_OBJECT, encoding="utf-8")
    (templates / "validatingwebhookconfiguration.yaml").unlink()
    (templates / "poddisruptionbudget.yaml").unlink()
    return chart


@pytest.mark.parametrize(("first", "then"), [(3, 3), (3, 4), (4, 4)])
def test_upgrade_rollback_and_uninstall_leave_exactly_the_rendered_objects(
    first: int, then: int, plane: ControlPlane, previous: Path
) -> None:
    name = f"helm-{first}-{then}"
    add_namespace(plane.admin, name)
    before = everything(plane.admin)

    def added() -> set[str]:
        return {
            each
            for each in everything(plane.admin).keys() - before.keys()
            if not any(word in each for word in NOT_RENDERED)
        }

    release = Installed(plane, "convertor-webhook", name, values(name))
    release.install(previous, major=first)
    old = set(map(identity, release.objects))
    assert added() == old
    release.upgrade(major=then)
    new = set(map(identity, release.objects))
    assert added() == new
    assert old - new
    assert new - old
    release.rollback(major=then)
    assert added() == old
    release.uninstall(major=then)

    assert everything(plane.admin) == before


@pytest.mark.parametrize("major", [3, 4])
def test_a_watched_namespace_that_does_not_exist_is_an_error_before_pods_are_reviewed(
    major: int, plane: ControlPlane
) -> None:
    name = f"not-there-{major}"
    add_namespace(plane.admin, name)
    before = everything(plane.admin)
    watched = {"watchPodsNamespaces": ["not-there"]}
    release = Installed(plane, "convertor-webhook", name, values(name) | watched)

    with pytest.raises(AssertionError, match='namespaces "not-there" not found'):
        release.install(major=major)

    kinds = {each.split()[0] for each in everything(plane.admin).keys() - before.keys()}
    assert not kinds & {"Deployment", "MutatingWebhookConfiguration"}
    release.uninstall(major=major)
    assert everything(plane.admin) == before


def test_upgrade_rollback_and_uninstall_lose_no_pod(
    plane: ControlPlane, pods: list[Json], previous: Path, creators: Creators, numbers: list[Row]
) -> None:
    name = "upgraded"
    add_namespace(plane.admin, name)
    before = everything(plane.admin)
    release = Installed(plane, "convertor-webhook", name, values(name))
    release.install(previous, major=3)
    replicas = Replicas(release)
    try:
        replicas.start()
        with opted_in(plane.admin, pods[0], name):
            with creators:
                creators.more(100)
                release.upgrade()
                replaced = replicas.roll()
                release.rollback()
                replaced += replicas.roll()
                creators.more(100)
            with Creators(plane.admin, pods) as later:
                release.uninstall()
                replicas.stop()
                later.more(100)
    finally:
        replicas.stop()

    tally = creators.tally
    numbers.append(Row("helm upgrade and rollback", tally, f"{replaced} replicas replaced"))
    assert tally.is_smooth, str(tally)
    assert (later.tally.lost, later.tally.rejected) == (0, 0), str(later.tally)
    assert everything(plane.admin) == before
