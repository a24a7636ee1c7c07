"""Plans in a cluster, watched: the one that has the pods, or the hub that has only the plans."""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog

from webhook.forklift.plan import NAME, PATH, PlanObject
from webhook.inventory import PlansStatus, in_short
from webhook.inventory.index import Key, PlanIndex
from webhook.inventory.nodes import ClusterNodes
from webhook.karl import minimums
from webhook.kube.api.client import ApiError, Client
from webhook.kube.api.collection import Collection
from webhook.kube.api.reflector import Reflector, Timing
from webhook.model import Installation, NodeValues, Plan, PlanRef, Reason

log = structlog.get_logger(__name__)

MAX_GETS = 8
"""At a time; each takes a thread."""
GET_SECONDS = 3.0
ANSWER_SECONDS = 1.0
"""How long the answer to a GET counts, so that many pods of a plan that is not there ask once."""
WAIT_SECONDS = 1.0
"""How long a plan is waited for that a sound watch has not seen, and whose name is not known."""
POLL_SECONDS = 0.01

_read = msgspec.json.Decoder(PlanObject)


class ClusterPlans:
    """The plans of the cluster behind `client`, as `Plans`.

    `nodes` is the cluster that has the pods, where that is another one: a plan on the hub can
    migrate into a remote cluster, and then compares labels of the nodes there.
    """

    def __init__(
        self,
        client: Client,
        installation: Installation,
        *,
        nodes: Client | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._client = client
        self._index = PlanIndex(installation)
        self._nodes = ClusterNodes(nodes or client, lambda: self._index.node_keys, timing)
        self._store = _Store(self._index, self._nodes)
        plans = Collection(client, f"{PATH}/plans", PlanObject)
        self._reflector = Reflector(plans, self._store, timing)
        self._threads = ThreadPoolExecutor(MAX_GETS, thread_name_prefix="get plan")
        self._calls: dict[Key, asyncio.Future[Reason | None]] = {}
        self._fetches = 0
        self._synced = False

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan as the watch knows it, or why there is none."""
        found = self._known(ref)
        if isinstance(found, Plan) and self._nodes_awaited(found):
            return Reason.PLANS_NOT_SYNCED
        return found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """Ask for the plan by its name, or wait until the watch sees it."""
        until = time.monotonic() + 0.9 * seconds  # the rest is for placing the pod
        found = self._known(ref)
        if not isinstance(found, Plan):
            key = (ref.namespace, ref.name)
            if all(NAME.fullmatch(part) for part in key):
                failure = await self._ask(key, until - time.monotonic())
            else:
                failure = await self._wait(ref, until)
            found = self._known(ref)
            if found is Reason.PLAN_NOT_FOUND and failure:
                return failure
        if isinstance(found, Plan):
            plan = found
            await _until(until, lambda: not self._nodes_awaited(plan))
        return found

    def status(self) -> PlansStatus:
        """Return what is known, and what is wrong with the watches."""
        watch = self._reflector.status()
        if watch.synced and not self._nodes.awaited(self._nodes.keys):
            self._synced = True
        unread = [f"Plan {'/'.join(key)} {why}" for key, why in self._index.unread.items()]
        said = dict.fromkeys((watch.message, self._nodes.message, in_short(unread)))
        return PlansStatus(
            synced=self._synced,
            age_seconds=watch.age_seconds,
            count=len(self._index),
            invalid=self._index.invalid,
            message="; ".join(filter(None, said)),
            fetches=self._fetches,
            restarts=watch.restarts,
        )

    @property
    def node_values(self) -> NodeValues:
        """The label values of the nodes, for the keys that some plan compares."""
        return self._nodes.values

    def start(self) -> None:
        """Begin to list and to watch."""
        self._reflector.start()

    def stop(self) -> None:
        """End the watches; what is known stays."""
        self._reflector.stop()
        self._nodes.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _known(self, ref: PlanRef) -> Plan | Reason:
        found = self._index.find(ref)
        if self._reflector.synced:
            return found
        if found is Reason.PLAN_NOT_FOUND or not (ref.uid or ref.namespace):
            return Reason.PLANS_NOT_SYNCED  # and there may be another plan of this name
        return found

    def _nodes_awaited(self, plan: Plan) -> bool:
        """Whether the plan compares a label whose values are still on their way.

        That is so for some milliseconds after the start, and after the first plan that compares
        a label. A pod placed just then could go only to nodes with the very value written.
        """
        nodes = self._nodes
        return nodes.awaited(nodes.keys) and nodes.awaited(minimums.keys(plan.settings))

    async def _ask(self, key: Key, seconds: float) -> Reason | None:
        """GET a plan into the index; the pods of one plan share one call."""
        call = self._calls.get(key)
        if call is None:
            loop = asyncio.get_running_loop()
            self._fetches += 1
            call = self._calls[key] = loop.run_in_executor(self._threads, self._get, key)
            call.add_done_callback(
                lambda _: loop.call_later(ANSWER_SECONDS, self._calls.pop, key, None)
            )
        done, _ = await asyncio.wait([call], timeout=seconds)
        return call.result() if done else Reason.PLANS_NOT_SYNCED

    def _get(self, key: Key) -> Reason | None:
        """Return why the plan could not be put into the index, in a thread."""
        namespace, name = key
        try:
            body = self._client.get(
                f"{PATH}/namespaces/{namespace}/plans/{name}", seconds=GET_SECONDS
            )
            plan = _read.decode(body)
        except (ApiError, msgspec.MsgspecError) as error:
            if isinstance(error, ApiError) and error.status == 404:
                return Reason.PLAN_NOT_FOUND
            log.warning("plan cannot be read", plan=f"{namespace}/{name}", error=str(error))
            return Reason.PLANS_NOT_SYNCED
        if _is_newer(plan.metadata.resource_version, self._reflector.position):
            self._store.put(plan)
        return None

    async def _wait(self, ref: PlanRef, until: float) -> Reason | None:
        """Return why not to trust that the plan, if it has not come, is not there."""
        if self._reflector.synced and not self._reflector.message:
            until = min(until, time.monotonic() + WAIT_SECONDS)
        await _until(until, lambda: isinstance(self._known(ref), Plan))
        return Reason.PLANS_NOT_SYNCED if self._reflector.message else None


class _Store:
    """Puts what the watch sees into the index; the nodes follow what the plans compare."""

    def __init__(self, index: PlanIndex, nodes: ClusterNodes) -> None:
        self._index = index
        self._nodes = nodes

    def replace(self, items: Iterable[PlanObject]) -> None:
        self._index.replace_all(item.as_json() for item in items)
        self._nodes.refresh()

    def put(self, item: PlanObject) -> None:
        if self._index.put(item.as_json()):
            self._nodes.refresh()

    def discard(self, item: PlanObject) -> None:
        self._index.discard(item.metadata.namespace, item.metadata.name)
        self._nodes.refresh()


async def _until(until: float, true: Callable[[], bool]) -> None:
    """Wait for what a thread brings about: to look now and then costs less than to be told."""
    while not true() and time.monotonic() < until:  # noqa: ASYNC110 - no asyncio.Event, as said
        await asyncio.sleep(POLL_SECONDS)


def _is_newer(version: str, position: str) -> bool:
    """Whether the watch has yet to see this version; if not, it has seen the plan go, too."""
    return not (version.isdecimal() and position.isdecimal() and int(version) <= int(position))
