"""Plans are checked by the API server when they are written, and nobody is locked out."""

import shlex
from collections.abc import Iterator

import pytest

from tests.system.controlplane.api import Api, Json, Refused, answered, path, warnings
from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.release import Release
from tests.system.e2e.arrival import created
from tests.system.e2e.kubectl import Kubectl
from tests.system.e2e.setting import PLACED
from tests.system.guide.rows import GUIDE, PLAN_NAMESPACE, PREFIX, ROWS, Form

NAME = "beside-ceph"
AFFINITY = f"{PREFIX}/affinity"
RULE = "REQUIRE pods(app=ceph-osd) on node"
WRONG = f"{RULE}s"
PROBLEM = (
    f"Plan {PLAN_NAMESPACE}/{NAME} annotation {AFFINITY} line 1 column 31: unknown topology "
    "'nodes': expected node, zone, region, rack or a label key; did you mean 'node'?"
)
CARET = f"  {WRONG}\n                                ^^^^^\n"
DENIED = (
    'admission webhook "plans.convertor.forklift.konveyor.io" denied the request: '
    f"plan '{PLAN_NAMESPACE}/{NAME}' has invalid placement settings:\n{PROBLEM}\n{CARET}"
)


def plan_that(**annotations: str) -> Json:
    body = ROWS["labels"].plan(Form.ANNOTATIONS, PLACED)
    asked = {f"{PREFIX}/{name}": text for name, text in annotations.items()}
    return body | {"metadata": {"name": NAME, "namespace": PLAN_NAMESPACE, "annotations": asked}}


@pytest.fixture(scope="module", autouse=True)
def checked(api: Api, release: Release) -> Iterator[None]:
    """Have the API server ask the release about Plans."""
    body = release.one("ValidatingWebhookConfiguration")
    api.ensure(release._reachable(body))

    def refused() -> bool:
        answer = api.send("POST", path("Plan", PLAN_NAMESPACE), plan_that(mode="x"), dryRun="All")
        return bool(answer.is_error)

    try:
        release.wait("the API server to have Plans checked", refused)
        yield
    finally:
        api.delete(body["kind"], body["metadata"]["name"])


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Kubectl:
    return Kubectl(plane)


@pytest.fixture
def fine(api: Api) -> Iterator[Json]:
    with created(api, plan_that(affinity=RULE)) as plan:
        yield plan


@pytest.fixture
def wrong(api: Api) -> Iterator[Json]:
    """Have a plan with a wrong rule, from a time when nobody looked."""
    with created(api, plan_that(affinity=WRONG, mode="off")) as plan:
        api.patch("Plan", NAME, annotate(mode=None), PLAN_NAMESPACE)
        yield plan


def annotate(**annotations: str | None) -> Json:
    asked = {f"{PREFIX}/{name}": text for name, text in annotations.items()}
    return {"metadata": {"annotations": asked}}


def patched(api: Api, body: Json, subresource: str = "") -> list[str]:
    """Change the plan, and return the warnings."""
    where = path("Plan", PLAN_NAMESPACE, NAME) + subresource
    answer = api.send("PATCH", where, body)
    answered(answer)
    return warnings(answer)


def test_a_wrong_rule_is_refused_by_kubectl_annotate_with_its_caret(
    kubectl: Kubectl, api: Api, fine: Json
) -> None:
    typed = ("annotate", "plan", NAME, "-n", PLAN_NAMESPACE, f"{AFFINITY}={WRONG}", "--overwrite")
    result = kubectl(*typed)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Error from server (SettingsInvalid): {DENIED}"
    kept = api.get("Plan", NAME, PLAN_NAMESPACE)["metadata"]
    assert kept["resourceVersion"] == fine["metadata"]["resourceVersion"]


def test_a_rule_that_can_be_carried_out_is_taken_without_a_word(
    kubectl: Kubectl, fine: Json
) -> None:
    typed = ("annotate", "plan", NAME, "-n", PLAN_NAMESPACE, f"{AFFINITY}={RULE}", "--overwrite")
    assert kubectl.done(*typed) == f"plan.forklift.konveyor.io/{NAME} annotated\n"


def test_a_plan_is_refused_when_it_is_made(api: Api) -> None:
    with pytest.raises(Refused) as refused:
        api.create(plan_that(affinity=WRONG))
    assert (refused.value.code, refused.value.reason) == (403, "SettingsInvalid")
    assert str(refused.value) == DENIED.rstrip("\n")


def test_an_object_in_the_spec_is_checked_too(api: Api, fine: Json) -> None:
    spec = {"convertorLabels": {"plan": "mine"}}
    with pytest.raises(Refused, match="'plan' is a system label"):
        patched(api, {"spec": spec})


@pytest.mark.parametrize(
    ("row", "form"), [(row.id, form) for row in GUIDE for form in [*row.forms]]
)
def test_of_the_guide_the_command_with_a_system_label_is_refused(
    api: Api, row: str, form: Form
) -> None:
    answer = api.send(
        "POST", path("Plan", PLAN_NAMESPACE), ROWS[row].plan(form, PLACED), dryRun="All"
    )
    if row == "enterprise-migration":
        assert answer.status_code == 403
        assert (
            "'migration' is a system label, by which Forklift finds its pods"
            in (answer.json()["message"])
        )
    else:
        assert (answer.status_code, warnings(answer)) == (201, [])


@pytest.mark.parametrize("before", ["owner=me", "batch=1,owner=me"])
def test_a_contradiction_of_the_spec_is_refused_and_the_error_says_what_resolves_it(
    kubectl: Kubectl, api: Api, fine: Json, before: str
) -> None:
    patched(api, {"spec": {"convertorLabels": {"batch": "1", "team": "a"}}})
    patched(api, annotate(labels=before))
    plan = ("plan", NAME, "-n", PLAN_NAMESPACE)
    result = kubectl("annotate", *plan, f"{PREFIX}/labels=batch=2,owner=me", "--overwrite")
    assert result.returncode == 1
    assert "expected 'batch=1' as in spec.convertorLabels" in result.stderr
    hint, _, command = result.stderr.rpartition(": ")
    assert hint.endswith("; remove the entry, or change that value change the field")
    kubectl.done("annotate", *plan, f"{PREFIX}/labels=owner=me", "--overwrite")
    program, *words = shlex.split(command)
    assert program == "kubectl"
    kubectl.done(*words)
    labels = api.get("Plan", NAME, PLAN_NAMESPACE)["spec"]["convertorLabels"]
    assert labels == {"batch": "2", "team": "a"}


def test_a_field_that_contradicts_an_annotation_is_refused(api: Api, fine: Json) -> None:
    patched(api, annotate(labels="batch=2"))
    with pytest.raises(Refused, match=r"expected .batch=1. as in spec\.convertorLabels"):
        patched(api, {"spec": {"convertorLabels": {"batch": "1"}}})


def test_what_was_wrong_before_only_warns(api: Api, wrong: Json) -> None:
    told = patched(api, annotate(labels="batch=1"))
    assert " ".join(told) == PROBLEM
    with pytest.raises(Refused, match="expected key=value, found 'batch'"):
        patched(api, annotate(labels="batch"))


def test_what_was_wrong_can_be_put_right(api: Api, wrong: Json) -> None:
    assert patched(api, annotate(affinity=RULE)) == []


def test_the_status_of_a_wrong_plan_is_written_without_a_word(api: Api, wrong: Json) -> None:
    conditions = [{"type": "Ready", "status": "True", "category": "Required", "message": "ok"}]
    now = "2026-01-01T00:00:00Z"
    status = {"conditions": [condition | {"lastTransitionTime": now} for condition in conditions]}
    assert patched(api, {"status": status}, "/status") == []


def test_a_wrong_plan_with_a_finalizer_can_be_deleted(api: Api, wrong: Json) -> None:
    patched(api, {"metadata": {"finalizers": ["forklift/x"]}})
    answered(api.send("DELETE", path("Plan", PLAN_NAMESPACE, NAME)))
    assert patched(api, {"metadata": {"finalizers": None}}) == []
    with pytest.raises(Refused, match="not found"):
        api.get("Plan", NAME, PLAN_NAMESPACE)


def test_a_plan_in_audit_mode_is_warned_about_and_written(api: Api, fine: Json) -> None:
    told = patched(api, annotate(affinity=WRONG, mode="audit"))
    assert " ".join(told) == f"mode audit, the plan is not denied: {PROBLEM}"


def test_kubectl_convertor_asks_the_server_too(kubectl: Kubectl, fine: Json) -> None:
    typed = ("patch", "plan", NAME, "-n", PLAN_NAMESPACE, "--convertor-labels", "batch=1")
    done = kubectl.done("convertor", *typed, "--dry-run=server")
    assert done == f"plan.forklift.konveyor.io/{NAME} patched (server dry run)\n"
