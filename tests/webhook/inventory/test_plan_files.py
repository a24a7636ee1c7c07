import json
from pathlib import Path

import msgspec
import pytest

from tests.support import pvcs
from webhook.forklift.pvc import PvcObject
from webhook.inventory import plan_files
from webhook.inventory.plan_files import FileError
from webhook.kube import manifests
from webhook.model import Pvc
from webhook.settings.unknown_fields import UNKNOWN_FIELDS

PLAN = """\
apiVersion: forklift.konveyor.io/v1beta1
kind: Plan
metadata:
  name: db
"""


def read(folder: Path, text: str | bytes, name: str = "x.yaml") -> plan_files.Contents:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return plan_files.read_file(path)


def test_only_the_fields_that_placement_uses_are_kept(tmp_path: Path) -> None:
    text = f"""\
{PLAN}\
  namespace: forklift
  uid: u
  generation: 3
  creationTimestamp: 2026-11-22T23:22:39Z
  annotations:
    convertor.forklift.konveyor.io/labels: a=b
spec:
  targetNamespace: target
  convertorLabels: {{a: b}}
  vms: [{{id: vm-1}}]
status:
  conditions: []
"""
    assert read(tmp_path, text).plans == [
        {
            "metadata": {
                "name": "db",
                "namespace": "forklift",
                "uid": "u",
                "generation": 3,
                "annotations": {"convertor.forklift.konveyor.io/labels": "a=b"},
                "creationTimestamp": "2026-11-22T23:22:39Z",
            },
            "spec": {"targetNamespace": "target", "convertorLabels": {"a": "b"}},
        }
    ]


def test_misspelt_fields_of_a_plan_are_kept_to_be_reported(tmp_path: Path) -> None:
    text = f"{PLAN}spec: {{convertorAffinty: x, covertorLabels: {{a: b}}, vms: []}}"
    (plan,) = read(tmp_path, text).plans
    assert plan["spec"] == {}
    assert plan[UNKNOWN_FIELDS] == ["spec.convertorAffinty", "spec.covertorLabels"]


def test_a_plan_without_namespace_is_in_the_default_one(tmp_path: Path) -> None:
    assert read(tmp_path, PLAN).plans == [{"metadata": {"name": "db", "namespace": "default"}}]


def test_documents_and_items_of_lists_are_objects_of_the_file(tmp_path: Path) -> None:
    node = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {memory: 64Gi}}\n"
    found = read(tmp_path, f"---\n{PLAN}---\n# nothing\n---\n{node}---\nkind: Secret\n")
    assert [plan["metadata"]["name"] for plan in found.plans] == ["db"]
    assert (found.nodes, found.others) == ([{"memory": "64Gi"}], ["Secret"])
    text = (
        '{"kind": "List", "items": [{"kind": "PlanList", "items": ['
        '{"apiVersion": "forklift.konveyor.io/v1beta1", "kind": "Plan",'
        '\t"metadata": {"name": "db"}}]}]}'
    )
    assert read(tmp_path, text, "x.json").plans == found.plans


def test_merge_keys_are_overridden_by_the_keys_of_the_map(tmp_path: Path) -> None:
    text = f"""\
{PLAN}\
spec:
  convertorLabels: &labels {{a: b, c: d}}
  convertorNodeSelector: &more
    <<: *labels
    a: e
  convertorAffinity:
    a: f
    <<: [*more]
"""
    (plan,) = read(tmp_path, text).plans
    assert plan["spec"] == {
        "convertorLabels": {"a": "b", "c": "d"},
        "convertorNodeSelector": {"a": "e", "c": "d"},
        "convertorAffinity": {"a": "f", "c": "d"},
    }


def test_other_kinds_of_forklift_are_not_errors(tmp_path: Path) -> None:
    kinds = ["Provider", "NetworkMap", "StorageMap", "Migration", "Hook", "Host"]
    documents = (f"apiVersion: forklift.konveyor.io/v1beta1\nkind: {kind}\n" for kind in kinds)
    assert read(tmp_path, "---\n".join(documents)) == plan_files.Contents(others=kinds)


def test_plans_of_other_api_groups_are_ignored(tmp_path: Path) -> None:
    text = "apiVersion: upgrade.cattle.io/v1\nkind: Plan\nmetadata: {name: k3s}\n"
    assert read(tmp_path, text) == plan_files.Contents(others=["Plan"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: b: c",
            "line 1 column 5: expected YAML: mapping values are not allowed in this context",
        ),
        (
            "a:\n\tb: c",
            (
                "line 2 column 1: expected YAML: found character that cannot start any token while "
                "scanning for the next token"
            ),
        ),
        ("a: 1\na: 2", "line 2 column 1: duplicate key 'a'"),
        ("[a]: b", "line 1 column 1: expected a text as key, found '…'; quote it"),
        ("1: a", "line 1 column 1: expected a text as key, found '1'; quote it"),
        (
            "a: !!binary aGk=",
            (
                "line 1 column 4: expected YAML: could not determine a constructor for the tag "
                "'tag:yaml.org,2002:binary'"
            ),
        ),
        (
            f"{PLAN}  generation: {'1' * 5000}",
            "line 5 column 15: expected a number, found '11111111111111111111…'",
        ),
        (f"{PLAN}spec: {{vms: 0x_}}", "line 5 column 13: expected a number, found '0x_'"),
        (
            f"apiVersion: 0x{'f' * 5000}\nkind: Plan",
            "line 1 column 13: expected a number, found '0xffffffffffffffffff…'",
        ),
        (
            f"{PLAN}spec: {{convertorAffinity: &a [*a]}}",
            ("line 5 column 27: the value contains itself through an alias"),
        ),
        ("- a", "line 1: expected a Kubernetes object, found a list"),
        ("# x\nhello", "line 2: expected a Kubernetes object, found 'hello'"),
        ("a: b", "line 1: expected a Kubernetes object, found one without a kind"),
        (
            "---\n\n---\nkind: Plan\nmetadata: {name: db}",
            "line 4: expected apiVersion 'forklift.konveyor.io/v1beta1' of a Plan, found nothing",
        ),
        (
            "kind: Plan\napiVersion: forklift.konveyor.io/v1",
            (
                "line 1: expected apiVersion 'forklift.konveyor.io/v1beta1' of a Plan, found "
                "'forklift.konveyor.io/v1'"
            ),
        ),
        (
            "kind: Plan\napiVersion: forklift.konveyor.oi/v1beta1",
            (
                "line 1: expected apiVersion 'forklift.konveyor.io/v1beta1' of a Plan, found "
                "'forklift.konveyor.oi/v1beta1'"
            ),
        ),
        (
            "kind: plan\napiVersion: forklift.konveyor.io/v1beta1",
            "line 1: 'forklift.konveyor.io/v1beta1' has no kind 'plan'; did you mean 'Plan'?",
        ),
        (
            "kind: Pland\napiVersion: forklift.konveyor.io/v1beta1",
            "line 1: 'forklift.konveyor.io/v1beta1' has no kind 'Pland'; did you mean 'Plan'?",
        ),
        (
            PLAN.replace("metadata", "meta"),
            "line 1: Plan: 'metadata' is missing",
        ),
        (
            PLAN.replace("name", "nome"),
            "line 1: Plan: 'metadata.name' is missing",
        ),
        (
            PLAN.replace("db", "Db"),
            (
                "line 1: Plan: metadata.name 'Db' must consist of lower case letters, digits, '-' "
                "and '.', and begin and end with a letter or a digit"
            ),
        ),
        (
            f"{PLAN}  annotations: {{a: true}}",
            (
                "line 1: Plan: 'metadata.annotations[...]': expected text, found true or false; "
                "quote it"
            ),
        ),
        (
            "apiVersion: v1\nkind: Node\nmetadata: {labels: {cpu-cores: 16}}",
            "line 1: Node: 'metadata.labels[...]': expected text, found a whole number; quote it",
        ),
        (b"a: \xff", "byte 3 is not UTF-8"),
        (
            "a: \x00",
            "expected YAML: unacceptable character #x0000: control characters are not allowed",
        ),
    ],
)
def test_an_invalid_file_is_reported_with_place_and_expectation(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text",
    [
        f"%TAG ! {'x' * 10_000}\n--- !a b",
        f"{'a' * 10_000}: 1\n{'a' * 10_000}: 2",
        PLAN.replace("db", "D" * 10_000),
    ],
    ids=["tag", "key", "name"],
)
def test_an_error_does_not_repeat_a_text_of_any_length(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) <= manifests.MAX_ERROR_CHARACTERS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b": }', "line 2 column 7: expected JSON: expecting value"),
        ("[" * 100_000, "it is nested too deeply"),
        (
            (
                '{"kind": "Plan", "apiVersion": "forklift.konveyor.io/v1beta1", "metadata": '
                '{"name": "db"}, "spec": {"convertorAffinity": 1000000000000000000000}}'
            ),
            "line 1: Plan: unsupported value: can't serialize ints < -2**63 or > 2**64 - 1",
        ),
        ("", "line 1 column 1: expected JSON: expecting value"),
        ('{"a": 1, "a": 2}', "duplicate key 'a' in an object"),
        ("1" * 5000, "expected JSON: a number has too many digits"),
    ],
)
def test_invalid_json_is_reported_with_place_and_expectation(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text, "x.json")
    assert str(caught.value) == message


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read: no such file"):
        plan_files.read_file(tmp_path / "none.yaml")


# PVCs, volumes and classes


def test_the_storage_of_a_migration_is_read(tmp_path: Path) -> None:
    disk, terms = pvcs.pvc(volume="pv-1"), pvcs.zone_terms("a")
    objects = [
        disk,
        pvcs.volume("pv-1", terms),
        pvcs.volume("pv-2"),
        pvcs.storage_class(),
        pvcs.storage_class("fast", "Immediate"),
    ]
    found = read(tmp_path, json.dumps({"kind": "List", "items": objects}), "x.json")
    assert found.pvcs == [msgspec.convert(disk, PvcObject).to_pvc()]
    assert found.volumes == {"pv-1": terms, "pv-2": []}
    assert found.storage_classes == {"local": True, "fast": False}
    assert (found.plans, found.others) == ([], [])


def test_a_pvc_without_namespace_and_uid_gets_both(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db}\n"
    assert read(tmp_path, text).pvcs == [Pvc("default", "db", "default/db")]


PVC = "---\napiVersion: v1\nkind: PersistentVolumeClaim\n"
VOLUME = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv-1}\n"
CLASS = "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\n"
TERMS = "[{matchExpressions: [{key: zone, operator: is}]}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{PVC}metadata: {{name: db, labels: {{plan: 7}}}}",
            (
                "PersistentVolumeClaim: 'metadata.labels.plan': expected text, found a whole "
                "number; quote it"
            ),
        ),
        (f"{PVC}spec: {{}}", "PersistentVolumeClaim: 'metadata' is missing"),
        (
            f"{PVC}metadata: {{name: D/b}}",
            (
                "PersistentVolumeClaim: metadata.name 'D/b' must consist of lower case letters, "
                "digits, '-' and '.', and begin and end with a letter or a digit"
            ),
        ),
        (
            f"{VOLUME}spec: {{nodeAffinity: {{required: [a]}}}}",
            "PersistentVolume: 'spec.nodeAffinity.required': expected a map, found a list",
        ),
        (
            f"{VOLUME}spec: {{nodeAffinity: {{required: {{nodeSelectorTerms: {TERMS}}}}}}}",
            (
                "PersistentVolume: 'spec.nodeAffinity.required.nodeSelectorTerms[0]"
                ".matchExpressions[0].operator': expected operator In, NotIn, Exists, "
                "DoesNotExist, Gt or Lt, found 'is'"
            ),
        ),
        (
            f"{CLASS}metadata: {{name: 7}}",
            "StorageClass: 'metadata.name': expected text, found a whole number; quote it",
        ),
        (
            f"{CLASS}metadata: {{name: local}}\nvolumeBindingMode: WaitForConsumer",
            (
                "StorageClass: 'volumeBindingMode': expected Immediate or WaitForFirstConsumer, "
                "found 'WaitForConsumer'"
            ),
        ),
    ],
)
def test_an_error_in_storage_has_its_line_and_what_is_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FileError) as error:
        read(tmp_path, text)
    assert str(error.value) == f"line 2: {message}"


def test_half_a_surrogate_pair_in_a_pvc_is_an_error(tmp_path: Path) -> None:
    disk = pvcs.pvc(plan="\ud800")
    with pytest.raises(FileError, match="line 1: PersistentVolumeClaim: unsupported value: "):
        read(tmp_path, json.dumps(disk), "x.json")
