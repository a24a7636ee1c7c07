"""Slots for concurrent reviews, and the memory of their bodies, shared fairly by clients.

Only a review that waits, for the rest of its body or for its plan, takes a slot for longer than it
is computed. When none is free, the client that has most gives one up: a client that sends half a
request on each of its connections does not prevent the reviews of others. A client is an address.
"""

import asyncio
from collections import Counter

from webhook.admission.review import MAX_BODY_BYTES, BadReview
from webhook.model import Reason

MAX_PENDING_BYTES = 4 * MAX_BODY_BYTES
"""The sum over bodies that have arrived in part. A review of a few kilobytes arrives at once."""


class Slot:
    """The slot of a review; it belongs to the task that takes it."""

    __slots__ = ("client", "pending", "revoked", "task")

    def __init__(self, client: str) -> None:
        self.client = client
        self.task = asyncio.current_task()
        self.pending = 0
        """Bytes of a body that has arrived in part."""
        self.revoked = False
        """True if another client has got the slot. The task is then cancelled."""


class Slots:
    """The slots of an endpoint."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._taken: dict[Slot, None] = {}
        """The oldest first."""
        self._pending = 0

    def take(self, client: str) -> Slot:
        """Return a slot for a review of this client.

        Raises BadReview, HTTP 429, if none is free and no client has more than this one.
        """
        if len(self._taken) >= self._number:
            taken = Counter(slot.client for slot in self._taken)
            heaviest, most = taken.most_common(1)[0]
            if most <= taken[client]:
                raise overloaded()
            self._revoke(next(slot for slot in self._taken if slot.client == heaviest))
        slot = Slot(client)
        self._taken[slot] = None
        return slot

    def hold(self, slot: Slot, size: int) -> None:
        """Record the bytes that have arrived of a review's body.

        Raises BadReview, HTTP 429, if the bodies exceed MAX_PENDING_BYTES and this is the largest
        of the client that has most.
        """
        self._pending += size - slot.pending
        slot.pending = size
        while self._pending > MAX_PENDING_BYTES:
            pending: Counter[str] = Counter()
            for each in self._taken:
                pending[each.client] += each.pending
            ((heaviest, _),) = pending.most_common(1)
            largest = max(self._taken, key=lambda each: (each.client == heaviest, each.pending))
            if largest is slot:
                raise overloaded()
            self._revoke(largest)

    def release(self, slot: Slot) -> None:
        """Return a slot; again, or after it was revoked, it does nothing."""
        if slot in self._taken:
            del self._taken[slot]
            self._pending -= slot.pending

    def _revoke(self, slot: Slot) -> None:
        self.release(slot)
        slot.revoked = True
        if slot.task is not None:
            slot.task.cancel()


def overloaded() -> BadReview:
    text = "too many reviews at once, try again in a second"
    return BadReview(429, Reason.OVERLOADED, text)
