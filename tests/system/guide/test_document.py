"""docs/guide.md is made of the rows, so it says what `make e2e` has shown."""

from tests.support.golden import Golden
from tests.support.paths import ROOT
from tests.system.guide.rows import GUIDE, Landing, Row
from webhook.forklift.labels import SYSTEM_LABELS

DOCUMENT = ROOT / "docs" / "guide.md"

HEAD = """\
# The guide's commands, one by one

What becomes of the convertor flags of kubectl-mtv's guide "Convertor Pod Scheduling and
Optimization". Each row was tried on a real kube-apiserver and kube-scheduler, in a cluster where
the node that is wrong is otherwise the better one (`make e2e`; the clusters are in
`tests/system/guide/rows.yaml`). With the webhook all but command 11 come true, on pods of Forklift
2.9, 2.10 and 2.12, with the settings in the Plan's spec or in its annotations; and Forklift, which
looks for its pod again, finds the one that it created.

| | flags | without the webhook, up to 2.9 | without it, from 2.10 on | with it |
| --- | --- | --- | --- | --- |
"""

TAIL = """
*Dropped*: the API server drops fields that the Plan's CRD does not have, so pods get neither the
labels nor the place. *Wrong node*: a pod term without namespaces looks into the namespace of the
VMs alone, where storage, proxies and production are not, or no pod has the label that it names.

*Pending*: up to Forklift 2.11 without limit. From 2.12 on the Conversion fails after 5 minutes
([troubleshooting](troubleshooting.md#convertor-pods-stay-pending)).

`migration` in command 11 is a system label, by which Forklift finds its pods. A Plan with it
is refused when it is written, in the spec as in an annotation, and so is the command
`kubectl convertor patch plan PLAN` with it: give the label another name. On Forklift 2.12 a Plan
with `migration` in its `convertorLabels` hangs in the step ConvertGuest, with or without the
webhook; 2.10 keeps its own value. Where the Plan was written before the webhook was installed, the
rest of the command is applied.
"""


def test_the_document_says_what_was_shown(golden: Golden) -> None:
    lines = (_line(number, row) for number, row in enumerate(GUIDE, start=1))
    golden(DOCUMENT, HEAD + "".join(lines) + TAIL)


def _line(number: int, row: Row) -> str:
    flags = "<br>".join(f"{key}: `{text}`" for key, text in row.asked.items())
    system = [f"`{key}`" for key in row.asked_labels if key in SYSTEM_LABELS]
    refused = f"refused when written, for {', '.join(system)}; the rest as asked"
    placed = refused if system else "as asked"
    cells = [str(number), flags, "dropped", _outcome(row, row.copied), placed]
    return f"| {' | '.join(cells)} |\n"


def _outcome(row: Row, landing: Landing) -> str:
    if landing.refused:
        return f"refused: `{landing.refused}`"
    if landing.pending:
        return f"pending: *{landing.pending}*"
    return "as asked" if landing == row.placed else "wrong node"
