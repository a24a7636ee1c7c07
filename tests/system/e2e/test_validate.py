"""Plans are validated when they are written, and invalid plans can still be edited."""

import shlex
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json, StatusError, path, unwrap, warnings
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.pod_results import created
from tests.system.e2e.preparation import PLACED
from tests.system.guide.rows import GUIDE, PLAN_NAMESPACE, PREFIX, ROWS, Form

NAME = "beside-ceph"
AFFINITY = f"{PREFIX}/affinity"
RULE = "REQUIRE pods(app=ceph-osd) on node"
INVALID_RULE = f"{RULE}s"
PROBLEM = (
    f"Plan {PLAN_NAMESPACE}/{NAME} annotation {AFFINITY} line 1 column 31: unknown topology "
    "'nodes': expected node, zone, region, rack or a label key; did you mean 'node'?"
)
CARET = f"  {INVALID_RULE}\n                                ^^^^^\n"
DENIED = (
    'admission webhook "plans.convertor.forklift.konveyor.io" denied the request: '
    f"plan '{PLAN_NAMESPACE}/{NAME}' has invalid placement settings:\n{PROBLEM}\n{CARET}"
)


def plan_with(**annotations: str) -> Json:
    body = ROWS["labels"].plan(Form.ANNOTATIONS, PLACED)
    metadata: Json = {"name": NAME, "namespace": PLAN_NAMESPACE}
    return body | {"metadata": metadata | annotate(**annotations)["metadata"]}


@pytest.fixture(scope="module", autouse=True)
def _validating(api: Api, release: Release) -> Iterator[None]:
    """Configure the API server to call the release for Plans."""
    body = release.one("ValidatingWebhookConfiguration")
    api.ensure(release._reachable(body))

    def denied() -> bool:
        plan = plan_with(mode="x")
        return api.send("POST", path("Plan", PLAN_NAMESPACE), plan, dryRun="All").is_error

    try:
        release.wait("the API server to validate Plans", denied)
        yield
    finally:
        api.delete(body["kind"], body["metadata"]["name"])


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane)


@pytest.fixture
def valid(api: Api) -> Iterator[Json]:
    with created(api, plan_with(affinity=RULE)) as plan:
        yield plan


@pytest.fixture
def invalid(api: Api) -> Iterator[Json]:
    """Create a plan with an invalid rule, as if before the webhook was installed."""
    with created(api, plan_with(affinity=INVALID_RULE, mode="off")) as plan:
        api.patch("Plan", NAME, annotate(mode=None), PLAN_NAMESPACE)
        yield plan


def annotate(**annotations: str | None) -> Json:
    prefixed = {f"{PREFIX}/{name}": text for name, text in annotations.items()}
    return {"metadata": {"annotations": prefixed}}


def patched(api: Api, body: Json, subresource: str = "") -> list[str]:
    """Patch the plan, and return the warnings."""
    plan = path("Plan", PLAN_NAMESPACE, NAME) + subresource
    response = api.send("PATCH", plan, body)
    unwrap(response)
    return warnings(response)


def test_kubectl_annotate_prints_the_denial_of_an_invalid_rule_with_its_caret(
    kubectl: Kubectl, api: Api, valid: Json
) -> None:
    command = (
        "annotate",
        "plan",
        NAME,
        "-n",
        PLAN_NAMESPACE,
        f"{AFFINITY}={INVALID_RULE}",
        "--overwrite",
    )
    result = kubectl(*command)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error from server (SettingsInvalid): {DENIED}"
    kept = api.get("Plan", NAME, PLAN_NAMESPACE)["metadata"]
    assert kept["resourceVersion"] == valid["metadata"]["resourceVersion"]


def test_a_valid_rule_is_accepted_without_a_warning(kubectl: Kubectl, valid: Json) -> None:
    command = ("annotate", "plan", NAME, "-n", PLAN_NAMESPACE, f"{AFFINITY}={RULE}", "--overwrite")
    assert kubectl.done(*command) == f"plan.forklift.konveyor.io/{NAME} annotated\n"


def test_a_plan_with_an_invalid_rule_is_not_created(api: Api) -> None:
    with pytest.raises(StatusError) as denied:
        api.create(plan_with(affinity=INVALID_RULE))
    assert (denied.value.code, denied.value.reason) == (403, "SettingsInvalid")
    assert str(denied.value) == DENIED.rstrip("\n")


def test_fields_of_the_spec_are_validated(api: Api, valid: Json) -> None:
    spec = {"convertorLabels": {"plan": "mine"}}
    with pytest.raises(StatusError, match="'plan' is a system label"):
        patched(api, {"spec": spec})


@pytest.mark.parametrize(
    ("row", "form"), [(row.id, form) for row in GUIDE for form in [*row.forms]]
)
def test_only_the_command_of_the_guide_with_a_system_label_is_denied(
    api: Api, row: str, form: Form
) -> None:
    plan = ROWS[row].plan(form, PLACED)
    response = api.send("POST", path("Plan", PLAN_NAMESPACE), plan, dryRun="All")
    if row == "enterprise-migration":
        assert response.status_code == 403
        assert (
            "'migration' is a system label, by which Forklift finds its pods"
            in (response.json()["message"])
        )
    else:
        assert (response.status_code, warnings(response)) == (201, [])


@pytest.mark.parametrize("before", ["owner=me", "batch=1,owner=me"])
def test_an_annotation_that_contradicts_the_spec_is_denied_with_the_command_that_resolves_it(
    kubectl: Kubectl, api: Api, valid: Json, before: str
) -> None:
    patched(api, {"spec": {"convertorLabels": {"batch": "1", "team": "a"}}})
    patched(api, annotate(labels=before))
    plan = ("plan", NAME, "-n", PLAN_NAMESPACE)
    result = kubectl("annotate", *plan, f"{PREFIX}/labels=batch=2,owner=me", "--overwrite")
    assert result.returncode == 1
    assert "expected 'batch=1' as in spec.convertorLabels" in result.stderr
    hint, _, command = result.stderr.rpartition(": ")
    assert hint.endswith("; remove the entry, or change the field")
    kubectl.done("annotate", *plan, f"{PREFIX}/labels=owner=me", "--overwrite")
    program, *words = shlex.split(command)
    assert program == "kubectl"
    kubectl.done(*words)
    labels = api.get("Plan", NAME, PLAN_NAMESPACE)["spec"]["convertorLabels"]
    assert labels == {"batch": "2", "team": "a"}


def test_a_field_that_contradicts_an_annotation_is_denied(api: Api, valid: Json) -> None:
    patched(api, annotate(labels="batch=2"))
    with pytest.raises(StatusError, match=r"expected .batch=1. as in spec\.convertorLabels"):
        patched(api, {"spec": {"convertorLabels": {"batch": "1"}}})


def test_a_problem_that_existed_before_is_only_a_warning(api: Api, invalid: Json) -> None:
    found = patched(api, annotate(labels="batch=1"))
    assert " ".join(found) == PROBLEM
    with pytest.raises(StatusError, match="expected key=value, found 'batch'"):
        patched(api, annotate(labels="batch"))


def test_a_problem_that_existed_before_can_be_repaired(api: Api, invalid: Json) -> None:
    assert patched(api, annotate(affinity=RULE)) == []


def test_the_status_of_an_invalid_plan_can_be_written_without_a_warning(
    api: Api, invalid: Json
) -> None:
    conditions = [{"type": "Ready", "status": "True", "category": "Required", "message": "ok"}]
    now = "2026-01-01T00:00:00Z"
    status = {"conditions": [condition | {"lastTransitionTime": now} for condition in conditions]}
    assert patched(api, {"status": status}, "/status") == []


def test_an_invalid_plan_with_a_finalizer_can_be_deleted(api: Api, invalid: Json) -> None:
    patched(api, {"metadata": {"finalizers": ["forklift/x"]}})
    unwrap(api.send("DELETE", path("Plan", PLAN_NAMESPACE, NAME)))
    assert patched(api, {"metadata": {"finalizers": None}}) == []
    with pytest.raises(StatusError, match="not found"):
        api.get("Plan", NAME, PLAN_NAMESPACE)


def test_an_invalid_plan_in_audit_mode_is_written_with_a_warning(api: Api, valid: Json) -> None:
    found = patched(api, annotate(affinity=INVALID_RULE, mode="audit"))
    assert " ".join(found) == f"mode audit, the plan is not denied: {PROBLEM}"


def test_kubectl_convertor_can_do_a_server_side_dry_run(kubectl: Kubectl, valid: Json) -> None:
    command = ("patch", "plan", NAME, "-n", PLAN_NAMESPACE, "--convertor-labels", "batch=1")
    done = kubectl.done("convertor", *command, "--dry-run=server")
    assert done == f"plan.forklift.konveyor.io/{NAME} patched (server dry run)\n"
