"""The slowest inputs that were ever found, in the largest size that a field or the whole may have.

Each took more than 100 ms, or a time that grew with the square of the size, before it was limited.
`make bench` measures them, so that none becomes slow again.
"""

import gc
from typing import NamedTuple

from tests.support.builders import PREFIX
from tests.system.fuzz import clock
from tests.system.fuzz.recipe import Growth, Path, Recipe
from tests.system.fuzz.search import time_once
from tests.system.fuzz.server import write_logs_to
from tests.system.fuzz.targets import TARGETS, Target
from webhook.kube.affinity import PREFERRED, REQUIRED
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_FIELD_BYTES, MAX_RULES_CHARACTERS
from webhook.model import Role
from webhook.telemetry import logs

_POD: Path = ("review", "request", "object")
_PLAN: Path = ("plan",)
_REVIEWED_PLAN: Path = ("review", "request", "object")
_AFFINITY: Path = ("spec", "convertorAffinity")
_POD_TERM: Path = ("podAffinity", PREFERRED, 0, "podAffinityTerm")
_NODE_TERM: Path = ("nodeAffinity", REQUIRED, "nodeSelectorTerms", 0)

_LIMITS_OF_FIELDS = (MAX_RULES_CHARACTERS, MAX_FIELD_BYTES)
"""Inputs of a part of these sizes are measured too, because larger ones may be refused at once."""


class SlowInput(NamedTuple):
    """A recipe for a target."""

    target: str
    growths: tuple[Growth, ...]


def _annotation(name: str) -> Path:
    return ("metadata", "annotations", f"{PREFIX}/{name}")


SLOW_INPUTS: dict[str, SlowInput] = {
    "commas as tolerations of a plan": SlowInput(
        "/validate",
        (Growth((*_REVIEWED_PLAN, *_annotation("tolerations")), "text", pieces=(",",)),),
    ),
    "many valid tolerations of a plan": SlowInput(
        "/validate",
        (
            Growth(
                (*_REVIEWED_PLAN, *_annotation("tolerations")),
                "text",
                pieces=("k#=v:NoSchedule",),
                separator=",",
            ),
        ),
    ),
    "many labels of a plan": SlowInput(
        "update of a plan",
        (Growth((*_PLAN, *_annotation("labels")), "text", pieces=("k#=v",), separator=","),),
    ),
    "commas as convertorLabels": SlowInput(
        "update of a plan",
        (Growth((*_PLAN, "spec", "convertorLabels"), "text", pieces=("/,'",), separator=","),),
    ),
    "many rules of a plan": SlowInput(
        "update of a plan",
        (
            Growth(
                (*_PLAN, *_annotation("affinity")),
                "text",
                pieces=("REQUIRE pods(app=a#) on node",),
                separator=";",
            ),
        ),
    ),
    "many rules for first consumers about pods of the plan": SlowInput(
        "update of a plan",
        (
            Growth(
                (*_PLAN, *_annotation("affinity.first-consumer")),
                "text",
                pieces=("REQUIRE pods(vmID=a#) on node",),
                separator=";",
            ),
        ),
    ),
    "many labels for every role": SlowInput(
        "/validate",
        tuple(
            Growth(
                (*_REVIEWED_PLAN, *_annotation(f"labels.{role}")),
                "text",
                pieces=("\u201ck#\u201d=v",),
                separator=",",
            )
            for role in Role
        ),
    ),
    "a rule with many selectors": SlowInput(
        "update of a plan",
        (
            Growth(
                (*_PLAN, *_annotation("affinity")),
                "text",
                pieces=("k#=v#",),
                separator=",",
                head="AVOID nodes(",
                tail=")",
            ),
        ),
    ),
    "unknown fields of a label selector": SlowInput(
        "/validate",
        (
            Growth(
                (*_REVIEWED_PLAN, *_AFFINITY, *_POD_TERM, "labelSelector", "matchExpressions", 0),
                "members",
                member="operator",
                pieces=("plan",),
            ),
        ),
    ),
    "unknown fields of a node selector": SlowInput(
        "update of a plan",
        (
            Growth(
                (*_PLAN, *_AFFINITY, "nodeAffinity", REQUIRED),
                "members",
                member="nodeSelectorTerms",
                pieces=("nodeSelectorTerms",),
            ),
        ),
    ),
    "a long name of a plan": SlowInput(
        "/validate", (Growth((*_REVIEWED_PLAN, "metadata", "namespace"), "text", pieces=("in [",)),)
    ),
    "digits of a timeout": SlowInput(
        "/mutate", (Growth(("query",), "text", pieces=("1",), head="timeout="),)
    ),
    "many timeouts": SlowInput(
        "/mutate", (Growth(("query",), "text", pieces=("timeout=1s",), separator="&"),)
    ),
    "a long name of a pod's plan": SlowInput(
        "/mutate",
        tuple(
            Growth((*_POD, "metadata", "labels", label), "text", pieces=("a b",))
            for label in ("plan", "plan-name")
        ),
    ),
    "a long apiVersion of a review": SlowInput(
        "/mutate", (Growth(("review", "apiVersion"), "text", pieces=("é",), separator=";"),)
    ),
    "many empty lists in a pod": SlowInput(
        "/mutate", (Growth((*_POD, "status"), "items", pieces=("[]",)),)
    ),
    "many lists in a field that is not read": SlowInput(
        "/mutate", (Growth((*_POD, "spec", "volumes"), "items"),)
    ),
    "many quantities in a pod's node affinity": SlowInput(
        "/mutate",
        (
            Growth(
                (*_POD, "spec", "affinity", *_NODE_TERM, "matchExpressions", 1, "values"),
                "items",
                numbered=(),
            ),
        ),
    ),
    "many equal preferences of a pod": SlowInput(
        "/mutate", (Growth((*_POD, "spec", "affinity", "nodeAffinity", PREFERRED), "items"),)
    ),
    "many tolerations of a pod": SlowInput(
        "/mutate", (Growth((*_POD, "spec", "tolerations"), "items", numbered=("value",)),)
    ),
    "many labels of a pod": SlowInput(
        "/mutate",
        (
            Growth(
                (*_POD, "metadata", "labels"),
                "members",
                member="batch",
                pieces=("k#",),
                numbered=(),
            ),
        ),
    ),
    "unknown keys of the installation": SlowInput(
        "installation",
        (Growth(("installation",), "members", member="scope", pieces=("scope",)),),
    ),
    "many numbers in the installation": SlowInput(
        "installation",
        (Growth(("installation", "defaults", "tolerations", 0, "tolerationSeconds"), "items"),),
    ),
    "many label selectors in a plan's affinity": SlowInput(
        "update of a plan",
        (Growth((*_PLAN, *_AFFINITY, *_POD_TERM, "namespaceSelector"), "items"),),
    ),
    "certificates without an end": SlowInput(
        "caBundle", (Growth(("text",), "text", pieces=("-----BEGIN CERTIFICATE-----\n",)),)
    ),
}


def measure() -> dict[str, float]:
    """Return the CPU time of each input in calibration loops."""
    write_logs_to(logs.Format.JSON)
    gc.collect()
    gc.freeze()
    found: dict[str, float] = {}
    for name, (target_name, growths) in SLOW_INPUTS.items():
        target = TARGETS[target_name]
        recipe = Recipe(target.document, growths)
        maker = target.make_maker(recipe)
        most = target.parts[recipe.part]
        least = target.size(recipe.document, recipe.part)
        sizes = [min(most, least + limit * 15 // 16) for limit in _LIMITS_OF_FIELDS]
        made = [sized.made for size in (*sizes, most) if (sized := maker.make(size))]
        if not made:
            raise RuntimeError(f"{name}: the input does not grow")
        unit = clock.calibrate()
        found[name] = max(_time(target, each) for each in made) / unit
    return found


def _time(target: Target, made: Json) -> float:
    return min(time_once(target, made) for _ in range(3))
