"""Roles: those that a plan selects, and settings for one of them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import PREFIX, plan
from webhook import karl, settings
from webhook.karl import minimums
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_ENTRIES, MAX_RULES_CHARACTERS
from webhook.kube.tolerations import covers_no_execute
from webhook.model import DEFAULT_ROLES, Disks, Installation, Limits, Role, RoleSettings, Settings

ALL = tuple(Role)
EXPECTED = "expected all, convertor, inspection, first-consumer, importer or populator"
ONLY = (Role.CONVERTOR, Role.FIRST_CONSUMER)
NEAR_CEPH, ON_SSD = "REQUIRE pods(app=ceph-osd) on node", "REQUIRE nodes(disk=ssd)"


def read(
    annotations: Json | None = None,
    defaults: Json | None = None,
    spec: Json | None = None,
    roles: tuple[Role, ...] = ALL,
    **installation: Any,
) -> Settings:
    plan_object = plan("db", "mtv", annotations=annotations, spec=spec)
    return settings.read(
        plan_object,
        Installation(defaults=defaults or {}, limits=Limits(roles=roles), **installation),
    ).settings


def messages(found: Settings) -> list[str]:
    return [str(each).removeprefix(f"Plan mtv/db annotation {PREFIX}/") for each in found.problems]


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (None, None, DEFAULT_ROLES),
        (None, "all", ALL),
        (None, ["importer", "convertor"], (Role.CONVERTOR, Role.IMPORTER)),
        ("all", None, ALL),
        ("all,convertor", None, ALL),
        (" populator , importer,importer ", "all", (Role.IMPORTER, Role.POPULATOR)),
        ("inspection", ["all"], (Role.INSPECTION,)),
    ],
)
def test_pods_are_those_of_the_most_specific_source(
    annotation: str | None, default: Any, expected: tuple[Role, ...]
) -> None:
    annotations = None if annotation is None else {"pods": annotation}
    found = read(annotations, {"pods": default})
    assert (found.pods, found.problems) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected", "problem"),
    [
        ("", ALL, f"pods: {EXPECTED}, found an empty text"),
        (" ", ALL, f"pods: {EXPECTED}, found an empty text"),
        (
            "importr",
            ALL,
            f"pods entry 1: {EXPECTED}, found 'importr'; did you mean 'importer'?",
        ),
        (
            "convertor,Importer",
            (Role.CONVERTOR,),
            f"pods entry 2: {EXPECTED}, found 'Importer'; did you mean 'importer'?",
        ),
        ("convertor,", (Role.CONVERTOR,), f"pods entry 2: {EXPECTED}, found ''"),
        ('["convertor"]', ALL, f"pods entry 1: {EXPECTED}, found '[\"convertor\"]'"),
    ],
)
def test_valid_roles_are_selected_and_without_one_the_less_specific_source_is(
    text: str, expected: tuple[Role, ...], problem: str
) -> None:
    found = read({"pods": text}, {"pods": "all"})
    assert found.pods == expected
    assert len(messages(found)) == 1
    assert messages(found)[0].startswith(problem)


def test_a_role_that_the_installation_does_not_allow_is_left_out() -> None:
    found = read({"pods": "convertor,importer"}, roles=ONLY)
    assert found.pods == (Role.CONVERTOR,)
    assert messages(found) == [
        (
            "pods entry 2: importer is left out, because limits.roles of the installation has only "
            "convertor and first-consumer: remove it, or add it there"
        )
    ]
    assert read({"pods": "importer"}, roles=ONLY).pods == ()


def test_all_and_the_default_are_the_roles_that_the_installation_allows() -> None:
    for annotations, expected in (({"pods": "all"}, ONLY), (None, DEFAULT_ROLES)):
        found = read(annotations, roles=ONLY)
        assert (found.pods, found.problems) == (expected, [])
    assert read(roles=(Role.FIRST_CONSUMER, Role.POPULATOR, Role.IMPORTER)).pods == (
        Role.FIRST_CONSUMER,
    )


def test_disks_are_those_of_the_most_specific_source() -> None:
    assert read().disks is Disks.ANY
    assert read(defaults={"disks": "together"}).disks is Disks.TOGETHER
    assert read({"disks": "any"}, {"disks": "together"}).disks is Disks.ANY
    wrong = read({"disks": "togehter"}, {"disks": "any"})
    assert wrong.disks is Disks.ANY
    assert messages(wrong) == [
        "disks: expected disks any or together, found 'togehter'; did you mean 'together'?"
    ]


def test_a_setting_for_a_role_is_merged_from_its_sources_and_replaces_the_general_one() -> None:
    found = read(
        {
            "labels": "general=yes",
            "labels.importer": "b=annotation,c=annotation",
            "node-selector.importer": "memory=64Gi+,zone=a",
            "tolerations.importer": "gpu:NoSchedule",
            "affinity.importer": NEAR_CEPH,
        },
        {
            "roles": {
                "importer": {
                    "labels": {"a": "default", "b": "default"},
                    "nodeSelector": "memory=1,disk=ssd",
                    "tolerations": ["gpu", "spot:NoSchedule"],
                    "affinity": ON_SSD,
                },
                "populator": {"affinity": ON_SSD},
            }
        },
        {"convertorLabels": {"field": "yes"}},
    )
    assert found.problems == []
    assert found.labels == {"field": "yes", "general": "yes"}
    assert found.roles == {
        Role.IMPORTER: RoleSettings(
            labels={"a": "default", "b": "annotation", "c": "annotation"},
            node_selector={"disk": "ssd", "zone": "a"},
            node_requirements=[{"key": "memory", "operator": "AtLeast", "values": ["64Gi"]}],
            affinity=karl.compile(NEAR_CEPH),
            tolerations=[
                {"key": "spot", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
            ],
        ),
        Role.POPULATOR: RoleSettings(affinity=karl.compile(ON_SSD)),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("labels", RoleSettings(labels={})),
        ("node-selector", RoleSettings(node_selector={}, node_requirements=[])),
        ("affinity", RoleSettings(affinity={})),
        ("tolerations", RoleSettings(tolerations=[])),
    ],
)
def test_an_empty_setting_replaces_the_general_one_too(name: str, expected: RoleSettings) -> None:
    for role in Role:
        found = read({f"{name}.{role}": ""})
        assert (found.roles, found.problems) == ({role: expected}, [])
    field = {"node-selector": "nodeSelector"}.get(name, name)
    defaults: Json = {"roles": {"populator": {field: [] if name == "tolerations" else {}}}}
    assert read(defaults=defaults).roles == {Role.POPULATOR: expected}
    assert read(defaults={"roles": {"populator": {field: None}, "importer": None}}).roles == {}


def test_the_scope_applies_to_the_rules_of_roles() -> None:
    found = read({"scope": "own", "affinity.inspection": NEAR_CEPH})
    assert found.roles[Role.INSPECTION].affinity == karl.compile(NEAR_CEPH, scope="own")


def test_a_problem_has_the_location_of_the_setting_for_the_role() -> None:
    found = read(
        {
            "affinity.importer": f"{ON_SSD}\n  REQUIRE pods(app=web) on nodes",
            "labels.first-consumer": "a=b,vmID=7",
            "node-selector.populator": "cpu=16Gb+",
            "tolerations.inspection": "a:never",
        }
    )
    assert [problem.split(":")[0] for problem in messages(found)] == [
        "tolerations.inspection entry 1",
        "labels.first-consumer entry 2",
        "affinity.importer line 2 column 28",
        "node-selector.populator entry 1",
    ]
    assert found.roles[Role.IMPORTER].affinity == {}
    assert found.roles[Role.FIRST_CONSUMER].labels == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("affinity.importr", "affinity.importer"),
        ("afinity.importer", "affinity.importer"),
        ("node-selector.firstconsumer", "node-selector.first-consumer"),
        ("pod", "pods"),
        ("disk", "disks"),
    ],
)
def test_a_misspelt_annotation_is_a_problem(name: str, meant: str) -> None:
    (problem,) = messages(read({name: "all"}))
    assert problem.startswith(f"{name}: unknown annotation: expected affinity, ")
    assert problem.endswith(f"such as affinity.importer; did you mean '{meant}'?")


def test_a_setting_for_a_role_with_a_misspelt_prefix_is_a_problem() -> None:
    plan_object = plan("db", "mtv")
    misspelt = PREFIX.replace("forklift", "forklft")
    plan_object["metadata"]["annotations"] = {f"{misspelt}/affinity.importer": ON_SSD}
    (problem,) = settings.read(plan_object, Installation()).settings.problems
    assert problem.message == (
        f"expected the prefix '{PREFIX}'; did you mean '{PREFIX}/affinity.importer'?"
    )


def test_a_setting_for_a_role_that_the_installation_does_not_allow_is_not_applied() -> None:
    found = read({"labels.importer": "a=b", "affinity.importer": "REQUIRE"}, roles=ONLY)
    because = (
        "the setting is not applied, because limits.roles of the installation has only convertor "
        "and first-consumer: remove it, or add importer there"
    )
    assert messages(found) == [f"labels.importer: {because}", f"affinity.importer: {because}"]
    assert found.roles == {}


def test_labels_for_the_convertor_must_not_contradict_those_of_the_field() -> None:
    found = read(
        {"labels.convertor": "batch=2,team=b", "labels.importer": "batch=3"},
        {"roles": {"convertor": {"labels": {"batch": "4", "tier": "c"}}}},
        {"convertorLabels": {"batch": "1"}},
    )
    (problem,) = messages(found)
    assert problem.startswith("labels.convertor entry 1: expected 'batch=1' as in spec.convertorL")
    assert found.roles[Role.CONVERTOR].labels == {"tier": "c", "team": "b"}
    assert found.roles[Role.IMPORTER].labels == {"batch": "3"}


@pytest.mark.parametrize("source", ["annotation", "defaults", "spec", "role"])
@pytest.mark.parametrize("key", ["app", "pvcName", "a.kubevirt.io/b", f"{PREFIX}/role"])
def test_a_reserved_label_is_a_problem_from_every_source(source: str, key: str) -> None:
    labels = {"team": "a", key: "x"}
    text = f"{key}=x,team=a"
    found = {
        "annotation": lambda: read({"labels": text}),
        "defaults": lambda: read(defaults={"labels": labels}),
        "spec": lambda: read(spec={"convertorLabels": labels}),
        "role": lambda: read({"labels.importer": text}),
    }[source]()
    (problem,) = found.problems
    assert problem.message.startswith(f"'{key}' is ")
    assert problem.message.endswith(": give the label another name")
    assert (found.roles[Role.IMPORTER].labels if source == "role" else found.labels) == {
        "team": "a"
    }


NO_EXECUTE = "gpu:NoExecute,spot,a=b:NoSchedule"


@pytest.mark.parametrize(
    ("roles", "missing"),
    [
        (ONLY, "importer and populator"),
        ((*ONLY, Role.IMPORTER), "populator"),
        ((*ONLY, Role.POPULATOR), "importer"),
    ],
)
def test_without_entries_for_pods_with_a_preset_node_nothing_covers_no_execute(
    roles: tuple[Role, ...], missing: str
) -> None:
    found = read({"tolerations": NO_EXECUTE, "tolerations.convertor": "gpu"}, roles=roles)
    ending = (
        f"tolerates NoExecute, which is not applied: limits.roles of the installation lacks "
        f"{missing}, whose pods would be evicted and created again without end; add them there, or "
        "write another effect"
    )
    assert messages(found) == [
        f"tolerations entry 1: 'gpu:NoExecute' {ending}",
        f"tolerations entry 2: 'spot' {ending}",
        f"tolerations.convertor entry 1: 'gpu' {ending}",
    ]
    assert found.tolerations == [
        {"key": "spot", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists", "effect": "PreferNoSchedule"},
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
    ]
    assert found.roles[Role.CONVERTOR].tolerations == [
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "gpu", "operator": "Exists", "effect": "PreferNoSchedule"},
    ]


def test_tolerations_of_the_defaults_do_not_cover_no_execute_either() -> None:
    objects = [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}, "a:NoExecut"]
    found = read(defaults={"tolerations": objects}, roles=ONLY)
    assert [problem.where for problem in found.problems] == [
        "defaults tolerations[0]",
        "defaults tolerations[1] entry 1",
    ]
    assert found.tolerations == []


def test_with_entries_for_all_roles_tolerations_stay_as_they_are() -> None:
    found = read({"tolerations": NO_EXECUTE})
    assert found.problems == []
    assert [each.get("effect") for each in found.tolerations] == ["NoExecute", None, "NoSchedule"]


def test_the_rules_of_all_roles_have_a_common_limit() -> None:
    part = ON_SSD.ljust(MAX_RULES_CHARACTERS // 4)
    names = ["affinity", *(f"affinity.{role}" for role in Role)]
    found = read(dict.fromkeys(names, part), spec={"convertorAffinity": part})
    assert [problem.where.rpartition("/")[2] for problem in found.problems] == names[3:]
    message = (
        "expected at most 16384 characters in all rules of a plan, found 20480 up to here: these "
        "rules are not applied, shorten them"
    )
    assert {problem.message for problem in found.problems} == {message}
    assert [role for role in Role if found.roles[role].affinity] == [*Role][:2]
    short = read({**dict.fromkeys(names[:3], part), names[-1]: ON_SSD})
    assert short.problems == []
    assert short.roles[Role.POPULATOR].affinity == karl.compile(ON_SSD)


def test_every_list_of_a_role_has_at_most_256_entries() -> None:
    text = ",".join(f"k{number}=v" for number in range(MAX_ENTRIES + 1))
    for name in ("labels", "node-selector", "tolerations"):
        found = read({f"{name}.populator": text, name: "a=b"})
        message = "expected at most 256 entries, found 257: nothing of it is applied, shorten it"
        where = f"Plan mtv/db annotation {PREFIX}/{name}.populator"
        assert [str(each) for each in found.problems] == [f"{where}: {message}"]
    (problem,) = read({"pods": "," * MAX_ENTRIES}).problems
    assert problem.message.startswith("expected at most 256 entries, found 257")


def test_nodes_are_watched_for_the_minimums_of_roles() -> None:
    rules = "PREFER nodes(disks>=1Ti)"
    found = read({"node-selector.importer": "memory=64Gi+", "affinity.populator": rules})
    assert minimums.label_keys(found) == {"memory", "disks"}


TEXTS = {
    "labels": ["a=b", "a=c,d=e", "vmID=1", ""],
    "node-selector": ["disk=nvme", "memory=64Gi+", "x", ""],
    "affinity": [NEAR_CEPH, ON_SSD, "PREFER nodes(cores>=16)", "REQIRE", ""],
    "tolerations": ["gpu:NoExecute", "spot", "a=b:NoSchedule", ":", ""],
}
NAMES = st.sampled_from([*TEXTS])
OWN = st.dictionaries(
    st.tuples(NAMES, st.none() | st.sampled_from(Role)), st.integers(0, 2), max_size=8
).map(
    lambda chosen: {
        name if role is None else f"{name}.{role}": TEXTS[name][number]
        for (name, role), number in chosen.items()
    }
)


@given(OWN, st.sampled_from(Role), NAMES, st.integers(0, 3))
def test_a_setting_for_a_role_changes_nothing_else(
    before: dict[str, str], role: Role, name: str, number: int
) -> None:
    others = {key: text for key, text in before.items() if key != f"{name}.{role}"}
    without, with_it = read(others), read({**others, f"{name}.{role}": TEXTS[name][number]})
    field = name.replace("-", "_")

    fields = {each: getattr(with_it, each) for each in Settings.__struct_fields__}
    for each in fields.keys() - {"roles", "problems"}:
        assert fields[each] == getattr(without, each)
    for other in Role:
        own = with_it.roles.get(other, RoleSettings())
        old = without.roles.get(other, RoleSettings())
        if other is role:
            assert getattr(own, field) is not None
            own = msgspec.structs.replace(own, **{field: None})
            if name == "node-selector":
                own = msgspec.structs.replace(own, node_requirements=None)
        assert own == old
    assert (own.node_selector is None) == (own.node_requirements is None)


@given(OWN, st.sets(st.sampled_from(Role)), st.sampled_from(["", "all", "convertor,importer"]))
def test_only_allowed_roles_are_selected_and_nothing_covers_no_execute_without_their_entries(
    annotations: dict[str, str], allowed: set[Role], pods: str
) -> None:
    roles = tuple(role for role in Role if role in allowed)
    found = read({**annotations, "pods": pods}, roles=roles)

    assert allowed.issuperset(found.pods)
    assert allowed.issuperset(found.roles)
    assert list(found.pods) == [role for role in Role if role in found.pods]
    lists = [found.tolerations, *(each.tolerations or [] for each in found.roles.values())]
    if not allowed >= {Role.IMPORTER, Role.POPULATOR}:
        assert not any(covers_no_execute(each) for some in lists for each in some)
