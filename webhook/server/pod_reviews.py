"""The review of a pod, from the body of the request to the response.

Nothing waits on the way, except for a plan that the watch has not delivered yet.
"""

import asyncio
import contextlib
from time import perf_counter

from webhook.admission import review
from webhook.admission.cache import ResponseCache, fingerprint_of
from webhook.admission.mutate import decide, screen
from webhook.admission.review import ReviewResponse
from webhook.forklift.owner import read_plan_ref
from webhook.inventory import Plans
from webhook.model import Installation, Plan, PlanRef, Reason

_NOT_DELIVERED = frozenset({Reason.PLAN_NOT_FOUND, Reason.PLANS_NOT_SYNCED})
"""Reasons that the next event of the watch may resolve."""


class PodReviewHandler:
    """Responds to the reviews of pods."""

    def __init__(self, plans: Plans, installation: Installation) -> None:
        self._plans = plans
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
        if not fingerprint and (skipped := screen(request, self._installation)):
            return review.respond(request, skipped)

        ref = fingerprint.ref if fingerprint else read_plan_ref(request)
        plan = self._plans.find(ref) if ref else Reason.NO_PLAN_REFERENCE
        if ref and not isinstance(plan, Plan) and plan in _NOT_DELIVERED:
            plan = await self._wait_for_plan(ref, deadline)
        node_values = self._plans.node_values
        if cached := self._cache.get(fingerprint, plan, node_values):
            return cached

        request = raw.decode() if fingerprint else request
        decision = screen(request, self._installation) or decide(
            request, ref, plan, self._installation, node_values
        )
        response = review.respond(request, decision)
        self._cache.put(fingerprint, plan, node_values, response)
        return response

    async def _wait_for_plan(self, ref: PlanRef, deadline: float) -> Plan | Reason:
        seconds = deadline - perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # even if the source waits longer
                return await self._plans.fetch(ref, seconds)
        return Reason.DEADLINE_EXCEEDED
