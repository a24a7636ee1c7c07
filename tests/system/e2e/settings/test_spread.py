"""The API server accepts placed pods with SPREAD, also with other rules on the same topology."""

import pytest

from tests.system.controlplane.api import Json
from tests.system.e2e.migration.cluster import WITHOUT, Cluster
from tests.system.e2e.pod_results import send
from tests.system.e2e.row_cluster import pod
from webhook import karl
from webhook.model import Installation, MigrationPod, Plan, Role, Settings
from webhook.placement import place

HARD, SOFT = "SPREAD pods(app=virt-v2v) on zone hard", "SPREAD pods(app=virt-v2v) on zone"
OTHERS = ["", f"{HARD.replace(' hard', '')} skew=3 hard", f"{SOFT} skew=3"]


def compile_spread(rules: str) -> list[Json]:
    found: list[Json] = karl.compile_all(rules)["topologySpreadConstraints"] if rules else []
    return found


@pytest.mark.parametrize("role", [Role.CONVERTOR, Role.IMPORTER])
@pytest.mark.parametrize("of_pod", OTHERS, ids=["", "hard of the pod", "soft of the pod"])
@pytest.mark.parametrize("enforced", OTHERS, ids=["", "hard enforced", "soft enforced"])
def test_a_pod_with_rules_of_several_sources_is_admitted(
    cluster: Cluster, role: Role, of_pod: str, enforced: str
) -> None:
    spread = compile_spread(
        f"{HARD}; {SOFT}; SPREAD pods(has app) on example.com/row skew=999999999"
    )
    plan = Plan("mtv", "db", settings=Settings(spread=spread, pods=tuple(Role)))
    installation = Installation(enforced=Settings(spread=compile_spread(enforced)))
    body = pod(WITHOUT, {}, topologySpreadConstraints=compile_spread(of_pod))
    placed = place(body, plan, installation, migration_pod=MigrationPod(role)).pod

    result = send(cluster.api, placed, dryRun="All")

    assert not result.rejection
    kept = result.pod["spec"]["topologySpreadConstraints"]
    assert kept == placed["spec"]["topologySpreadConstraints"]
    assert {each["nodeTaintsPolicy"] for each in kept} == {"Honor"}
