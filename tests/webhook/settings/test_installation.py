"""The installation's file: every key, every kind of problem, and the schema that says the same."""

import json
from importlib.resources import files
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kube.manifests import parse_document
from webhook.kube.objects import Json
from webhook.model import Installation, Limits, Mode, OnError, Role, Scope
from webhook.settings.installation import KEYS, read_installation

ROLES = "expected all, convertor, inspection, first-consumer, importer or populator"
SCHEMA: Json = json.loads(
    files("webhook.settings").joinpath("installation.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
KNOWN = (
    "expected annotationPrefix, convertor, defaults, enforced, identityLabels, limits, mode, "
    "namespaceModes, onError, planModes or scope"
)


def problems(document: object) -> list[str]:
    return [str(problem) for problem in read_installation(document, "'config.yaml'")[1]]


def test_every_key_is_read() -> None:
    document = parse_document("""
        mode: audit
        namespaceModes: {production: "off", staging: enforce}
        planModes: no
        scope: own
        onError: deny
        identityLabels: false
        annotationPrefix: convertor.example.com
        defaults: {labels: {team: migration}, nodeSelector: cpu-cores=16+}
        limits: {roles: [first-consumer, convertor]}
    """)
    assert read_installation(document, "") == (
        Installation(
            mode=Mode.AUDIT,
            namespace_modes={"production": Mode.OFF, "staging": Mode.ENFORCE},
            plan_modes=False,
            scope=Scope.OWN,
            on_error=OnError.DENY,
            identity_labels=False,
            prefix="convertor.example.com",
            defaults={"labels": {"team": "migration"}, "nodeSelector": "cpu-cores=16+"},
            limits=Limits(roles=(Role.CONVERTOR, Role.FIRST_CONSUMER)),
        ),
        [],
    )


@pytest.mark.parametrize(
    "document", [{}, None, dict.fromkeys(KEYS), {"namespaceModes": {"vms": None}, "defaults": {}}]
)
def test_what_is_missing_or_null_has_its_default(document: object) -> None:
    assert read_installation(document, "") == (Installation(), [])


@pytest.mark.parametrize("off", ["off", "'off'", "no", "false"])
def test_off_needs_no_quotes_where_a_mode_is_expected(off: str) -> None:
    document = parse_document(f"mode: {off}\nnamespaceModes: {{vms: {off}}}\n")
    expected = Installation(mode=Mode.OFF, namespace_modes={"vms": Mode.OFF})
    if off in ("no", "false"):  # the same to YAML
        assert document["mode"] is False
    assert read_installation(document, "") == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- mode", "'config.yaml': expected a map, found a list"),
        ("audit", "'config.yaml': expected a map, found 'audit'"),
        ("mod: audit", f"'config.yaml' mod: unknown key: {KNOWN}; did you mean 'mode'?"),
        ("tls: {}", f"'config.yaml' tls: unknown key: {KNOWN}"),
        ("limits: []", "'config.yaml' limits: expected a map, found a list"),
        (
            "limits: {role: all}",
            (
                "'config.yaml' limits.role: unknown key: expected avoidTopologies, labels, "
                "namespaces, nodeLabels, podAnnotations, priorityClasses, resources, roles, "
                "ruleNamespaces, settings, targetNamespaces or tolerations; did you mean 'roles'?"
            ),
        ),
        (
            "limits: {roles: ''}",
            f"'config.yaml' limits.roles: {ROLES}, found an empty text",
        ),
        ("limits: {roles: []}", f"'config.yaml' limits.roles: {ROLES}, found an empty list"),
        ("limits: {roles: {}}", f"'config.yaml' limits.roles: {ROLES}, found a map"),
        (
            "limits: {roles: [1]}",
            "'config.yaml' limits.roles[0]: expected text, found 1: put it in quotes",
        ),
        (
            "limits: {roles: 'convertor,importr'}",
            (
                f"'config.yaml' limits.roles entry 2: {ROLES}, found 'importr'; did you mean "
                "'importer'?"
            ),
        ),
        (
            "limits: {roles: [Convertor]}",
            (
                f"'config.yaml' limits.roles[0]: {ROLES}, found 'Convertor'; did you mean "
                "'convertor'?"
            ),
        ),
        (
            "roles: {}",
            f"'config.yaml' roles: unknown key: {KNOWN}; did you mean 'defaults.roles'?",
        ),
        (
            "{limits: {roles: convertor}, defaults: {pods: 'convertor,importer'}}",
            (
                "'config.yaml' defaults.pods entry 2: importer is left out, because limits.roles "
                "of the installation has only convertor: remove it, or add it there"
            ),
        ),
        (
            "{limits: {roles: convertor}, defaults: {roles: {importer: {labels: a=b}}}}",
            (
                "'config.yaml' defaults.roles.importer.labels: the setting is not applied, "
                "because limits.roles of the installation has only convertor: remove it, or add "
                "importer there"
            ),
        ),
        (
            "{limits: {roles: 'convertor,populator'}, defaults: {tolerations: 'gpu:NoExecute'}}",
            (
                "'config.yaml' defaults.tolerations entry 1: 'gpu:NoExecute' tolerates NoExecute, "
                "which is not applied: limits.roles of the installation lacks importer, whose pods "
                "would be evicted and created again without end; add them there, or write another "
                "effect"
            ),
        ),
        (
            "defaults: {roles: {importr: {}}}",
            (
                "'config.yaml' defaults.roles.importr: unknown role: expected convertor, "
                "first-consumer, importer, inspection or populator; did you mean 'importer'?"
            ),
        ),
        (
            "defaults: {roles: {importer: {node-selector: a=b}}}",
            (
                "'config.yaml' defaults.roles.importer.node-selector: unknown field: expected "
                "affinity, labels, nodeSelector, podAnnotations, priorityClass, resources or "
                "tolerations; did you mean 'nodeSelector'?"
            ),
        ),
        (
            "defaults: {roles: {importer: {affinity: REQUIRE pods(a=b) on nodes}}}",
            (
                "'config.yaml' defaults.roles.importer.affinity line 1 column 22: unknown topology "
                "'nodes': expected node, zone, region, rack or a label key; did you mean 'node'?"
            ),
        ),
        (
            "defaults: {roles: [importer]}",
            "'config.yaml' defaults.roles: expected a map, found a list",
        ),
        (
            "defaults: {roles: {importer: labels}}",
            "'config.yaml' defaults.roles.importer: expected a map, found 'labels'",
        ),
        (
            "defaults: {disks: togther}",
            (
                "'config.yaml' defaults.disks: expected disks any or together, found 'togther'; "
                "did you mean 'together'?"
            ),
        ),
        (
            "{annotationPrefix: a.com, defaults: {labels: a.com/role=x}}",
            (
                "'config.yaml' defaults.labels entry 1: 'a.com/role' is the label that the webhook "
                "itself adds: give the label another name"
            ),
        ),
        (
            "labels: {team: a}",
            f"'config.yaml' labels: unknown key: {KNOWN}; did you mean 'defaults.labels'?",
        ),
        (
            "mode: enforced",
            (
                "'config.yaml' mode: expected mode enforce, audit or off, found 'enforced'; "
                "did you mean 'enforce'?"
            ),
        ),
        ("mode: on", "'config.yaml' mode: expected mode enforce, audit or off, found true"),
        ("mode: 0", "'config.yaml' mode: expected mode enforce, audit or off, found 0"),
        (
            "namespaceModes: {production: 'on', staging: audit}",
            (
                "'config.yaml' namespaceModes.production: expected mode enforce, audit or off, "
                "found 'on'"
            ),
        ),
        (
            "namespaceModes: {Prod: audit}",
            (
                "'config.yaml' namespaceModes: namespace 'Prod' must consist of lower case "
                "alphanumeric characters or '-', and must start and end with an alphanumeric "
                "character"
            ),
        ),
        (
            "namespaceModes: [production]",
            "'config.yaml' namespaceModes: expected a map, found a list",
        ),
        (
            "planModes: 'no'",
            "'config.yaml' planModes: expected true or false, found 'no': remove the quotes",
        ),
        ("identityLabels: 1", "'config.yaml' identityLabels: expected true or false, found 1"),
        (
            "scope: al",
            "'config.yaml' scope: expected scope all or own, found 'al'; did you mean 'all'?",
        ),
        ("onError: {}", "'config.yaml' onError: expected action allow or deny, found a map"),
        (
            "annotationPrefix: 1",
            "'config.yaml' annotationPrefix: expected text, found 1: put it in quotes",
        ),
        (
            "annotationPrefix: a/b",
            (
                "'config.yaml' annotationPrefix: expected a DNS name such as "
                "'convertor.forklift.konveyor.io', found 'a/b': must consist of lower case "
                "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
                "character"
            ),
        ),
        ("defaults: []", "'config.yaml' defaults: expected a map, found a list"),
        (
            "defaults: {lables: {}}",
            (
                "'config.yaml' defaults.lables: unknown field: expected affinity, affinityPolicy, "
                "disks, labels, nodeSelector, podAnnotations, pods, priorityClass, resources, "
                "roles or tolerations; did you mean 'labels'?"
            ),
        ),
        (
            "defaults: {affinity: REQUIRE pods(a=b) on nodes}",
            (
                "'config.yaml' defaults.affinity line 1 column 22: unknown topology 'nodes': "
                "expected node, zone, region, rack or a label key; did you mean 'node'?"
            ),
        ),
        (
            "{kind: ConfigMap, data: {config.yaml: ''}}",
            (
                "'config.yaml': expected the installation, found a ConfigMap: use the text of its "
                "key config.yaml"
            ),
        ),
    ],
)
def test_an_invalid_value_is_reported_with_its_place(text: str, expected: str) -> None:
    assert problems(parse_document(text)) == [expected]


def test_all_problems_are_reported_and_the_rest_is_read() -> None:
    document = {
        "mode": "later",
        "namespaceModes": {"A": "audit", "b": "audit", "c": 1},
        "limit": {},
        "scope": "own",
        "defaults": {"labels": {"plan": "x", "a": 1}, "tolerations": "gpu:never"},
    }
    found, all_problems = read_installation(document, "'config.yaml'")
    assert [problem.where for problem in all_problems] == [
        "'config.yaml' limit",
        "'config.yaml' mode",
        "'config.yaml' namespaceModes",
        "'config.yaml' namespaceModes.c",
        "'config.yaml' defaults.labels['plan']",
        "'config.yaml' defaults.labels['a']",
        "'config.yaml' defaults.tolerations entry 1",
    ]
    assert found == Installation(scope=Scope.OWN, namespace_modes={"b": Mode.AUDIT})


def test_the_schema_has_the_keys_with_their_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    described = SCHEMA["properties"]
    assert list(described) == list(KEYS)
    assert all(each["description"] for each in described.values())
    defaults = {key: value["default"] for key, value in described.items() if "default" in value}
    assert defaults.keys() == KEYS.keys() - {"defaults", "enforced", "convertor"}
    assert read_installation(defaults, "") == (Installation(), [])


WORDS = st.sampled_from(
    [
        *("enforce", "audit", "off", "on", "all", "own", "allow", "deny", "merge"),
        *("a=b", "A_b", "", "a", "any", "together", "convertor", "importer ,all", "populator,"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(0, 1) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
MODES = st.dictionaries(st.sampled_from(["vms", "a-b", "A", "a.b", "-a"]), SCALARS, max_size=2)
FIELDS = ["labels", "nodeSelector", "affinity", "tolerations", "affinityPolicy", "lables"]
ROLE_LISTS = WORDS | st.lists(SCALARS | st.sampled_from([*Role]), max_size=2)
OF_ROLES = st.dictionaries(
    st.sampled_from([*Role, "consumer"]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2) | SCALARS,
    max_size=2,
)
DEFAULTS = st.dictionaries(
    st.sampled_from([*FIELDS, "pods", "disks", "roles"]), VALUES | ROLE_LISTS | OF_ROLES, max_size=3
)
LIMITS = st.dictionaries(st.sampled_from(["roles", "role"]), VALUES | ROLE_LISTS, max_size=2)
DOCUMENTS = VALUES | st.dictionaries(
    st.sampled_from([*KEYS, "kind", "enforced"]),
    VALUES | MODES | DEFAULTS | LIMITS,
    max_size=4,
)


@given(DOCUMENTS)
def test_the_schema_accepts_what_the_reader_accepts_and_nothing_of_another_shape(
    document: Any,
) -> None:
    """In texts of the defaults, such as KARL, a schema sees no mistake."""
    found = read_installation(document, "file")[1]
    if VALIDATOR.is_valid(document):
        assert [each for each in found if not each.where.startswith("file defaults.")] == []
    else:
        assert found
