"""docs/guide.md is made of the rows, so it says what `make e2e` has shown."""

from collections.abc import Callable
from pathlib import Path

from tests.guide.rows import GUIDE, Landing, Row
from webhook.model import SYSTEM_LABELS

DOCUMENT = Path(__file__).parents[2] / "docs" / "guide.md"

HEAD = """\
# The guide's commands, one by one

What becomes of the convertor flags of kubectl-mtv's guide "Convertor Pod Scheduling and
Optimization". Each row was tried on a real kube-apiserver and kube-scheduler, in a cluster where
the node that is wrong is otherwise the better one (`make e2e`; the clusters are in
`tests/guide/rows.yaml`). With the webhook all of them come true, on pods of Forklift 2.9, 2.10
and 2.12, with the settings in the Plan's spec or in its annotations.

| | flags | without the webhook, up to 2.9 | without it, from 2.10 on | with it |
| --- | --- | --- | --- | --- |
"""

TAIL = """
*Dropped*: the API server drops fields that the Plan's CRD does not have, so pods get neither the
labels nor the place. *Wrong node*: a pod term without namespaces looks into the namespace of the
VMs alone, where storage, proxies and production are not, or no pod has the label that it names.

`migration` in command 11 is a label by which Forklift finds its pods again. The webhook never
writes one of those, and says so; the rest of the command applies.
"""


def test_the_document_says_what_was_shown(golden: Callable[[Path, str], None]) -> None:
    lines = (_line(number, row) for number, row in enumerate(GUIDE, start=1))
    golden(DOCUMENT, HEAD + "".join(lines) + TAIL)


def _line(number: int, row: Row) -> str:
    flags = "<br>".join(f"{key}: `{text}`" for key, text in row.asked.items())
    kept = [key for key in row.asked_labels if key in SYSTEM_LABELS]
    asked = ", but for ".join(["as asked", *(f"`{key}`" for key in kept)])
    cells = [str(number), flags, "dropped", _outcome(row, row.copied), asked]
    return f"| {' | '.join(cells)} |\n"


def _outcome(row: Row, landing: Landing) -> str:
    if landing.refused:
        return f"refused: `{landing.refused}`"
    if landing.pending:
        return f"pending: *{landing.pending}*"
    return "as asked" if landing == row.placed else "wrong node"
