"""Upgrade, rollback and uninstallation with Helm."""

import base64
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from certs.ca import pki
from tests.system.chart.rendering import CHART
from tests.system.controlplane.api import Json, at, unwrap
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.installed import Installed
from tests.system.controlplane.process import until
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


@pytest.fixture(scope="session")
def unlimited(tmp_path_factory: pytest.TempPathFactory, previous: Path) -> Path:
    """Return the chart to upgrade from, without the policy on the server's ServiceAccount."""
    chart = tmp_path_factory.mktemp("unlimited") / CHART.name
    shutil.copytree(previous, chart)
    (chart / "templates" / "tokenpolicy.yaml").unlink()
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


@pytest.mark.parametrize(("chart", "major"), [("previous", 3), ("unlimited", 4)])
def test_upgrade_rollback_and_uninstall_lose_no_pod(  # noqa: PLR0917 - fixtures
    chart: str,
    major: int,
    plane: ControlPlane,
    pods: list[Json],
    creators: Creators,
    numbers: list[Row],
    request: pytest.FixtureRequest,
) -> None:
    name = f"upgraded-{chart}"
    add_namespace(plane.admin, name)
    before = everything(plane.admin)
    release = Installed(plane, "convertor-webhook", name, values(name))
    release.install(request.getfixturevalue(chart), major=major)
    assert has_policy(release) is (chart == "previous")
    replicas = Replicas(release)
    try:
        replicas.start()
        with opted_in(plane.admin, pods[0], name):
            with creators:
                creators.more(100)
                release.upgrade()
                assert has_policy(release)
                make_it_publish(release)
                replaced = replicas.roll()
                release.rollback()
                make_it_publish(release)
                replaced += replicas.roll()
                creators.more(100)
            with Creators(plane.admin, pods) as later:
                release.uninstall()
                replicas.stop()
                later.more(100)
    finally:
        replicas.stop()

    tally = creators.tally
    note = f"{replaced} replicas replaced"
    what = "helm upgrade and rollback" if chart == "previous" else "the same, with a new policy"
    numbers.append(Row(what, tally, note))
    assert tally.is_smooth, str(tally)
    assert (later.tally.lost, later.tally.rejected) == (0, 0), str(later.tally)
    assert everything(plane.admin) == before


def has_policy(release: Installed) -> bool:
    """Return whether the release limits its ServiceAccount."""
    return any(each["kind"] == "ValidatingAdmissionPolicy" for each in release.objects)


def make_it_publish(release: Installed) -> None:
    """Add an expired CA to a caBundle, and wait until the server has removed it."""
    api, day = release.plane.admin, timedelta(days=1)
    expired = pki.make_ca(datetime.now(UTC) - 2 * day, day, backdate=day).certificate.pem
    body = api.get("MutatingWebhookConfiguration", release.configuration)
    client = body["webhooks"][0]["clientConfig"]
    before = client["caBundle"]
    client["caBundle"] = base64.b64encode(base64.b64decode(before) + expired).decode()
    unwrap(api.send("PUT", at(body), body))

    def published() -> bool:
        found = api.get("MutatingWebhookConfiguration", release.configuration)
        return bool(found["webhooks"][0]["clientConfig"]["caBundle"] == before)

    until("the server to publish its CA", published)
