"""The measured parts of the program: everything that reads input from outside."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import Any

import msgspec

from certs.bundle.contents import build_bundle
from tests.support.builders import PREFIX, node
from tests.system.fuzz import documents
from tests.system.fuzz.recipe import Maker, Recipe
from tests.system.fuzz.server import IndexedPlans, Server, decode_plan
from webhook import karl
from webhook.admission.review import MAX_BODY_BYTES
from webhook.admission.validate import new_problems
from webhook.inventory.changes import log_changes
from webhook.inventory.index import PlanIndex
from webhook.karl import KarlError
from webhook.kube.manifests import DocumentError, parse_as_text, parse_document, parse_documents
from webhook.kube.objects import Json
from webhook.kube.sizes import MAX_CONFIG_CHARACTERS
from webhook.model import Installation
from webhook.placement.missed import EnforcementWindow, check_placement, read_metadata
from webhook.placement.warnings import find_plan_warnings
from webhook.reports.explain import ClusterObjects, explain
from webhook.settings import read
from webhook.settings.edit import EditError, edit_annotations
from webhook.settings.installation import read_installation

KIB, MIB = 2**10, 2**20

MAX_OBJECT_BYTES = 3 * MIB // 2
"""The limit of etcd for an object."""
MAX_HEADER_BYTES = 64 * KIB
MAX_ARGUMENT_BYTES = 128 * KIB
"""Linux' limit for an argument of a command."""

Run = Callable[[], object]


class Unusable(Exception):  # noqa: N818 - of a generated input, not of the program
    """The document cannot come from outside: an API server would reject the object."""


@dataclass
class Target:
    """A part of the program."""

    make_document: Callable[[], Json]
    parts: dict[str, int]
    """The members of the document that may grow, with the largest accepted size in bytes."""
    make_run: Callable[[Json], Run]
    typed: bool = False
    """True if values always have the types of the schema, because an API server checks them."""
    in_event_loop: bool = True
    """False for commands, which may take longer than 100 ms, and may evaluate every node for every
    pod: only one part of their document grows."""
    rejected: tuple[type[Exception], ...] = ()
    """Exceptions for values that an API server rejects, such as quantities."""

    @cached_property
    def document(self) -> Json:
        """The document to grow."""
        return self.make_document()

    def prepare(self, made: Json) -> Run:
        """Return what is measured, for a grown document. Raises Unusable."""
        try:
            return self.make_run(made)
        except (msgspec.MsgspecError, RecursionError, UnicodeError, KeyError) as error:
            raise Unusable from error

    def make_maker(self, recipe: Recipe) -> Maker:
        """Return a maker of inputs, whose size is that of the part that grows."""
        return Maker(recipe, lambda made: self.size(made, recipe.part))

    def size(self, made: Json, part: str) -> int:
        """Return the bytes of a part; very many if another one is too large."""
        unchanged = self.document
        for other, most in self.parts.items():
            if (
                other != part
                and made[other] is not unchanged[other]
                and _measure(made[other]) > most
            ):
                return 2**40
        return _measure(made[part])


def _measure(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else len(_encode(value))


_encode = msgspec.json.encode


def _post(path: str) -> Callable[[Json], Run]:
    def make_run(made: Json) -> Run:
        plan = made.get("plan")
        plans = _known_plans() if plan in (None, documents.plan()) else _index(_encode(plan))
        server = Server(plans, Installation())
        body = _encode(made["review"])
        query = str(made.get("query", "timeout=10s")).encode()
        headers = [
            (str(key).encode(), str(text).encode()) for key, text in _pairs(made.get("headers"))
        ]
        runner = asyncio.Runner()
        runner.get_loop()

        async def review() -> None:
            await server.post(path, body, query, headers)
            server.reporter.flush()

        def run() -> None:
            with runner:
                runner.run(review())

        return run

    return make_run


def _pairs(headers: Any) -> list[tuple[str, Any]]:
    return [*headers.items()] if isinstance(headers, dict) else [("x", headers)]


@cache
def _known_plans() -> IndexedPlans:
    return _index(_encode(documents.plan()))


def _index(encoded: bytes) -> IndexedPlans:
    plans = IndexedPlans(Installation())
    plans.put(encoded)
    return plans


def _update_plan(made: Json) -> Run:
    index = PlanIndex(Installation())
    index.put(documents.plan())
    encoded = _encode(made["plan"])
    decode_plan(encoded).to_json()  # an error here makes the document unusable

    def run() -> None:
        if change := index.put(decode_plan(encoded).to_json()):
            log_changes([change])

    return run


def _read_installation(made: Json) -> Run:
    text = _encode(made["installation"]).decode()
    return lambda: _read_config(text)


def _read_config(text: str) -> None:
    try:
        installation, problems = read_installation(parse_document(text), "config.yaml")
    except DocumentError as error:
        str(error)
        return
    "\n".join(map(str, problems))
    read(documents.plan(), installation)


def _read_yaml(made: Json) -> Run:
    text = made["text"]

    def run() -> None:
        for parse in (partial(parse_documents, is_json=False), parse_as_text):
            try:
                parse(text)
            except DocumentError as error:
                str(error)

    return run


def _compile_karl(made: Json) -> Run:
    def run() -> None:
        try:
            karl.compile(made["text"])
        except KarlError as error:
            str(error)

    return run


def _explain(made: Json) -> Run:
    made = msgspec.json.decode(_encode(made))
    cluster = ClusterObjects(made["nodes"], made["pods"], made["namespaces"], [])
    return lambda: explain(made["plan"], Installation(), cluster)


def _patch(made: Json) -> Run:
    before, changes = msgspec.json.decode(_encode([made["plan"], made["changes"]]))
    annotations = before["metadata"].get("annotations") or {}

    def run() -> None:
        try:
            edited = annotations | edit_annotations(annotations, changes, PREFIX)
        except EditError as error:
            str(error)
            return
        texts = {key: text for key, text in edited.items() if text is not None}
        after = read(
            before | {"metadata": before["metadata"] | {"annotations": texts}}, Installation()
        )
        new_problems(read(before, Installation()), after)
        find_plan_warnings(after, Installation())

    return run


def _check_missed(made: Json) -> Run:
    metadata = msgspec.json.decode(_encode(made["pod"]))["metadata"]
    plan = read(documents.plan(), Installation())

    def run() -> None:
        if pod := read_metadata(metadata, PREFIX):
            check_placement(pod, plan, Installation(), EnforcementWindow())

    return run


def _merge_bundle(made: Json) -> Run:
    text = made["text"].encode()
    return lambda: build_bundle([], text, now=datetime.now(UTC))


_CHANGES = {
    "labels": "team=a,batch-",
    "node-selector": "disk=ssd",
    "affinity": "REQUIRE pods(app=web) on zone",
    "tolerations": "gpu:NoSchedule,spot-",
}

TARGETS: dict[str, Target] = {
    "/mutate": Target(
        lambda: {
            "review": documents.pod_review(),
            "plan": documents.plan(),
            "query": "timeout=10s",
            "headers": {"user-agent": "kube-apiserver"},
        },
        {
            "review": MAX_BODY_BYTES,
            "plan": MAX_OBJECT_BYTES,
            "query": MAX_HEADER_BYTES,
            "headers": MAX_HEADER_BYTES,
        },
        _post("/mutate"),
    ),
    "/validate": Target(
        lambda: {"review": documents.plan_review()},
        {"review": MAX_BODY_BYTES},
        _post("/validate"),
    ),
    "update of a plan": Target(
        lambda: {"plan": documents.plan()}, {"plan": MAX_OBJECT_BYTES}, _update_plan
    ),
    "installation": Target(
        lambda: {"installation": documents.installation()},
        {"installation": MAX_CONFIG_CHARACTERS},
        _read_installation,
    ),
    "existing pod": Target(
        lambda: {"pod": documents.pod()}, {"pod": MAX_OBJECT_BYTES}, _check_missed, typed=True
    ),
    "caBundle": Target(
        lambda: {"text": "a"}, {"text": MAX_OBJECT_BYTES}, _merge_bundle, typed=True
    ),
    "YAML": Target(
        lambda: {"text": "mode: enforce"},
        {"text": MIB},
        _read_yaml,
        typed=True,
        in_event_loop=False,
    ),
    "KARL": Target(
        lambda: {"text": "REQUIRE pods(app=web) on node"},
        {"text": 256 * KIB},
        _compile_karl,
        typed=True,
        in_event_loop=False,
    ),
    "explain": Target(
        lambda: {
            "plan": documents.plan(),
            "pods": [documents.pod()],
            "nodes": [node("a", {"disk": "nvme"}, taints=("gpu=a:NoSchedule",))],
            "namespaces": [{"metadata": {"name": "target", "labels": {"team": "a"}}}],
        },
        dict.fromkeys(("plan", "pods", "nodes", "namespaces"), MAX_OBJECT_BYTES),
        _explain,
        typed=True,
        in_event_loop=False,
        rejected=(ValueError, KeyError),
    ),
    "patch": Target(
        lambda: {"plan": documents.plan(), "changes": dict(_CHANGES)},
        {"plan": MAX_OBJECT_BYTES, "changes": MAX_ARGUMENT_BYTES},
        _patch,
        typed=True,
        in_event_loop=False,
    ),
}
