"""Reviews by the hundred thousand, and the checks of each response.

Every review is sent to a server that has run for long, whose caches are full, and to one that has
just started.
"""

import asyncio
import base64
import binascii
import gc
import re
import traceback
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import jsonpatch
import jsonpointer
import msgspec

from tests.support.paths import ROOT
from tests.system.fuzz import draw
from tests.system.fuzz.draw import Drawn, Source
from tests.system.fuzz.server import (
    NODE_VALUES,
    FuzzReporter,
    IndexedPlans,
    IndexedPvcs,
    Server,
    write_logs_to,
)
from webhook.admission.patch import PATCHED_CONTAINER_FIELDS, PATCHED_FIELDS
from webhook.admission.review import API_VERSION, KIND
from webhook.forklift.labels import is_reserved_label, role_label
from webhook.kube.objects import Json
from webhook.model import Installation
from webhook.telemetry import logs

FOLDER = ROOT / ".build" / "fuzz"
"""The inputs that break a law or a budget."""

REVIEWS_PER_CAMPAIGN = 20_000
"""With one seed, in one process."""
PLANS = 40
REVIEWS_PER_SCENE = 2000
"""With one installation, and one server that runs all the time."""
REVIEWS_PER_CHANGE = 200
"""Between two changes of plans or nodes."""
REVIEWS_PER_FLUSH = 100
IDEMPOTENCE_SHARE = 0.1
MAX_FILES = 3
"""With breaches of one campaign, whose causes are searched; others seldom have another cause."""
HISTORY = 500
"""Earlier reviews among which the one is searched that makes a cache give a wrong response."""

LAWS = ("exceptions", "malformed responses", "changed labels", "other changes", "differences")


class Breach(NamedTuple):
    """A response that is not as it must be, and everything that reproduces it."""

    law: str
    """One of LAWS."""
    message: str
    installation: Installation
    plans: list[Json]
    reviews: list[Drawn]
    """The review; for a difference the earlier one, too, that the cache has its response from."""

    def write(self, folder: Path, name: str) -> Path:
        """Write the breach to a file."""
        path = folder / f"{name}-{self.law.replace(' ', '-')}.json"
        folder.mkdir(parents=True, exist_ok=True)
        reviews = [
            (each.path, each.body.decode(errors="backslashreplace")) for each in self.reviews
        ]
        path.write_bytes(msgspec.json.encode(self._asdict() | {"reviews": reviews}))
        return path


class BadResponse(Exception):  # noqa: N818 - of the webhook
    """A response breaks a law."""

    def __init__(self, law: str, message: str) -> None:
        super().__init__(message)
        self.law = law


class Scene:
    """An installation with plans and reviews, and the server that runs all the time."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.installation = draw.draw_installation(random)
        self.plans = IndexedPlans(self.installation)
        self.drawn_plans = [draw.draw_plan(random) for _ in range(PLANS)]
        self.plans.index.replace_all(self.drawn_plans)
        self.pvcs = IndexedPvcs()
        self.pvcs.index.set_binding_modes({"immediate": False})
        self._draw_pvcs()
        self.source = Source(random, self.drawn_plans)
        self.reporter = FuzzReporter()
        self.warm = self.start_server()

    def start_server(self) -> Server:
        """Return a server without cached responses."""
        return Server(self.plans, self.installation, self.reporter, self.pvcs)

    def describe(self, law: str, message: str, reviews: list[Drawn]) -> Breach:
        return Breach(law, message, self.installation, [*self.drawn_plans], reviews)

    def _draw_pvcs(self) -> None:
        index = self.pvcs.index
        index.replace_all(draw.draw_pvcs(self.random, self.drawn_plans), lambda _: None)
        for uid in index.list_unread_volumes():
            draw.set_node_terms(self.random, index, uid)

    def change(self) -> None:
        """Deliver what a watch could: a plan is written or deleted, PVCs or nodes have changed."""
        self._draw_pvcs()
        position = self.random.randrange(PLANS)
        if self.random.random() < 0.1:
            metadata = self.drawn_plans[position]["metadata"]
            self.plans.index.discard(metadata["namespace"], metadata["name"])
        else:
            self.drawn_plans[position] = draw.draw_plan(self.random)
            self.plans.index.put(self.drawn_plans[position])
        if self.random.random() < 0.1:
            sizes = self.random.sample(["16Gi", "32Gi", "64Gi", "128Gi", "1Ti", "x"], 4)
            self.plans.node_values = {**NODE_VALUES, "memory": sizes}


def split(seed: int, reviews: int) -> list[tuple[str, int]]:
    """Return the seeds and sizes of campaigns that send this many reviews."""
    starts = range(0, reviews, REVIEWS_PER_CAMPAIGN)
    return [(f"{seed}-{start}", min(REVIEWS_PER_CAMPAIGN, reviews - start)) for start in starts]


def send(seed: str, reviews: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Return the counts of responses and breaches, and the files with the first breaches."""
    write_logs_to(logs.Format.JSON)
    gc.collect()
    gc.freeze()
    campaign = Campaign(seed)
    files: list[str] = []
    for number, breach in enumerate(campaign.run(reviews)):
        if number < MAX_FILES:
            files.append(str(breach.write(FOLDER, f"reviews-{seed}-{number}")))
    return campaign.counts, campaign.breaches, files


class Campaign:
    """Sends reviews, counts them, and keeps the breaches."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self.counts = Counter[str]()
        self.breaches = Counter[str]()
        """By law."""

    def run(self, reviews: int) -> Iterator[Breach]:
        """Send this many reviews; yield the breaches."""
        while (left := reviews - self.counts["reviews"]) > 0:
            scene = Scene(self._random)
            with asyncio.Runner() as runner:
                for breach in runner.run(self._run(scene, min(left, REVIEWS_PER_SCENE))):
                    self.breaches[breach.law] += 1
                    yield breach
            gc.collect()

    async def _run(self, scene: Scene, reviews: int) -> list[Breach]:
        breaches: list[Breach] = []
        history: deque[Drawn] = deque(maxlen=HISTORY)
        for number in range(reviews):
            if number % REVIEWS_PER_CHANGE == REVIEWS_PER_CHANGE - 1:
                scene.change()
                history.clear()
            drawn = scene.source.draw()
            history.append(drawn)
            try:
                await self._review(scene, drawn)
                if number % REVIEWS_PER_FLUSH == 0 or number == reviews - 1:
                    scene.reporter.flush()
                    await asyncio.sleep(0)
            except BadResponse as bad:
                causes = bad.law == "differences" and len(breaches) < MAX_FILES
                needed = await _find_cause(scene, history) if causes else [drawn]
                breaches.append(scene.describe(bad.law, str(bad), needed))
            except Exception as error:  # noqa: BLE001 - whatever it is
                message = "".join(traceback.format_exception(error))
                breaches.append(scene.describe("exceptions", message, [drawn]))
        return breaches

    async def _review(self, scene: Scene, drawn: Drawn) -> None:
        status, warm = await scene.warm.post(drawn.path, drawn.body)
        fresh = await scene.start_server().post(drawn.path, drawn.body)
        self.counts["reviews"] += 1
        self.counts[str(status)] += 1
        if scene.reporter.errors:
            error = scene.reporter.errors[0]
            scene.reporter.errors.clear()
            raise BadResponse("exceptions", "".join(traceback.format_exception(error)))
        if (status, warm) != fresh:
            raise BadResponse("differences", f"{warm!r}\n{fresh[1]!r}")
        review = _decode(drawn.body)
        response = _check_response(status, warm, review)
        if "patch" not in response or review is None:
            return
        self.counts["patched"] += 1
        patched = _check_patch(response, drawn.body, scene.installation)
        if scene.random.random() < IDEMPOTENCE_SHARE:
            review["request"]["object"] = patched
            _, again = await scene.warm.post(drawn.path, msgspec.json.encode(review))
            if "patch" in msgspec.json.decode(again)["response"]:
                raise BadResponse("other changes", "placing the patched pod changes it again")


async def _find_cause(scene: Scene, history: deque[Drawn]) -> list[Drawn]:
    """Return the last review, and the earlier one that changes its response."""
    *others, drawn = history
    right = await scene.start_server().post(drawn.path, drawn.body)
    for earlier in reversed(others):
        server = scene.start_server()
        await server.post(earlier.path, earlier.body)
        if await server.post(drawn.path, drawn.body) != right:
            return [earlier, drawn]
    return [drawn]


def _decode(body: bytes) -> Any:
    """Return a body as decoded; None if it is not JSON.

    A field that the webhook skips may have bytes that are not UTF-8.
    """
    try:
        return msgspec.json.decode(body.decode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return None


def _check_response(status: int, body: bytes, review: Any) -> Json:
    """Return the response of an AdmissionReview; empty for an error without a UID.

    `review` is None if the body is not JSON, which is not noticed in a field that is skipped.
    """
    decoded = _decode(body)
    if not isinstance(decoded, dict):
        raise _malformed(body)
    request = review.get("request") if isinstance(review, dict) else None
    uid = request.get("uid") if isinstance(request, dict) else None
    if decoded.get("kind") == "Status":
        expected = {"kind", "apiVersion", "metadata", "status", "message", "reason", "code"}
        if status not in {400, 413} or decoded.keys() != expected or decoded["code"] != status:
            raise _malformed(body)
        return {}
    response = decoded.get("response")
    if (
        status not in {200, 400}
        or decoded.keys() != {"apiVersion", "kind", "response"}
        or (decoded["apiVersion"], decoded["kind"]) != (API_VERSION, KIND)
        or not isinstance(response, dict)
        or (response.get("uid") != uid and review is not None)
        or not isinstance(response.get("allowed"), bool)
        or response.keys() - _RESPONSE_FIELDS
        or ("patch" in response) != ("patchType" in response)
        or ("patch" in response and (status != 200 or not response["allowed"]))
        or ("status" in response) == response["allowed"]
    ):
        raise _malformed(body)
    warnings = response.get("warnings", [])
    audit = response.get("auditAnnotations", {})
    if not all(isinstance(each, str) and not _CONTROL.search(each) for each in warnings) or not all(
        isinstance(each, str) for each in audit.values()
    ):
        raise _malformed(body)
    found: Json = response
    return found


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_RESPONSE_FIELDS = {
    "uid",
    "allowed",
    "status",
    "patch",
    "patchType",
    "warnings",
    "auditAnnotations",
}


def _malformed(body: bytes) -> BadResponse:
    return BadResponse("malformed responses", repr(body[:2000]))


def _check_patch(response: Json, body: bytes, installation: Installation) -> Json:
    """Return the patched pod."""
    before = _decode(body)["request"]["object"]
    after = _decode(body)["request"]["object"]
    try:
        patch = msgspec.json.decode(base64.b64decode(response["patch"], validate=True))
        after = jsonpatch.apply_patch(after, patch, in_place=True)
    except (
        binascii.Error,
        msgspec.DecodeError,
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
    ) as error:
        raise BadResponse("malformed responses", f"{error!r} {response['patch']}") from None
    labels, new_labels = (_get(pod, "metadata", "labels") for pod in (before, after))
    if any(new_labels.get(key) != value for key, value in labels.items()):
        raise BadResponse("changed labels", f"{labels} {new_labels}")
    own = {"app", role_label(installation.prefix)}
    for key in new_labels.keys() - labels.keys() - own:
        if is_reserved_label(key, installation.prefix):
            raise BadResponse("changed labels", f"reserved {key} {new_labels}")
    spec, new_spec = (_get(pod, "spec") | {"tolerations": None} for pod in (before, after))
    node = spec.get("nodeName")
    if node and isinstance(node, str) and spec != new_spec:
        raise BadResponse("other changes", f"of a pod with a preset node: {patch}")
    annotations, new = (_get(pod, "metadata", "annotations") for pod in (before, after))
    marker = f"{installation.prefix}/placement"
    added = {key.partition("/")[0] for key in new.keys() - annotations.keys() - {marker}}
    changed = [key for key in annotations.keys() - {marker} if new.get(key) != annotations[key]]
    if changed or not added <= ADDED_ANNOTATIONS:
        raise BadResponse("other changes", f"annotations {annotations} {new}")
    if _unplaced(before) != _unplaced(after):
        raise BadResponse("other changes", f"patch {patch}")
    if any(new_spec.get(each) not in (None, spec.get(each)) for each in _OF_PRIORITY):
        raise BadResponse("other changes", f"of a priority: {patch}")
    tolerations = _get(before, "spec").get("tolerations") or []
    if (_get(after, "spec").get("tolerations") or [])[: len(tolerations)] != tolerations:
        raise BadResponse("other changes", f"tolerations {tolerations} {patch}")
    found: Json = after
    return found


ADDED_ANNOTATIONS = {
    "example.org",
    "karpenter.sh",
    "container.apparmor.security.beta.kubernetes.io",
}
"""The prefixes of the annotations that drawn settings may add to a pod."""
_OF_PRIORITY = ("priority", "preemptionPolicy")
"""The fields that the API server computes from the class, if they are removed."""


def _get(pod: Json, *path: str) -> Json:
    value = pod
    for step in path:
        value = value.get(step) or {}
    return value


def _unplaced(pod: Json) -> Json:
    """Return a pod without the fields that a placement may change."""
    parents = {
        parent: {key: value for key, value in _get(pod, parent).items() if key not in fields}
        for parent, fields in PATCHED_FIELDS.items()
    }
    spec = parents["spec"]
    if isinstance(containers := spec.get("containers"), list):
        spec["containers"] = [*map(_without_patched_fields, containers)]
    return {**pod, **parents}


def _without_patched_fields(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    return {key: each for key, each in container.items() if key not in PATCHED_CONTAINER_FIELDS}
