"""The review of a pod, from the body of the request to the response.

Nothing waits on the way, except for a plan that the watch has not delivered yet.
"""

import asyncio
import contextlib
from time import perf_counter

from webhook.admission import review
from webhook.admission.cache import ResponseCache, fingerprint_of
from webhook.admission.mutate import decide, identify
from webhook.admission.review import ReviewResponse
from webhook.inventory import NO_PVCS, Plans, Pvcs
from webhook.model import Decision, Installation, MigrationPod, Plan, PlanRef, Reason, Request


class PodReviewHandler:
    """Responds to the reviews of pods."""

    def __init__(self, plans: Plans, installation: Installation, pvcs: Pvcs = NO_PVCS) -> None:
        self._plans = plans
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
        if cached := self._cache.get(fingerprint, plan, node_values):
            return cached

        if fingerprint:
            request = raw.decode()
            pod = self._identify(request)
        decision = (
            pod
            if isinstance(pod, Decision)
            else decide(request, pod, plan, self._installation, node_values)
        )
        response = review.respond(request, decision)
        self._cache.put(fingerprint, plan, node_values, response)
        return response

    def _identify(self, request: Request) -> MigrationPod | Decision:
        return identify(request, self._installation, self._pvcs.find_disk)

    async def _wait_for_plan(self, ref: PlanRef, deadline: float) -> Plan | Reason:
        seconds = deadline - perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # even if the source waits longer
                return await self._plans.fetch(ref, seconds)
        return Reason.DEADLINE_EXCEEDED


def _may_arrive(pod: MigrationPod, reason: Reason) -> bool:
    """Return whether the next event of the watch may deliver the plan of a pod.

    The plan of a known disk is older than its PVC: if it is not found, it was deleted.
    """
    missing = reason is Reason.PLAN_NOT_FOUND and pod.disk is None
    return missing or reason is Reason.PLANS_NOT_SYNCED
