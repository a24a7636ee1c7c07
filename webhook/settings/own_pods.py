"""The pods of a plan's own migrations, as far as pod terms may select them.

A required pod term that selects them leaves pods of other roles pending: it waits for a pod that
comes later, or keeps the disks of a VM apart.
"""

from typing import NamedTuple

from webhook.forklift.labels import (
    CDI_APP,
    CONVERTOR_LABEL,
    CONVERTOR_VALUE,
    SYSTEM_LABELS,
    role_label,
)
from webhook.forklift.roles import (
    DEEP_INSPECTION,
    IMPORTER_LABEL,
    IMPORTER_VALUE,
    POPULATOR_LABEL,
    ROLES_BY_APP,
)
from webhook.kube.labels import check_value
from webhook.kube.objects import Json
from webhook.kube.selectors import expression_matches, list_requirements
from webhook.kube.webhook_selectors import NAME_LABEL
from webhook.model import Installation, Plan, Role

_Labels = dict[str, str | None]
"""Labels of which those that are None may have any value, or be absent."""

_OTHERS: _Labels = dict.fromkeys(sorted(SYSTEM_LABELS - {CONVERTOR_LABEL}))
"""The labels of Forklift that depend on its release and on the VM."""
_IMPORTER: _Labels = {
    "app": CDI_APP,
    "app.kubernetes.io/component": "storage",
    "app.kubernetes.io/managed-by": "cdi-controller",
    "app.kubernetes.io/part-of": None,
    "app.kubernetes.io/version": None,
    "prometheus.cdi.kubevirt.io": "true",
    "alerts.k8s.io/KubePersistentVolumeFillingUp": None,
    "velero.io/exclude-from-backup": None,
    "vmUUID": None,
    IMPORTER_LABEL: IMPORTER_VALUE,
}
_POPULATOR: _Labels = {POPULATOR_LABEL: None, "sourceHost": None}


class OwnPod(NamedTuple):
    """A migration pod of a plan, which may exist now or later."""

    namespace: str
    labels: _Labels

    def may_match(self, term: Json) -> bool:
        """Return whether a PodAffinityTerm of a pod in the target namespace may select this one.

        Labels of namespaces are not known, except the one with the name.
        """
        selector = term.get("labelSelector")
        return selector is not None and all(
            _may_match(each, self.labels) for each in list_requirements(selector)
        )


class OwnPods(NamedTuple):
    """The migration pods of a plan, one of each kind."""

    target_namespace: str
    pods: list[OwnPod]

    def may_match(self, term: Json) -> bool:
        """Return whether a PodAffinityTerm of a pod of this plan may select one of them."""
        return any(pod.may_match(term) and self._is_in(pod.namespace, term) for pod in self.pods)

    def _is_in(self, namespace: str, term: Json) -> bool:
        names, selector = term.get("namespaces") or [], term.get("namespaceSelector")
        if selector is None:
            return namespace in (names or [self.target_namespace])
        return namespace in names or all(
            each["key"] != NAME_LABEL or expression_matches(each, {NAME_LABEL: namespace})
            for each in list_requirements(selector)
        )


def list_own_pods(plan: Plan, installation: Installation) -> OwnPods:
    """Return the migration pods of a plan, with the labels that its settings add."""
    target = plan.target_namespace
    pods = []
    for app, role in ROLES_BY_APP.items():
        namespace = plan.namespace if app == DEEP_INSPECTION else target
        labels: _Labels = {CONVERTOR_LABEL: app, "plan": plan.uid or None}
        pods.append(OwnPod(namespace, _OTHERS | _added(plan, role, installation) | labels))
    by_pvc = (
        (Role.FIRST_CONSUMER, _IMPORTER),
        (Role.IMPORTER, _IMPORTER),
        (Role.POPULATOR, _POPULATOR),
    )
    for role, labels in by_pvc:
        pods.append(OwnPod(target, _OTHERS | _added(plan, role, installation) | labels))
    return OwnPods(target, pods)


def identity_labels(plan: Plan) -> dict[str, str]:
    """Return the labels by which rules and commands select the convertor pods of a plan."""
    labels = {"app": CONVERTOR_VALUE}
    if check_value(plan.name) is None:
        labels["forklift.app/plan"] = plan.name
    return labels


def role_labels(role: Role, installation: Installation) -> dict[str, str]:
    """Return the label that marks a placed pod; convertor pods have none."""
    return {} if role is Role.CONVERTOR else {role_label(installation.prefix): role.value}


def _added(plan: Plan, role: Role, installation: Installation) -> dict[str, str | None]:
    settings = plan.settings
    added: dict[str, str | None] = {}
    if role is Role.CONVERTOR:
        added |= dict.fromkeys(settings.labels)  # of spec.convertorLabels, by Forklift itself
        added |= identity_labels(plan) if installation.identity_labels else {}
    if role in settings.pods:
        own = settings.roles[role].labels if role in settings.roles else None
        added |= (settings.labels if own is None else own) | role_labels(role, installation)
    return added


def _may_match(requirement: Json, labels: _Labels) -> bool:
    key = requirement["key"]
    value = labels.get(key)
    if value is None and key in labels:
        return True
    return expression_matches(requirement, {} if value is None else {key: value})
