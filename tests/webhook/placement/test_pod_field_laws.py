"""Laws of settings that are not about the place, and of the convertor profile."""

from copy import deepcopy

import jsonpatch
from hypothesis import given

from tests.support import worlds
from webhook.admission.patch import PATCHED_CONTAINER_FIELDS, PATCHED_FIELDS, diff
from webhook.kube import quantity
from webhook.kube.objects import Json
from webhook.model import ClusterState, ConvertorProfile, Installation, Plan
from webhook.placement import Placed, place, place_enforced

CLASSES = frozenset({"migration", "low"})
STATE = ClusterState(worlds.NODE_VALUES, CLASSES)
Case = tuple[Plan, Json]


def placed(case: Case, profile: ConvertorProfile | None = None) -> Placed:
    installation = Installation(convertor=profile or ConvertorProfile())
    return place(case[1], case[0], installation, STATE)


def main(pod: Json) -> Json:
    (found,) = (each for each in pod["spec"]["containers"] if each["name"] == "virt-v2v")
    return dict(found)


def amounts(pod: Json) -> dict[str, str]:
    """Return the quantities of the main container as the setting writes them."""
    return {
        f"{part}.{name}": amount
        for part, named in main(pod).get("resources", {}).items()
        for name, amount in named.items()
    }


@given(worlds.plans_with_whole_pods(), worlds.profiles())
def test_the_patch_is_correct_and_a_second_one_is_empty(
    case: Case, profile: ConvertorProfile
) -> None:
    before = deepcopy(case)
    once = placed(case, profile).pod
    again = placed((case[0], once), profile).pod

    assert case == before
    patched = jsonpatch.apply_patch(case[1], diff(case[1], once))
    assert _without_nulls(patched) == _without_nulls(once)
    assert diff(once, again) == []


@given(worlds.plans_with_whole_pods(), worlds.profiles())
def test_other_containers_and_fields_never_change(case: Case, profile: ConvertorProfile) -> None:
    after = placed(case, profile).pod["spec"]
    of_pods = {*PATCHED_FIELDS["spec"], "containers"}

    assert {key: after[key] for key in after.keys() - of_pods} == {
        key: case[1]["spec"][key] for key in case[1]["spec"].keys() - of_pods
    }
    for old, new in zip(case[1]["spec"]["containers"], after["containers"], strict=True):
        if old["name"] != "virt-v2v":
            assert new == old
        assert {key: new[key] for key in new.keys() - {*PATCHED_CONTAINER_FIELDS}} == {
            key: old[key] for key in old.keys() - {*PATCHED_CONTAINER_FIELDS}
        }


@given(worlds.plans_with_whole_pods())
def test_a_pod_never_requests_more_than_its_limit(case: Case) -> None:
    """The API server would reject it."""
    after = amounts(placed(case).pod)
    for name in ("cpu", "memory", "ephemeral-storage"):
        request, limit = after.get(f"requests.{name}"), after.get(f"limits.{name}")
        assert not (request and limit and quantity.is_more(request, limit))


@given(worlds.plans_with_whole_pods())
def test_each_quantity_is_applied_or_reported_and_others_only_grow(case: Case) -> None:
    wanted, result = case[0].settings.resources, placed(case)
    before, after = amounts(case[1]), amounts(result.pod)

    for name, amount in wanted.items():
        reported = any(f"{name}={amount} is not applied" in str(each) for each in result.problems)
        assert after.get(name) == (before.get(name) if reported else amount)
    for name in after.keys() - wanted.keys():
        if after[name] != before.get(name):
            request = name.replace("limits.", "requests.")
            assert after[name] == wanted[request]
            assert quantity.is_more(after[name], before[name])
    assert before.keys() <= after.keys()


@given(worlds.plans_with_whole_pods())
def test_a_known_class_is_set_without_the_priority_of_another(case: Case) -> None:
    wanted, result = case[0].settings.priority_class, placed(case)
    before, after = case[1]["spec"], result.pod["spec"]
    fields = ("priorityClassName", "priority", "preemptionPolicy")

    if wanted in CLASSES and wanted != before.get("priorityClassName"):
        assert [after[each] for each in fields] == [wanted, None, None]
    else:
        assert [after.get(each) for each in fields] == [before.get(each) for each in fields]
    assert (wanted == "absent") == any("does not exist" in str(each) for each in result.problems)


@given(worlds.plans_with_whole_pods())
def test_no_annotation_of_the_pod_is_replaced(case: Case) -> None:
    before = case[1]["metadata"].get("annotations") or {}
    after = placed(case).pod["metadata"].get("annotations") or {}

    assert after.items() >= before.items()
    assert after.items() >= {**case[0].settings.pod_annotations, **before}.items()


@given(worlds.plans_with_whole_pods(), worlds.profiles())
def test_the_profile_is_the_same_in_every_mode_of_the_plan(
    case: Case, profile: ConvertorProfile
) -> None:
    plan, pod = case
    installation = Installation(convertor=profile)
    in_other_mode = place_enforced(pod, plan, installation, STATE).pod["spec"]
    with_settings = place(pod, plan, installation, STATE).pod["spec"]

    for field in ("securityContext", "runtimeClassName", "volumes"):
        assert in_other_mode.get(field) == with_settings.get(field)
    assert all(
        main({"spec": in_other_mode}).get(field) == main({"spec": with_settings}).get(field)
        for field in ("env", "volumeMounts", "securityContext")
    )


@given(worlds.plans_with_whole_pods(), worlds.profiles())
def test_a_path_is_mounted_once_and_a_variable_is_set_once(
    case: Case, profile: ConvertorProfile
) -> None:
    container = main(placed(case, profile).pod)
    paths = [each["mountPath"] for each in container.get("volumeMounts", [])]
    variables = [each["name"] for each in container.get("env", [])]

    assert len(paths) == len({*paths})
    assert len(variables) == len({*variables})
    volumes = {each["name"] for each in placed(case, profile).pod["spec"]["volumes"]}
    assert {each["name"] for each in container.get("volumeMounts", [])} <= volumes


def _without_nulls(pod: Json) -> Json:
    spec = {key: value for key, value in pod["spec"].items() if value is not None}
    return pod | {"spec": spec}
