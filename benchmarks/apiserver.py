"""An API server as far as the webhook's watch needs one: pages of large plans, and a count.

`python benchmarks/apiserver.py COUNT KILOBYTES` prints its port. `GET /calls` tells how many
calls there have been; a watch is begun anew once in a while whatever happens, and does not count.
"""

import json
import sys
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

PLANS = "/apis/forklift.konveyor.io/v1beta1/plans"
Json = dict[str, Any]


def plan(number: int) -> Json:
    """Make a Plan with settings of its own."""
    name = f"migration-{number:05}"
    prefix = "convertor.forklift.konveyor.io"
    return {
        "apiVersion": "forklift.konveyor.io/v1beta1",
        "kind": "Plan",
        "metadata": {
            "name": name,
            "namespace": f"team-{number % 100}",
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "generation": 1,
            "resourceVersion": str(1000 + number),
            "annotations": {
                f"{prefix}/labels": f"migration-id=m-{number},batch=1",
                f"{prefix}/node-selector": "disk=nvme,storage-tier=fast",
                f"{prefix}/affinity": (
                    f"REQUIRE pods(app=ceph-osd) on node; PREFER pods(app=proxy-{number}) on zone; "
                    "REQUIRE nodes(migration-worker=true)"
                ),
                f"{prefix}/tolerations": "dedicated=migration:NoSchedule",
            },
        },
        "spec": {"targetNamespace": "target"},
    }


@lru_cache
def vms(size: int) -> list[Json]:
    """Make so many VMs that a Plan of them has about `size` bytes."""
    one = {"id": "vm-1630", "name": "server-1630.example.org", "hooks": []}
    return [one] * (size // (len(json.dumps(one)) + 2))


class Handler(BaseHTTPRequestHandler):
    """Answers lists in pages, and leaves watches open without a word."""

    protocol_version = "HTTP/1.1"
    count = 0
    size = 0
    calls = 0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        if url.path == "/calls":
            self._answer({"calls": type(self).calls})
            return
        if query.get("watch"):
            self._watch()
            return
        type(self).calls += 1
        if url.path == PLANS:
            self._answer(self._page(query))
        else:
            self._answer({"metadata": {"resourceVersion": "1"}, "items": []})

    def _page(self, query: Json) -> Json:
        first = int(query.get("continue", 0))
        last = min(self.count, first + int(query.get("limit", self.count)))
        metadata = {"resourceVersion": "99999"}
        if last < self.count:
            metadata["continue"] = str(last)
        plans = [plan(number) for number in range(first, last)]
        for each in plans:
            each["spec"]["vms"] = each["status"] = vms(self.size // 2)
        return {"metadata": metadata, "items": plans}

    def _answer(self, found: Json) -> None:
        body = msgspec.json.encode(found)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        time.sleep(3600)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def main(count: str, kilobytes: str) -> None:
    Handler.count, Handler.size = int(count), int(kilobytes) * 1000
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
