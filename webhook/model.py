"""The words of the webhook: the values that its stages hand to one another.

Every stage of a review takes and returns these; nothing here does anything. They are
`msgspec` structs because those are immutable, typed, and cheap to pack (`webhook.inventory`).
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from webhook.kube.objects import Json

NodeValues = Mapping[str, Collection[str]]
"""The values of a label on all nodes together, by the label's key; an unknown key is not there."""


class Reviewed(StrEnum):
    """What reviews are of: each has a path of its own."""

    POD = "pod"
    PLAN = "plan"


class Mode(StrEnum):
    """What becomes of a decision: carried out, only told, or not even made."""

    ENFORCE = "enforce"
    AUDIT = "audit"
    OFF = "off"


class Scope(StrEnum):
    """Where a pod rule looks that names no namespace."""

    ALL = "all"
    OWN = "own"


class AffinityPolicy(StrEnum):
    """Whether Forklift's own spreading term stays beside the plan's affinity."""

    MERGE = "merge"
    REPLACE = "replace"


class OnError(StrEnum):
    """What a problem in the settings does to the pod."""

    ALLOW = "allow"
    DENY = "deny"


class Outcome(StrEnum):
    """What a review's answer does to the pod, or to the plan."""

    PATCHED = "patched"
    UNCHANGED = "unchanged"
    DENIED = "denied"
    WOULD_PATCH = "would-patch"
    WOULD_DENY = "would-deny"
    SKIPPED = "skipped"
    """Not one of our pods, no change of a plan: nothing was looked up."""
    FAILED = "failed"
    """Ours to place, and not placed for want of knowledge or time, or by a fault of ours."""


class Reason(StrEnum):
    """Why; a closed set, the same in log, metric, Event, audit annotation and docs."""

    PLACED = "Placed"
    WOULD_PLACE = "WouldPlace"
    ALREADY_PLACED = "AlreadyPlaced"
    NOTHING_TO_PLACE = "NothingToPlace"
    SETTINGS_INVALID = "SettingsInvalid"
    SETTINGS_VALID = "SettingsValid"
    MODE_OFF = "ModeOff"
    NOT_A_CONVERTOR_POD = "NotAConvertorPod"
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
    """Not of a review: a pod is there without what its plan asks, see `placement.missed`."""
    CHANGED_BACK = "ChangedBack"
    """Not of a review: somebody has changed a placed pod since."""


class Problem(msgspec.Struct, frozen=True):
    """Something in the settings that cannot be done, with the place where it is written."""

    where: str
    """`Plan konveyor-forklift/db annotation convertor.…/affinity line 2 column 8`."""
    message: str
    """One line: what was expected, what was found, what to try. Lower case, no full stop."""
    detail: str = ""
    """The source with a caret under the fault, several lines; empty where there is none."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"

    def in_full(self) -> str:
        """Return the line, and below it the source with its caret."""
        return f"{self}\n{self.detail}".rstrip()


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a plan, over the installation's defaults, asks for its convertor pods.

    Everything is checked and compiled: placing a pod needs no parser. Node expressions in
    `node_requirements` and `affinity` may carry the operator `AtLeast` (and its opposite
    `NotAtLeast`), which is not Kubernetes': `webhook.karl.minimums.expand` turns it into `In` and
    `NotIn` over the values that the nodes have when a pod arrives.
    """

    labels: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    node_requirements: list[Json] = []
    """Node expressions from `key=16+`, ANDed into every required node term."""
    affinity: Json = {}
    """A core/v1 Affinity: the plan's object, widened to its scope, and its rules."""
    copied: Json = {}
    """`spec.convertorAffinity` as written, where `affinity` has it widened: Forklift 2.10+
    puts these very terms into its pods, and there they are to be corrected in place."""
    tolerations: list[Json] = []
    affinity_policy: AffinityPolicy = AffinityPolicy.MERGE
    mode: Mode | None = None
    """The plan's own word on the mode; None leaves it to the installation."""
    problems: list[Problem] = []


class PlanRef(msgspec.Struct, frozen=True):
    """What a pod says of its owning plan; any part may be empty."""

    uid: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = "/".join(part for part in (self.namespace, self.name) if part)
        return named or self.uid


class Plan(msgspec.Struct, frozen=True):
    """A Plan as far as placing its pods needs it."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 0
    target_namespace: str = ""
    settings: Settings = Settings()
    written: str = ""
    """When the settings were last written, in RFC 3339 and UTC to the second, by the API server's
    own record; at the earliest when the Plan was created. Empty where that is not known."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Installation(msgspec.Struct, frozen=True):
    """What whoever installed the webhook decided for all plans."""

    mode: Mode = Mode.ENFORCE
    namespace_modes: dict[str, Mode] = {}
    """Mode by the pod's namespace; more specific than `mode`, less than the plan's."""
    plan_modes: bool = True
    """Whether a plan's annotation may override the mode."""
    scope: Scope = Scope.ALL
    on_error: OnError = OnError.ALLOW
    identity_labels: bool = True
    prefix: str = "convertor.forklift.konveyor.io"
    """Of every annotation that the webhook reads or writes."""
    defaults: Json = {}
    """The defaults file as decoded: see `webhook.settings`."""


class Request(msgspec.Struct, frozen=True):
    """The part of an AdmissionReview's request that matters here."""

    uid: str
    operation: str = ""
    kind: str = ""
    """`group/version/Kind`, without the group's slash for core: `v1/Pod`."""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False
    object: Json = {}
    old_object: Json = {}


class Decision(msgspec.Struct, frozen=True):
    """The result for one review. Response, log, metric and Event are made from it alone."""

    outcome: Outcome
    reason: Reason
    message: str = ""
    """One sentence for people; lower case, no full stop."""
    mode: Mode = Mode.ENFORCE
    plan: PlanRef | None = None
    generation: int = 0
    patch: list[Json] = []
    """RFC 6902; what enforce does, in audit mode what it would do."""
    warnings: list[str] = []
    """For the client that created the pod; cut to Kubernetes' limits when encoded."""
    problems: list[Problem] = []
