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
from webhook.model import Installation, Mode, OnError, Scope
from webhook.settings.installation import KEYS, read_installation

SCHEMA: Json = json.loads(
    files("webhook.settings").joinpath("installation.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
KNOWN = (
    "expected annotationPrefix, defaults, identityLabels, mode, namespaceModes, onError, planModes "
    "or scope"
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
        ("limits: {}", f"'config.yaml' limits: unknown key: {KNOWN}"),
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
                "labels, nodeSelector or tolerations; did you mean 'labels'?"
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
    assert defaults.keys() == KEYS.keys() - {"defaults"}
    assert read_installation(defaults, "") == (Installation(), [])


WORDS = st.sampled_from(
    ["enforce", "audit", "off", "on", "all", "own", "allow", "deny", "merge", "a=b", "A_b", "", "a"]
)
SCALARS = st.none() | st.booleans() | st.integers(0, 1) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
MODES = st.dictionaries(st.sampled_from(["vms", "a-b", "A", "a.b", "-a"]), SCALARS, max_size=2)
FIELDS = ["labels", "nodeSelector", "affinity", "tolerations", "affinityPolicy", "lables"]
DEFAULTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3)
DOCUMENTS = VALUES | st.dictionaries(
    st.sampled_from([*KEYS, "kind", "limits"]), VALUES | MODES | DEFAULTS, max_size=4
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
