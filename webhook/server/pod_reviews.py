"""From the bytes of a pod's review to its answer.

There is no await on the way, except where the pod's plan has not been seen yet.
"""

import asyncio
import contextlib
from time import perf_counter

from webhook.admission import review
from webhook.admission.cache import Answer, Answers, sketch
from webhook.admission.mutate import decide, screen
from webhook.forklift.owner import plan_ref
from webhook.inventory import Plans
from webhook.model import Decision, Installation, Plan, PlanRef, Reason, Request

_UNSEEN = frozenset({Reason.PLAN_NOT_FOUND, Reason.PLANS_NOT_SYNCED})
"""What may be different a moment later."""


def answered(request: Request, decision: Decision) -> Answer:
    return Answer(request, decision, review.encode(request.uid, decision))


class Placing:
    """Answers the reviews of pods."""

    def __init__(self, plans: Plans, installation: Installation) -> None:
        self._plans = plans
        self._installation = installation
        self._answers = Answers()

    async def __call__(self, body: bytes, until: float) -> Answer:
        """Answer as a pod like this one was answered, or read the review whole and decide."""
        seen = sketch(body)
        ref = plan_ref(seen.request) if seen else None
        plan = self._plans.find(ref) if ref else None
        if seen is None or not isinstance(plan, Plan):
            return await self._decided(review.decode(body), until)
        node_values = self._plans.node_values
        answer = self._answers.find(seen, plan, node_values)
        if answer is None:
            request = review.decode(body)
            decision = screen(request, self._installation) or decide(
                request, ref, plan, self._installation, node_values
            )
            answer = answered(request, decision)
            self._answers.keep(seen, plan, node_values, answer)
        return answer

    async def _decided(self, request: Request, until: float) -> Answer:
        """Decide on what is no convertor pod, or on one whose plan may have to be fetched."""
        decision = screen(request, self._installation)
        if decision is None:
            ref = plan_ref(request)
            plan = Reason.NO_PLAN_REFERENCE if ref is None else self._plans.find(ref)
            if ref is not None and isinstance(plan, Reason) and plan in _UNSEEN:
                plan = await self._fetch(ref, until - perf_counter())
            decision = decide(request, ref, plan, self._installation, self._plans.node_values)
        return answered(request, decision)

    async def _fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Get a plan the slow way; whatever that does, the time is kept."""
        plan: Plan | Reason = Reason.DEADLINE_EXCEEDED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                plan = await self._plans.fetch(ref, seconds)
        return plan
