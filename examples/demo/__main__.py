"""Demo of the webhook: real pods of Forklift and CDI before and after, without a cluster.

Starts `convertor-webhook serve` with the example plans and its own certificate, sends it the
reviews that an API server would send, over verified TLS, and prints the pods with the patches
applied: first convertor pods of several releases, then all pods of a warm migration.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from examples.demo import warm
from examples.demo.page import Json, show_pod, show_settings
from examples.demo.server import HERE, Server, serve

STORIES = {
    "v2.12-vsphere-invalid-node-selector.json": (
        "Forklift 2.12 copied '16+' into the node selector, so the API server would reject the "
        "pod. It becomes node affinity; two of the nodes' memory labels are large enough."
    ),
    "v2.9-vsphere-cold.json": (
        "Forklift 2.9 has no fields for these settings. The plan has them in annotations, which "
        "every release keeps."
    ),
    "v2.12-vsphere-with-settings.json": (
        "Forklift 2.12 copied the plan's affinity, which matches Ceph in the pod's own namespace "
        "only, so the pod would stay Pending. The term is corrected in place."
    ),
    "v2.10-vsphere-with-settings.json": ("Forklift 2.10 identifies the plan by its UID only."),
}
STORIES_IN_PICTURE = 2
"""The first stories; their picture fits on a page."""


def main() -> int:
    """Run the demo; return 1 if a pod was not placed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--svg", type=Path, help="write the first pods as a picture, too")
    picture = parser.parse_args().svg
    console = Console(record=bool(picture), width=100 if picture else None, highlight=False)
    plans = {plan["metadata"]["uid"]: plan for plan in _plans()}
    with tempfile.TemporaryDirectory() as state, serve(HERE / "plans", Path(state)) as server:
        console.print("convertor-webhook serves examples/plans over TLS, without a cluster\n")
        stories = list(STORIES)[:STORIES_IN_PICTURE] if picture else STORIES
        placed = [_show(console, name, plans, server) for name in stories]
    if not picture:
        placed += warm.show(console)
    console.print(
        f"{sum(placed)} of {len(placed)} pods placed as their plans specify.", style="bold"
    )
    if picture:
        drawn = console.export_svg(title="make demo")
        picture.write_text(re.sub(r" *@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))
    return 0 if all(placed) else 1


def _plans() -> Iterator[Json]:
    for path in sorted((HERE / "plans").glob("*.yaml")):
        yield from (each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "Plan")


def _show(console: Console, name: str, plans: Json, server: Server) -> bool:
    """Review a pod and print it; return True if it was placed."""
    pod = json.loads((HERE / "pods" / name).read_text())
    plan = plans[pod["metadata"]["labels"]["plan"]]
    console.rule(f"[bold]{name.removesuffix('.json')}[/], plan {plan['metadata']['name']}")
    console.print(Text(STORIES[name]), "\n")
    show_settings(console, plan)
    return show_pod(console, pod, server.review(pod))


if __name__ == "__main__":
    sys.exit(main())
