"""Plans of a cluster, kept current by a watch: the cluster of the pods, or the hub of the Plans."""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog

from webhook.forklift.plan import API_PATH, NAME_PATTERN, WatchedPlan
from webhook.inventory import PlansStatus, clock, summarize
from webhook.inventory.changes import log_changes
from webhook.inventory.index import Key, PlanIndex
from webhook.inventory.nodes import ClusterNodes
from webhook.karl import minimums
from webhook.kube.api.client import Client
from webhook.kube.api.collection import ListWatch
from webhook.kube.api.errors import ApiError
from webhook.kube.api.reflector import Reflector, ReflectorTiming
from webhook.model import Installation, NodeValues, Plan, PlanRef, Reason

log = structlog.get_logger(__name__)

MAX_CONCURRENT_GETS = 8
"""Each takes a thread."""
MAX_PENDING_GETS = 100
"""With those that wait for a thread. Beyond it a review waits for the watch: a client could send
reviews of plans that do not exist faster than the API server answers."""
GET_TIMEOUT_SECONDS = 3.0
GET_REUSE_SECONDS = 1.0
"""The time in which the result of a GET is reused: many pods of a missing plan cause one GET."""
MAX_WATCH_WAIT_SECONDS = 1.0
"""The wait for a plan of which only the UID is known, while the watch works."""
POLL_INTERVAL_SECONDS = 0.01

_plan_decoder = msgspec.json.Decoder(WatchedPlan)


class ClusterPlans:
    """The Plans of the cluster of `client`, as `Plans`.

    `nodes` is the cluster of the pods, if that is another one: a plan on the hub may migrate into
    a remote cluster, and its settings compare labels of the nodes there.
    """

    def __init__(
        self,
        client: Client,
        installation: Installation,
        *,
        nodes: Client | None = None,
        timing: ReflectorTiming | None = None,
    ) -> None:
        self._client = client
        self._enforced = installation.enforced
        self._index = PlanIndex(installation, clock.now)
        self._nodes = ClusterNodes(nodes or client, lambda: self._index.node_keys, timing)
        self._store = _Store(self._index, self._nodes)
        plans = ListWatch(client, f"{API_PATH}/plans", WatchedPlan)
        self._reflector = Reflector(plans, self._store, timing)
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_GETS, thread_name_prefix="get plan")
        self._gets: dict[Key, asyncio.Future[Reason | None]] = {}
        self._pending_gets = 0
        self._fetches = 0
        self._synced = False

    def find(self, ref: PlanRef) -> Plan | Reason:
        """Return the plan from the watch's data, or the reason why there is none."""
        found = self._find_in_index(ref)
        if isinstance(found, Plan) and self._awaits_node_values(found):
            return Reason.PLANS_NOT_SYNCED
        return found

    async def fetch(self, ref: PlanRef, seconds: float) -> Plan | Reason:
        """GET the plan by name, or wait until the watch delivers it."""
        deadline = time.monotonic() + 0.9 * seconds  # the rest is for placing the pod
        found = self._find_in_index(ref)
        if not isinstance(found, Plan):
            key = (ref.namespace, ref.name)
            if all(NAME_PATTERN.fullmatch(part) for part in key) and self._may_get(key):
                failure = await self._get_once(key, deadline - time.monotonic())
            else:
                failure = await self._wait_for_watch(ref, deadline)
            found = self._find_in_index(ref)
            if found is Reason.PLAN_NOT_FOUND and failure:
                return failure
        if isinstance(found, Plan):
            plan = found
            await _wait_until(deadline, lambda: not self._awaits_node_values(plan))
        return found

    def status(self) -> PlansStatus:
        """Return the state of the plans, and the errors of the watches."""
        watch = self._reflector.status()
        if watch.synced and not self._nodes.awaits(self._nodes.keys):
            self._synced = True
        unread = [f"Plan {'/'.join(key)} {why}" for key, why in self._index.unread.items()]
        messages = dict.fromkeys((watch.message, self._nodes.message, summarize(unread)))
        return PlansStatus(
            synced=self._synced,
            age_seconds=watch.age_seconds,
            count=len(self._index),
            invalid=self._index.invalid,
            message="; ".join(filter(None, messages)),
            fetches=self._fetches,
            restarts=watch.restarts,
        )

    @property
    def node_values(self) -> NodeValues:
        """The label values of the nodes, for the keys that some plan compares."""
        return self._nodes.values

    @property
    def target_namespaces(self) -> frozenset[str] | None:
        """The namespaces that some plan migrates into; None until all plans have been listed."""
        return self._index.target_namespaces if self._reflector.synced else None

    def start(self) -> None:
        """Start to list and watch."""
        self._reflector.start()

    def stop(self) -> None:
        """Stop the watches; the known plans are kept."""
        self._reflector.stop()
        self._nodes.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _find_in_index(self, ref: PlanRef) -> Plan | Reason:
        found = self._index.find(ref)
        if self._reflector.synced:
            return found
        if found is Reason.PLAN_NOT_FOUND or not (ref.uid or ref.namespace):
            return Reason.PLANS_NOT_SYNCED  # another plan may have the same name
        return found

    def _awaits_node_values(self, plan: Plan) -> bool:
        """Return whether the plan compares a label whose values have not been listed yet.

        That takes some milliseconds after the start, and after the first plan that compares a
        label. A pod placed in that time could run only on nodes with the very value of the rule.
        """
        nodes = self._nodes
        return nodes.awaits(nodes.keys) and nodes.awaits(
            minimums.label_keys(plan.settings, self._enforced)
        )

    async def _get_once(self, key: Key, seconds: float) -> Reason | None:
        """GET a plan into the index, once for all pods that need it at the same time."""
        get = self._gets.get(key)
        if get is None:
            loop = asyncio.get_running_loop()
            self._fetches += 1
            self._pending_gets += 1
            get = self._gets[key] = loop.run_in_executor(self._threads, self._get, key)
            get.add_done_callback(lambda _: self._end_get(key, loop))
        done, _ = await asyncio.wait([get], timeout=seconds)
        return get.result() if done else Reason.PLANS_NOT_SYNCED

    def _may_get(self, key: Key) -> bool:
        return key in self._gets or self._pending_gets < MAX_PENDING_GETS

    def _end_get(self, key: Key, loop: asyncio.AbstractEventLoop) -> None:
        self._pending_gets -= 1
        loop.call_later(GET_REUSE_SECONDS, self._gets.pop, key, None)

    def _get(self, key: Key) -> Reason | None:
        """GET a plan into the index, in a thread; return the reason if that failed."""
        namespace, name = key
        try:
            body = self._client.get(
                f"{API_PATH}/namespaces/{namespace}/plans/{name}",
                timeout_seconds=GET_TIMEOUT_SECONDS,
            )
            plan = _plan_decoder.decode(body)
        except (ApiError, msgspec.MsgspecError) as error:
            if isinstance(error, ApiError) and error.status == 404:
                return Reason.PLAN_NOT_FOUND
            log.warning("plan cannot be read", plan=f"{namespace}/{name}", error=str(error))
            return Reason.PLANS_NOT_SYNCED
        if _is_newer(plan.metadata.resource_version, self._reflector.last_sync_resource_version):
            self._store.update(plan)
        return None

    async def _wait_for_watch(self, ref: PlanRef, deadline: float) -> Reason | None:
        """Wait until the watch delivers the plan; return a reason if the watch is failing."""
        if self._reflector.synced and not self._reflector.message:
            deadline = min(deadline, time.monotonic() + MAX_WATCH_WAIT_SECONDS)
        await _wait_until(deadline, lambda: isinstance(self._find_in_index(ref), Plan))
        return Reason.PLANS_NOT_SYNCED if self._reflector.message else None


class _Store:
    """Puts Plans from the watch into the index, and watches the node labels that they compare."""

    def __init__(self, index: PlanIndex, nodes: ClusterNodes) -> None:
        self._index = index
        self._nodes = nodes

    def replace(self, items: Iterable[WatchedPlan]) -> None:
        log_changes(self._index.replace_all(item.to_json() for item in items))
        self._nodes.refresh()

    def update(self, item: WatchedPlan) -> None:
        if change := self._index.put(item.to_json()):
            log_changes([change])
            self._nodes.refresh()

    def delete(self, item: WatchedPlan) -> None:
        self._index.discard(item.metadata.namespace, item.metadata.name)
        self._nodes.refresh()


async def _wait_until(deadline: float, condition: Callable[[], bool]) -> None:
    """Wait for a condition that a thread makes true; polling is cheaper than a notification."""
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - see above
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


def _is_newer(version: str, position: str) -> bool:
    """Return False if the watch has passed this version: the plan may have been deleted since."""
    return not (version.isdecimal() and position.isdecimal() and int(version) <= int(position))
