"""The chart passes helm lint and the Kubernetes schemas, and renders the same with every Helm."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.support.golden import Golden
from tests.system.chart import cases, rendering

pytestmark = pytest.mark.chart

KUBERNETES = [f"1.{minor}" for minor in range(25, 38)]
FOREIGN = {"Certificate", "Issuer", "ServiceMonitor", "PrometheusRule"}
"""Kinds for which `kubernetes-validate` has no schema."""

every_case = pytest.mark.parametrize("values", cases.ALL.values(), ids=cases.ALL)
every_helm = pytest.mark.parametrize("major", [3, 4])


@every_helm
def test_helm_lint_passes(major: int) -> None:
    output = rendering.helm("lint", "--strict", str(rendering.CHART), major=major)

    assert (
        "[INFO] Chart.yaml: icon is recommended\n\n1 chart(s) linted, 0 chart(s) failed" in output
    )


def test_the_default_rendering_is_as_expected(
    golden: Golden,
) -> None:
    golden(Path(__file__).parent / "data" / "default.yaml", rendering.text())


@every_helm
@every_case
def test_two_renderings_are_identical(values: rendering.Json, major: int) -> None:
    rendering._text.cache_clear()
    first = rendering.text(values, major=major)
    rendering._text.cache_clear()

    assert rendering.text(values, major=major) == first


@every_case
def test_helm_3_and_helm_4_render_the_same(values: rendering.Json) -> None:
    def by_name(major: int) -> dict[tuple[str, str], rendering.Json]:
        # The order of unknown kinds differs.
        found = rendering.objects(values, major=major)
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    assert by_name(3) == by_name(4)


@pytest.mark.parametrize("release", KUBERNETES)
def test_every_kubernetes_release_accepts_every_object(release: str) -> None:
    seen = set()
    for values in cases.ALL.values():
        supported = cases.supported(values, release)
        for each in rendering.objects(supported, kubernetes=release):
            identity = yaml.safe_dump(each)
            if each["kind"] in FOREIGN or identity in seen:
                continue
            seen.add(identity)
            kubernetes_validate.validate(each, release, strict=True)
