"""The review of a Plan, from the body of the request to the response.

The author of a Plan chooses how long reading its settings takes, up to a few hundred milliseconds
within the limits of `webhook.kube.sizes`. So it is done in a thread, one Plan after another, and
delays no review of a pod.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from webhook.admission import review
from webhook.admission.review import ReviewResponse
from webhook.admission.validate import validate
from webhook.model import Decision, Installation, Outcome, Reason, Request

_TOO_LATE = (
    "the plan could not be validated in time, because the webhook is busy with other plans: "
    "invalid settings are reported when a pod of the plan is created"
)


class PlanReviewHandler:
    """Responds to the reviews of Plans."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="validate plan")

    async def __call__(self, body: bytes, deadline: float) -> ReviewResponse:
        """Return the response to a review by `deadline`, a time of `perf_counter`.

        Raises:
            BadReview: the body is not a review.

        """
        request = review.decode(body)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline - perf_counter()):
                return await loop.run_in_executor(self._thread, self._respond, request)
        except TimeoutError:
            decision = Decision(
                Outcome.FAILED,
                Reason.DEADLINE_EXCEEDED,
                _TOO_LATE,
                self._installation.mode,
                warnings=[_TOO_LATE],
            )
            return review.respond(request, decision)

    def _respond(self, request: Request) -> ReviewResponse:
        return review.respond(request, validate(request, self._installation))
