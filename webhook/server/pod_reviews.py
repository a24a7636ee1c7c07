"""The review of a pod, from the body of the request to the response.

Nothing waits on the way, except for a plan that the watch has not delivered yet, or for the PVC of
an importer whose place depends on it.
"""

import asyncio
import contextlib
from time import perf_counter

from webhook.admission import review
from webhook.admission.cache import ResponseCache, fingerprint_of
from webhook.admission.mutate import decide, identify
from webhook.admission.review import ReviewResponse
from webhook.inventory import NO_PRIORITY_CLASSES, NO_PVCS, Plans, PriorityClasses, Pvcs
from webhook.model import (
    ClusterState,
    Decision,
    Disks,
    Installation,
    MigrationPod,
    NodeValues,
    Plan,
    PlanRef,
    Reason,
    Request,
    Role,
)
from webhook.placement import reads_whole_pod
from webhook.placement.role_settings import applies

_POLL_SECONDS = 0.02


class PodReviewHandler:
    """Responds to the reviews of pods."""

    def __init__(
        self,
        plans: Plans,
        installation: Installation,
        pvcs: Pvcs = NO_PVCS,
        priority_classes: PriorityClasses = NO_PRIORITY_CLASSES,
    ) -> None:
        self._plans = plans
        self._priority_classes = priority_classes
        self._pvcs = pvcs
        self._installation = installation
        self._cache = ResponseCache()

    async def __call__(self, body: bytes, deadline: float) -> ReviewResponse:
        """Return the response to a review by `deadline`, a time of `perf_counter`.

        The placement of a convertor pod is decoded only if its fingerprint is not cached.

        Raises:
            BadReview: the body is not a review.

        """
        raw = review.read(body)
        fingerprint = fingerprint_of(raw)
        request = fingerprint.request if fingerprint else raw.decode()
        pod = MigrationPod(ref=fingerprint.ref) if fingerprint else self._identify(request)
        if isinstance(pod, Decision):
            return review.respond(request, pod)

        plan = self._plans.find(pod.ref) if pod.ref else Reason.NO_PLAN_REFERENCE
        if pod.ref and not isinstance(plan, Plan) and _may_arrive(pod, plan):
            plan = await self._wait_for_plan(pod.ref, deadline)
        node_values = self._plans.node_values
        whole = isinstance(plan, Plan) and reads_whole_pod(plan, self._installation)
        key = None if whole else fingerprint
        if cached := self._cache.get(key, plan, node_values):
            return cached

        if fingerprint:
            request = raw.decode()
            pod = self._identify(request)
        elif isinstance(plan, Plan) and _needs_disk(pod, plan):
            pod = await self._wait_for_disk(request, pod, deadline)
        decision = (
            pod
            if isinstance(pod, Decision)
            else decide(request, pod, plan, self._installation, self._state(node_values))
        )
        response = review.respond(request, decision)
        self._cache.put(key, plan, node_values, response)
        return response

    def _state(self, node_values: NodeValues) -> ClusterState:
        return ClusterState(node_values, self._priority_classes.names)

    def _identify(self, request: Request) -> MigrationPod | Decision:
        return identify(request, self._installation, self._pvcs.find_disk)

    async def _wait_for_disk(
        self, request: Request, pod: MigrationPod, deadline: float
    ) -> MigrationPod | Decision:
        """Identify a pod again until its disk is known; its PVC is usually 0.2 s older."""
        found: MigrationPod | Decision = pod
        last = perf_counter() + 0.9 * (deadline - perf_counter())  # the rest is for placing the pod
        while isinstance(found, MigrationPod) and found.disk is None and perf_counter() < last:
            await asyncio.sleep(_POLL_SECONDS)
            found = self._identify(request)
        return found

    async def _wait_for_plan(self, ref: PlanRef, deadline: float) -> Plan | Reason:
        seconds = deadline - perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # even if the source waits longer
                return await self._plans.fetch(ref, seconds)
        return Reason.DEADLINE_EXCEEDED


def _needs_disk(pod: MigrationPod, plan: Plan) -> bool:
    """Return whether the place of an importer depends on other disks, but its own is not known.

    Without it the importer would be placed by itself, apart from them.
    """
    if pod.role is not Role.FIRST_CONSUMER or pod.pvc is None or pod.disk or pod.has_node:
        return False
    return plan.settings.disks is Disks.TOGETHER and applies(pod, plan)


def _may_arrive(pod: MigrationPod, reason: Reason) -> bool:
    """Return whether the next event of the watch may deliver the plan of a pod.

    The plan of a known disk is older than its PVC: if it is not found, it was deleted.
    """
    missing = reason is Reason.PLAN_NOT_FOUND and pod.disk is None
    return missing or reason is Reason.PLANS_NOT_SYNCED
