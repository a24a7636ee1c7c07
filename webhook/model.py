"""The data types of the webhook, which the steps of a review take and return.

They are `msgspec` structs, which are immutable, typed, and cheap to serialize. The index keeps
plans serialized (`webhook.inventory`), without field names, so that longer names need no memory.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from webhook.kube.commands import KubectlFlags
from webhook.kube.objects import Json

WEBHOOK_NAMES = tuple(
    f"{pods}.convertor.forklift.konveyor.io" for pods in ("pods", "importers", "populators")
)
"""Names in a MutatingWebhookConfiguration, whatever the release is called. The chart leaves out
those that no role of `limits.roles` needs."""

NodeValues = Mapping[str, Collection[str]]
"""The values of labels on all nodes, by label key. Keys whose values are unknown are absent."""


class ClusterState(NamedTuple):
    """The state of the pods' cluster that a placement depends on."""

    node_values: NodeValues = MappingProxyType({})
    priority_classes: Collection[str] | None = None
    """The names of the PriorityClasses; None if they are not known."""


class Reviewed(StrEnum):
    """The kind of the reviewed object; each has its own URL path."""

    POD = "pod"
    PLAN = "plan"


class Mode(StrEnum):
    """The mode: decisions are enforced, only reported, or not made at all."""

    ENFORCE = "enforce"
    AUDIT = "audit"
    OFF = "off"


class Scope(StrEnum):
    """The namespaces of pod rules that specify none."""

    ALL = "all"
    OWN = "own"


class AffinityPolicy(StrEnum):
    """The handling of Forklift's spreading term: kept beside the plan's affinity, or replaced."""

    MERGE = "merge"
    REPLACE = "replace"


class Role(StrEnum):
    """The role of a pod in a migration; see `webhook.forklift.roles` for how it is recognized."""

    CONVERTOR = "convertor"
    INSPECTION = "inspection"
    FIRST_CONSUMER = "first-consumer"
    """The pod whose node decides where a volume is: of a class with WaitForFirstConsumer."""
    IMPORTER = "importer"
    POPULATOR = "populator"


DEFAULT_ROLES = (Role.CONVERTOR, Role.FIRST_CONSUMER)
"""The roles that a plan's settings apply to, unless the plan or the installation selects others."""


class Disks(StrEnum):
    """The placement of the disks of one VM: each by itself, or where the others are."""

    ANY = "any"
    TOGETHER = "together"


class OnError(StrEnum):
    """The result of a review if the plan's settings have problems."""

    ALLOW = "allow"
    DENY = "deny"


class Outcome(StrEnum):
    """The effect of a review on the pod or the plan."""

    PATCHED = "patched"
    UNCHANGED = "unchanged"
    DENIED = "denied"
    WOULD_PATCH = "would-patch"
    WOULD_DENY = "would-deny"
    REFUSED = "refused"
    """Refused for a moment, with HTTP 429: CDI creates the importer again after some seconds."""
    WOULD_REFUSE = "would-refuse"
    SKIPPED = "skipped"
    """Not a migration pod, or not a change of a plan's settings: nothing was looked up."""
    FAILED = "failed"
    """Not placed because the plan or the time was lacking, or because of an internal error."""


class Reason(StrEnum):
    """The reason of an outcome: a closed set, in log, metric, Event, audit annotation and docs."""

    PLACED = "Placed"
    WOULD_PLACE = "WouldPlace"
    ENFORCED = "Enforced"
    """The plan's own mode is not enforce: the pod has only what the installation enforces."""
    ALREADY_PLACED = "AlreadyPlaced"
    NOTHING_TO_PLACE = "NothingToPlace"
    SETTINGS_INVALID = "SettingsInvalid"
    SETTINGS_VALID = "SettingsValid"
    MODE_OFF = "ModeOff"
    ROLE_NOT_SELECTED = "RoleNotSelected"
    """The settings of the plan do not apply to pods of this role."""
    WAITING_FOR_DISK = "WaitingForDisk"
    """Another disk of the VM has to be bound first, because the plan keeps them together."""
    NOT_A_CONVERTOR_POD = "NotAConvertorPod"
    """Not a pod of a migration, in any role."""
    NOT_A_CREATE = "NotACreate"
    NOT_A_PLAN_CHANGE = "NotAPlanChange"
    MIRROR_POD = "MirrorPod"
    NO_PLAN_REFERENCE = "NoPlanReference"
    PLAN_NOT_FOUND = "PlanNotFound"
    PLAN_AMBIGUOUS = "PlanAmbiguous"
    PLANS_NOT_SYNCED = "PlansNotSynced"
    NOT_TARGET_NAMESPACE = "NotTargetNamespace"
    MALFORMED_POD = "MalformedPod"
    MALFORMED_REVIEW = "MalformedReview"
    REVIEW_TOO_LARGE = "ReviewTooLarge"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    OVERLOADED = "Overloaded"
    INTERNAL_ERROR = "InternalError"
    MISSED = "Missed"
    """Not of a review: a pod without its plan's settings was found, see `placement.missed`."""
    CHANGED_BACK = "ChangedBack"
    """Not of a review: another client has changed a placed pod."""
    PLACEMENT_CONFLICT = "PlacementConflict"
    """Not of a review: a disk is bound where the convertor pod of its VM cannot run."""


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """An invalid or disallowed setting, with its source location."""

    where: str
    """`Plan konveyor-forklift/db annotation convertor.…/affinity line 2 column 8`."""
    message: str
    """One line: what was expected, what was found, what to try. Lower case, no full stop."""
    detail: str = ""
    """The source lines with carets below the mistake, or empty."""
    command: str = ""
    """The kubectl command that the message ends with, for the current context; or empty."""
    others: int = 0
    """The number of invalid entries that have no problem of their own, if this one counts them."""
    beyond_limits: bool = False
    """True if the setting is valid, but not within `limits` of the installation."""
    digest: str | msgspec.UnsetType = msgspec.UNSET
    """Identifies a value beyond the limits, valid or not, or too large to be compared with them:
    another value there is another problem, even with an equal message. Not in reports."""

    def __str__(self) -> str:
        command = f": {self.command}" if self.command else ""
        return f"{self.where}: {self.message}{command}"

    def for_cluster(self, flags: KubectlFlags) -> "Problem":
        """Return the problem for a report, with the flags that select a cluster in its command."""
        command = flags.append_to(self.command)
        return msgspec.structs.replace(self, command=command, digest=msgspec.UNSET)

    def in_full(self) -> str:
        """Return the message with the source lines below it."""
        return f"{self}\n{self.detail}".rstrip()


class RoleSettings(msgspec.Struct, frozen=True, array_like=True):
    """The settings for pods of one role, each of which replaces the general one; None does not."""

    labels: dict[str, str] | None = None
    node_selector: dict[str, str] | None = None
    node_requirements: list[Json] | None = None
    """None if, and only if, `node_selector` is."""
    affinity: Json | None = None
    spread: list[Json] | None = None
    """Of the same rules as `affinity`, which replace the general ones; None for none."""
    tolerations: list[Json] | None = None
    resources: dict[str, str] | None = None
    priority_class: str | None = None
    pod_annotations: dict[str, str] | None = None


class Settings(msgspec.Struct, frozen=True, array_like=True):
    """The settings of a plan, merged over the installation's defaults, validated and compiled.

    Node expressions in `node_requirements` and `affinity` may have the operators `AtLeast` and
    `NotAtLeast`. When a pod is created, `webhook.karl.minimums.expand` replaces them by `In` and
    `NotIn` over the values of the nodes.
    """

    labels: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    node_requirements: list[Json] = []
    """Node expressions from `key=16+`, which are ANDed into every required node term."""
    affinity: Json = {}
    """A core/v1 Affinity: the plan's object, with the default scope, and its rules."""
    copied: Json = {}
    """`spec.convertorAffinity` as written, if the default scope has changed it in `affinity`.
    Forklift 2.10+ copies it into pods, where placement replaces these terms."""
    tolerations: list[Json] = []
    affinity_policy: AffinityPolicy = AffinityPolicy.MERGE
    mode: Mode | None = None
    """The plan's mode; None is that of the installation."""
    problems: list[Problem] = []
    pods: tuple[Role, ...] = DEFAULT_ROLES
    """The roles that the settings apply to, of those that the installation allows."""
    disks: Disks = Disks.ANY
    roles: dict[Role, RoleSettings] = {}
    spread: list[Json] = []
    """core/v1 TopologySpreadConstraints, from SPREAD rules."""
    resources: dict[str, str] = {}
    """Quantities of the main container, by `requests.cpu`, `limits.memory` and the like."""
    priority_class: str = ""
    pod_annotations: dict[str, str] = {}


class VmRules(msgspec.Struct, frozen=True, array_like=True):
    """The rules of a plan's VMs: `targetLabels`, `targetNodeSelector`, `targetAffinity`.

    They place no pod of the migration, but VMs and pods have the same disks.
    """

    labels: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    affinity: Json = {}
    """A core/v1 Affinity."""


class PlanRef(msgspec.Struct, frozen=True):
    """The reference of a pod to its plan; any part may be empty."""

    uid: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = "/".join(part for part in (self.namespace, self.name) if part)
        return named or self.uid


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """The parts of a Plan that placement needs."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    target_namespace: str = ""
    settings: Settings = Settings()
    settings_modified: str = ""
    """Time of the last change of the settings according to the API server, at the earliest the
    Plan's creation: RFC 3339 in UTC, in seconds. Empty if unknown."""
    vm_rules: VmRules | None = None
    """None if the Plan has none, as most."""

    @property
    def ref(self) -> PlanRef:
        return PlanRef(self.uid, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Pvc(msgspec.Struct, frozen=True, array_like=True):
    """A PersistentVolumeClaim of a migration, as far as placement reads it."""

    namespace: str
    name: str
    uid: str
    created: str = ""
    """RFC 3339 in UTC, in seconds."""
    ref: PlanRef | None = None
    """The plan that its labels name; None for a PVC that CDI populates another one through."""
    migration: str = ""
    """UID of the Migration."""
    vm: str = ""
    """`vmID`."""
    storage_class: str = ""
    volume: str = ""
    """Name of its PersistentVolume; empty until it is bound."""
    bound: bool = False
    deleting: bool = False


class PvcRef(NamedTuple):
    """A reference of a pod to its PVC."""

    namespace: str
    name: str
    uid: str


class SiblingDisk(NamedTuple):
    """Another disk of the same VM in the same migration, which is not being deleted."""

    name: str
    """Of its PVC."""
    bound: bool
    node_terms: list[Json] | None = None
    """The ORed node selector terms of its volume; empty if it is reachable from every node, None if
    they are not known: it is not bound, or its PersistentVolume has not been read yet."""
    storage_class: str = ""


class Disk(NamedTuple):
    """A disk of a VM: a PVC with Forklift's labels, and the state that decides on its pods."""

    pvc: Pvc
    bound: bool
    """Of the PVC that the pod writes to: `prime-UID` if CDI populates the disk through one."""
    waits_for_first_consumer: bool = True
    """By its StorageClass; True if that is not known."""
    age_seconds: float = 0.0
    """Of `pvc`, by the clock of the API server."""
    siblings: list[SiblingDisk] = []  # noqa: RUF012 - never changed
    is_first: bool = True
    """True if no other disk of the VM that is not bound is older, or as old with a smaller name."""


class MigrationPod(NamedTuple):
    """A pod of a migration, as `webhook.forklift.roles` recognizes it."""

    role: Role = Role.CONVERTOR
    ref: PlanRef | None = None
    disk: Disk | None = None
    """The disk that an importer or a populator writes; None if it is not known."""
    in_plan_namespace: bool = False
    """True for deep inspections, which are in the namespace of the Plan."""
    has_node: bool = False
    """True if the pod was created for a node, which no scheduler chooses then."""
    pvc: PvcRef | None = None
    """The PVC that an importer or a populator writes."""


class Limits(msgspec.Struct, frozen=True):
    """Limits on the settings of plans. None is the built-in limit: see `webhook.settings.limits`.

    In lists of keys and names a trailing `*` matches a prefix.
    """

    settings: tuple[str, ...] | None = None
    """Names of settings, as in annotations without a role; None allows all."""
    roles: tuple[Role, ...] = tuple(Role)
    labels: tuple[str, ...] | None = None
    """Keys; None allows all but those by which controllers and meshes select pods."""
    node_labels: tuple[str, ...] | None = None
    """Keys in node selectors and node rules; None allows all."""
    tolerations: tuple[str, ...] | None = None
    """As for kubectl taint; None allows all but those of control planes and failing nodes."""
    rule_namespaces: tuple[str, ...] | None = None
    """Namespaces whose pods rules may select besides those of the target; None allows all."""
    target_namespaces: tuple[str, ...] | None = None
    """None allows all."""
    avoid_topologies: tuple[str, ...] | None = None
    """Topology keys of required anti-affinity to pods of other namespaces; None allows nodes."""
    priority_classes: tuple[str, ...] = ()
    pod_annotations: tuple[str, ...] | None = None
    """Keys; None allows those that keep a pod from being evicted."""
    resources: dict[str, str] = {}
    """The largest quantity of `cpu`, `memory` and `ephemeral-storage`; absent ones have none."""


class ScratchVolume(msgspec.Struct, frozen=True):
    """A volume of its own for the temporary files of a conversion, for the life of its pod."""

    size: str
    storage_class: str = ""
    """Empty for the default class of the cluster."""


class ConvertorProfile(msgspec.Struct, frozen=True):
    """Privileges of convertor pods, which no plan can set: `convertor` of the installation."""

    seccomp: Json = {}
    """A core/v1 SeccompProfile."""
    app_armor: Json = {}
    """A core/v1 AppArmorProfile."""
    env: dict[str, str] = {}
    """Of the main container."""
    runtime_class: str = ""
    scratch_volume: ScratchVolume | None = None
    open_shift: bool = False
    """The security profiles are also for pods that Forklift creates for OpenShift."""


class Installation(msgspec.Struct, frozen=True):
    """The configuration for all plans."""

    mode: Mode = Mode.ENFORCE
    namespace_modes: dict[str, Mode] = {}
    """Modes by namespace of the pods; they override `mode`, and the plan's mode overrides them."""
    plan_modes: bool = True
    """A plan's annotation may override the mode."""
    scope: Scope = Scope.ALL
    on_error: OnError = OnError.ALLOW
    identity_labels: bool = True
    prefix: str = "convertor.forklift.konveyor.io"
    """The prefix of all annotations that the webhook reads or writes."""
    defaults: Json = {}
    """The defaults file as decoded: see `webhook.settings`."""
    limits: Limits = Limits()
    namespace_limits: dict[str, Limits] = {}
    """Limits by namespace of the Plan; a key that is absent there has that of `limits`."""
    enforced: Settings = Settings()
    """Node selector, affinity and tolerations of all pods, which no plan switches off."""
    convertor: ConvertorProfile = ConvertorProfile()
    namespace_convertors: dict[str, ConvertorProfile] = {}
    """Profiles by namespace of the pods; a key that is absent there has that of `convertor`."""
    kubernetes: int | None = None
    """The minor version of the pods' cluster, 30 for Kubernetes 1.30; None if it is not known."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that the API server calls the webhook for: those that some plan may place."""
        allowed = {role for each in self.all_limits() for role in each.roles}
        return tuple(role for role in Role if role in allowed)

    @property
    def has_priority_classes(self) -> bool:
        """True if some pod may get a PriorityClass, from its plan or from the defaults."""
        roles = self.defaults.get("roles") or {}
        own = [self.defaults, *(each for each in roles.values() if isinstance(each, dict))]
        allowed = any(each.priority_classes for each in self.all_limits())
        return allowed or any(each.get("priorityClass") for each in own)

    @property
    def has_profile(self) -> bool:
        """True if the convertor pods of some namespace have a profile."""
        profiles = (self.convertor, *self.namespace_convertors.values())
        return any(each != ConvertorProfile() for each in profiles)

    def all_limits(self) -> list[Limits]:
        """Return the general limits, and those of the namespaces."""
        return [self.limits, *self.namespace_limits.values()]

    def limits_for(self, namespace: str) -> Limits:
        """Return the limits of the Plans in a namespace."""
        return self.namespace_limits.get(namespace, self.limits)

    def profile_for(self, namespace: str) -> ConvertorProfile:
        """Return the profile of the convertor pods in a namespace."""
        return self.namespace_convertors.get(namespace, self.convertor)


class Request(msgspec.Struct, frozen=True):
    """The fields of an AdmissionRequest that the webhook uses."""

    uid: str
    operation: str = ""
    kind: str = ""
    """`group/version/Kind`, for the core group `v1/Pod`."""
    namespace: str = ""
    name: str = ""
    """If it is still to be generated, `generateName`."""
    subresource: str = ""
    dry_run: bool = False
    object: Json = {}
    """The fields of a pod or a Plan that reviews read; see `webhook.admission.raw_object`."""
    old_object: Json = {}
    malformed: str = ""
    """The field because of which the objects cannot be read, and why; then they are empty."""


class Decision(msgspec.Struct, frozen=True, weakref=True):
    """The result of a review. Response, log, metric and Event are derived from it alone."""

    outcome: Outcome
    reason: Reason
    message: str = ""
    """One sentence in lower case, without a full stop."""
    mode: Mode = Mode.ENFORCE
    plan: PlanRef | None = None
    generation: int = 0
    patch: list[Json] = []
    """RFC 6902 operations; in audit mode those that enforce would apply."""
    warnings: list[str] = []
    """Warnings for the client that created the pod; truncated to Kubernetes' limits on encoding."""
    problems: list[Problem] = []
    role: Role | None = None
    """None for a Plan, and for a pod that is not of a migration."""
