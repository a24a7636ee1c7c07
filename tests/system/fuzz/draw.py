"""Plans and reviews drawn at random: real ones of Forklift, changed a little or a lot.

Everything is drawn with one `Random`, so a seed repeats it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

import msgspec

from tests.support import builders, worlds
from tests.support.builders import PREFIX
from tests.support.paths import DATA, ROOT
from tests.system.fuzz import documents
from tests.system.fuzz.recipe import Path, change_part
from webhook.forklift.labels import SYSTEM_LABELS
from webhook.forklift.roles import recognize
from webhook.inventory import plan_files
from webhook.inventory.pvc_index import PvcIndex
from webhook.kube.objects import Json
from webhook.model import (
    AffinityPolicy,
    Disks,
    Installation,
    Mode,
    OnError,
    PlanRef,
    Pvc,
    PvcRef,
    Scope,
)
from webhook.settings.installation import read_installation

NAMESPACES = ("target", worlds.TARGET, "vms", "other")

_LABELS = (
    "team=a",
    "batch=1,workload=migration",
    "app=other",
    "plan=x",
    "a b=c",
    "",
    "k=v,k=w",
    ",",
)
_SELECTORS = ("disk=nvme", "memory=64Gi+", "cores=16+,disk=ssd", "memory=x+", "a=b=c", "zone=a")
_RULES = (
    "REQUIRE pods(app=ceph-osd) on node",
    "PREFER pods(app=web) on zone weight=5; AVOID pods(tier=db) on node",
    "REQUIRE nodes(memory>=64Gi)",
    "AVOID nodes(disk=hdd, cores<8); REQUIRE nodes(cores>=16)",
    "SPREAD pods(app=virt-v2v) on zone hard; SPREAD pods(has plan) on node skew=2",
    "SPREAD pods(app=virt-v2v) on zone; REQUIRE nodes(disk=ssd)",
    "REPEL pods(app=virt-v2v) on zone",
    "REQUIRE nodes(a in [1,2,3,4,5,6,7,8]); REQUIRE nodes(b in [1,2]); AVOID nodes(c=1,d=2,e=3)",
    "REQIRE pods(app=web)",
    '{"podAffinity": {}}',
    "\u200b",
)
_TOLERATIONS = ("dedicated=migration:NoSchedule", "gpu:NoExecute,spot", "a=b:c", ":", "spot,spot")
_RESOURCES = (
    "requests.cpu=2,requests.memory=4Gi,limits.memory=12Gi",
    "limits.memory=1Mi",
    "requests.memory=64Gi",
    "requests.cpu=2,limits.cpu=1",
    "requests.gpu=1",
    "requests.cpu=",
    "requests.ephemeral-storage=60Gi",
)
_ANNOTATIONS: dict[str, tuple[str, ...]] = {
    "labels": _LABELS,
    "node-selector": _SELECTORS,
    "affinity": _RULES,
    "tolerations": _TOLERATIONS,
    "mode": (*Mode, "of"),
    "affinity-policy": (*AffinityPolicy, "replaced"),
    "scope": (*Scope, "none"),
    "pods": ("all", "all", "all", "convertor,importer", "", "x", "populator"),
    "disks": (*Disks, "apart"),
    "labels.importer": _LABELS,
    "affinity.first-consumer": _RULES,
    "affinity.importer": _RULES,
    "node-selector.populator": _SELECTORS,
    "tolerations.populator": _TOLERATIONS,
    "resources": _RESOURCES,
    "resources.importer": _RESOURCES,
    "priority-class": ("migration", "low", "absent", "", "A b"),
    "priority-class.populator": ("low", ""),
    "pod-annotations": ("example.org/a=b", "karpenter.sh/do-not-disrupt=true,a=b", "a b=c", ""),
    "pod-annotations.first-consumer": ("example.org/a=c",),
    "seccomp-profile": ("Unconfined",),
    "placement": ("{}",),
    "typo": ("x",),
}
_UNCACHED = ("resources", "priority-class")
"""The settings whose pods do not share a response, so that most plans have neither."""

_KEYS = (
    *SYSTEM_LABELS,
    *("forklift.app/plan", "app", "team", "batch", "disk", "memory", "cores", "", "a b", "~1/~0"),
    f"{PREFIX}/placement",
    "kubernetes.io/config.mirror",
    *("matchLabels", "matchExpressions", "values", "key", "operator", "weight", "preference"),
    *("labels", "annotations", "nodeSelector", "affinity", "tolerations", "metadata", "spec"),
)
_TEXTS = (
    *(
        "",
        "virt-v2v",
        "target",
        "db",
        "true",
        "64Gi",
        "64Gi+",
        "16+",
        "CREATE",
        "v1",
        "In",
        "NotIn",
    ),
    *("Exists", "é", "\u200b", "\x1b[31m", "a\nb", "\u2028", "/", "~1", '"', "\\", "\U0001f600"),
    *("x" * 64, "y" * 300, "NoSchedule", "kubernetes.io/hostname", "0", "-1", "null", "{}"),
)
_BYTES = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xff", b"\x00"),
    *(b"null", b"true", b"1e400", b"-0", b"9" * 30, b"NaN", b'"a":1,', b" ", b"\n", b'"uid":"u",'),
    *(b'"labels":{},', b'"object":null,', b'"request":{},', b'"plan":"x",', b"\xe2\x80\xa8"),
)
_KINDS = (
    *({"group": "", "version": "v1", "kind": kind} for kind in ("Pod", "pod", "Node", "")),
    {"group": "apps", "version": "v1", "kind": "Pod"},
    {"group": "forklift.konveyor.io", "version": "v1beta1", "kind": "Plan"},
    {"version": "v1", "kind": "Pod"},
)


class Drawn(NamedTuple):
    """A request to the webhook."""

    path: str
    body: bytes


class Source:
    """Draws reviews of pods and plans; successive ones are often similar."""

    def __init__(self, random: Random, plans: list[Json]) -> None:
        self._random = random
        self._plans = plans
        self._number = 0
        self._last = documents.pod(), NAMESPACES[0]

    def draw(self) -> Drawn:
        """Draw a request."""
        self._number += 1
        if self._random.random() < 0.08:
            path, review = "/validate", self._plan_review()
        else:
            path, review = "/mutate", self._pod_review()
        if self._random.random() < 0.25:
            review["request"] = self._change(review["request"])
        if self._random.random() < 0.02:
            review = self._change(review)
        body = msgspec.json.encode(review)
        if self._random.random() < 0.1:
            body = self._damage(body)
        return Drawn(path, body)

    def draw_uid(self) -> str:
        return f"{self._number:08x}-{self._random.getrandbits(16):04x}"

    def _pod_review(self) -> Json:
        random = self._random
        if random.random() < 0.6:
            self._last = self._draw_pod()
        pod, namespace = self._last
        pod = change_part(pod, ("metadata", "labels"), _with_member("vmID", f"vm-{self._number}"))
        request: Json = {
            "uid": self.draw_uid(),
            "kind": random.choice(_KINDS) if random.random() < 0.05 else _KINDS[0],
            "operation": "CREATE",
            "namespace": random.choice(NAMESPACES) if random.random() < 0.05 else namespace,
            "object": pod,
            "dryRun": random.random() < 0.1,
        }
        if random.random() < 0.2:
            request |= self._draw_fields(pod)
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}

    def _draw_fields(self, item: Json) -> Json:
        """Draw fields of a request that are rare in creations."""
        random = self._random
        fields: Json = {
            "operation": random.choice(("UPDATE", "DELETE", "CONNECT", "CREATE", "", "create")),
            "oldObject": random.choice((None, item, {}, [], "x", 1, {"metadata": []}, True)),
            "subResource": random.choice((None, "", "status", "exec", 0)),
            "name": random.choice((None, "", "db-vm-1", "x" * 300, 5)),
            "dryRun": random.choice((None, True, False, "yes")),
            "object": random.choice((None, item, {}, [item], "pod")),
            "namespace": random.choice((None, "", "target", 3)),
        }
        return {field: fields[field] for field in random.sample([*fields], random.randint(1, 3))}

    def _draw_pod(self) -> tuple[Json, str]:
        """Draw a real pod of one of the plans, often changed, and the plan's target namespace."""
        random = self._random
        pod: Json = random.choice(real_pods())
        plan_object = random.choice(self._plans)
        plan = plan_object["metadata"]
        metadata = dict(pod.get("metadata") or {})
        labels: Json = dict(metadata.get("labels") or {})
        if random.random() < 0.5:
            labels["forklift.app"] = "virt-v2v"
        if random.random() < 0.8:
            labels["plan"] = plan.get("uid", "")
        if random.random() < 0.5:
            labels |= {"plan-name": plan["name"], "plan-namespace": plan["namespace"]}
        if random.random() < 0.2:
            labels = {key: text for key, text in labels.items() if not key.startswith("plan")}
        pod = pod | {"metadata": metadata | {"labels": labels}}
        spec = dict(pod.get("spec") or {})
        if random.random() < 0.2:
            spec["affinity"] = documents.AFFINITY
        if random.random() < 0.2:
            spec["nodeSelector"] = {"memory": "64Gi+", "disk": random.choice(("ssd", "nvme"))}
        pod = pod | {"spec": spec}
        while random.random() < 0.4:
            pod = self._change(pod)
        leads_by_pvc = labels.keys() & {"pvcName", "cdi.kubevirt.io"} and random.random() < 0.7
        return pod, NAMESPACES[0] if leads_by_pvc else plan_object["spec"]["targetNamespace"]

    def _plan_review(self) -> Json:
        random = self._random
        plan = self.draw_plan() if random.random() < 0.3 else random.choice(self._plans)
        old = plan if random.random() < 0.5 else random.choice(self._plans)
        while random.random() < 0.3:
            plan = self._change(plan)
        request: Json = {
            "uid": self.draw_uid(),
            "kind": builders.PLAN_KIND,
            "operation": "UPDATE",
            "namespace": "konveyor-forklift",
            "object": plan,
            "oldObject": old,
        }
        if random.random() < 0.2:
            request |= self._draw_fields(plan)
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}

    def draw_plan(self) -> Json:
        return draw_plan(self._random)

    def _change(self, item: Json) -> Json:
        """Change, add or remove one value."""
        random = self._random
        path: Path = ()
        value: Any = item
        while value and isinstance(value, dict | list) and random.random() < 0.8:
            steps: Iterable[Any] = value if isinstance(value, dict) else range(len(value))
            step = random.choice([*steps])
            path, value = (*path, step), value[step]
        changed = change_part(item, path, self._draw_change())
        return changed if isinstance(changed, dict) else item

    def _draw_change(self) -> Callable[[Any], Any]:
        random = self._random

        def change(value: Any) -> Any:
            if isinstance(value, dict) and random.random() < 0.8:
                key = random.choice((*_KEYS, *value))
                if random.random() < 0.3:
                    return {each: value[each] for each in value if each != key}
                return value | {key: self._draw_value(value)}
            if isinstance(value, list) and random.random() < 0.7:
                position = random.randint(0, len(value))
                return value[:position] + random.choice(
                    ([], value, [self._draw_value(value)], value[position : position + 1] * 3)
                )
            return self._draw_value(value)

        return change

    def _draw_value(self, before: Any) -> Any:
        """Draw a value of any type, often a text; seldom a large one."""
        random = self._random
        choices: list[Any] = [
            None,
            random.choice((0, 1, -1, 2**53, 10**18, 1.5, True, False)),
            random.choice(({}, [], [[]], {"a": {}}, [None], {"": None})),
            [before],
            {random.choice(_KEYS): before},
            *(random.choice(_TEXTS) for _ in range(6)),
        ]
        if random.random() < 0.01:
            choices = [random.choice(_TEXTS) * 3000, [before] * random.choice((10, 70, 300))]
        return random.choice(choices)

    def _damage(self, body: bytes) -> bytes:
        """Change some bytes; the result is seldom JSON."""
        random = self._random
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            start = random.randrange(len(body) + 1)
            match random.randrange(5):
                case 0:
                    body = body[:start]
                case 1:
                    body = body[:start] + random.choice(_BYTES) + body[start:]
                case 2:
                    body = body[:start] + random.choice(_BYTES) + body[start + 1 :]
                case 3:
                    body = body[:start] + body[start + random.randint(1, 30) :]
                case _:  # a member again, as `"key":value,` before a key
                    comma = body.find(b',"', start) + 1
                    end = body.find(b',"', comma) + 1
                    if 0 < comma < end:
                        at = random.choice((comma, end))
                        body = body[:at] + body[comma:end] + body[at:]
        return body


def _with_member(key: str, value: Any) -> Callable[[Any], Any]:
    """Return a function that sets a member of a map, and leaves other values as they are."""
    return lambda members: members | {key: value} if isinstance(members, dict) else members


@cache
def real_pods() -> list[Json]:
    """Return the pods that Forklift and CDI create."""
    files = [
        ROOT / "examples" / "review.json",
        *sorted((ROOT / "examples" / "pods").glob("*.json")),
        *sorted((DATA / "pods").glob("*.json")),
        *sorted((DATA / "migration-pods").glob("*.json")),
    ]
    found = [json.loads(file.read_text()) for file in files]
    return [each["request"]["object"] if "request" in each else each for each in found]


@cache
def real_plans() -> list[Json]:
    """Return the plans of the examples, and one with every field."""
    found = [documents.plan()]
    for file in sorted((ROOT / "examples" / "plans").glob("*.yaml")):
        found += plan_files.read_file(file).plans
    return found


def draw_plan(random: Random) -> Json:
    """Draw a Plan with valid and invalid settings, in annotations and in its spec."""
    match random.randrange(3):
        case 0:
            plan = random.choice(real_plans())
        case 1:
            plan = worlds.draw_plan(random)
        case _:
            plan = builders.plan(
                annotations={
                    name: random.choice(texts)
                    for name, texts in _ANNOTATIONS.items()
                    if random.random() < (0.1 if name.startswith(_UNCACHED) else 0.5)
                }
            )
    number = random.randrange(100)
    metadata = plan["metadata"] | {"name": f"plan-{number}", "uid": f"b277064e-{number:04}"}
    if random.random() < 0.1:
        del metadata["uid"]
    spec = plan["spec"] | {"targetNamespace": random.choice((*NAMESPACES, "target", "target"))}
    if random.random() < 0.2:
        spec["convertorLabels"] = {"batch": "1", random.choice(_KEYS): random.choice(_TEXTS)}
    if random.random() < 0.2:
        spec["convertorNodeSelector"] = {"memory": "64Gi+", "disk": "ssd"}
    if random.random() < 0.2:
        spec["convertorAffinity"] = documents.AFFINITY
    return plan | {"metadata": metadata, "spec": spec}


def draw_installation(random: Random) -> Installation:
    """Draw an installation with any modes and defaults."""
    defaults = documents.installation()["defaults"]
    parts = {"limits": documents.LIMITS, "enforced": documents.ENFORCED}
    drawn = {name: _draw_keys(random, each) for name, each in parts.items()}
    if random.random() < 0.2:
        drawn["limits"]["namespaces"] = {"konveyor-forklift": _draw_keys(random, documents.LIMITS)}
    profile, of_target = (_draw_keys(random, documents.PROFILE) for _ in range(2))
    if random.random() < 0.3:
        drawn["convertor"] = profile | random.choice(({}, {"namespaces": {"target": of_target}}))
    installation, problems = read_installation(drawn, "drawn")
    assert problems == []
    return msgspec.structs.replace(
        installation,
        mode=random.choice([*Mode, *[Mode.ENFORCE] * 4]),
        namespace_modes=random.choice(({}, {"target": Mode.ENFORCE}, {"vms": Mode.AUDIT})),
        plan_modes=random.random() < 0.7,
        scope=random.choice([*Scope]),
        on_error=OnError.DENY if random.random() < 0.2 else OnError.ALLOW,
        identity_labels=random.random() < 0.8,
        prefix=PREFIX if random.random() < 0.8 else "example.com",
        defaults={name: each for name, each in defaults.items() if random.random() < 0.3}
        | ({"disks": "together"} if random.random() < 0.4 else {}),
        kubernetes=random.choice((None, 25, 29, 30, 36)),
    )


def _draw_keys(random: Random, document: Json) -> Json:
    """Draw some of the keys, often none."""
    share = random.choice((0, 0, 0.3, 1))
    return {key: value for key, value in document.items() if random.random() < share}


def draw_pvcs(random: Random, plans: list[Json]) -> Iterator[Pvc]:
    """Draw the PVCs of the pods that lead to their plan by one, some of them as disks of one VM.

    Their time of creation is their age in seconds.
    """
    refs = random.sample(_list_pvc_refs(), len(_list_pvc_refs()))
    for ref in {ref.uid: ref for ref in refs}.values():  # the printed PVCs share a UID
        own = [plan for plan in plans if plan["spec"]["targetNamespace"] == ref.namespace]
        plan = random.choice(own or plans)["metadata"]
        bound = random.random() < 0.5
        yield Pvc(
            ref.namespace,
            ref.name,
            ref.uid,
            created=random.choice(("1", "60", "700")),
            ref=PlanRef(plan.get("uid", ""), plan["namespace"], plan["name"]),
            migration="m",
            vm=random.choice(("vm-1", "vm-2", "vm-3")),
            storage_class=random.choice(("local", "immediate")),
            volume="pv-1" if bound else "",
            bound=bound,
            deleting=random.random() < 0.05,
        )


@cache
def _list_pvc_refs() -> list[PvcRef]:
    kinds = [recognize(pod.get("metadata") or {}, "target") for pod in real_pods()]
    return [*dict.fromkeys(kind.pvc for kind in kinds if kind and kind.pvc)]


def set_node_terms(random: Random, index: PvcIndex, uid: str) -> None:
    """Draw the node terms of a volume."""
    if pvc := index.find_unread_volume(uid):
        zones = [{"key": "zone", "operator": "In", "values": [random.choice("ab")]}]
        index.set_node_terms(pvc, random.choice(([], [{"matchExpressions": zones}])))
