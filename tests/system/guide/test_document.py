"""docs/guide.md is generated from the rows that `make e2e` schedules."""

from tests.support.golden import Golden
from tests.support.paths import ROOT
from tests.system.guide.rows import GUIDE, Landing, Row
from webhook.forklift.labels import SYSTEM_LABELS

DOCUMENT = ROOT / "docs" / "guide.md"

HEAD = """\
# The commands of the guide

The effect of the convertor flags in kubectl-mtv's guide "Convertor Pod Scheduling and
Optimization". Each row is tested on a real kube-apiserver and kube-scheduler, in a cluster where
the wrong node is otherwise the better one (`make e2e`; the clusters are in
`tests/system/guide/rows.yaml`). With the webhook all commands except 11 are applied in full,
to pods of Forklift 2.9, 2.10 and 2.12, with the settings in the Plan's spec or in its annotations.
Forklift still finds the pods that it created. In a warm migration with `pods: all` the importers
run on the same nodes: required rules apply from the first importer of a disk on, preferences from
the second.

| | flags | Forklift alone, up to 2.9 | Forklift alone, from 2.10 on | with the webhook |
| --- | --- | --- | --- | --- |
"""

TAIL = """
*Dropped*: the API server drops fields that the Plan's CRD does not have, so pods get neither the
labels nor the node. *Wrong node*: a pod term without namespaces selects pods in the namespace of
the VMs only, where storage, proxies and production are not, or no pod has the label of the term.

*Pending*: up to Forklift 2.11 without a time limit. From 2.12 on the Conversion fails after 5
minutes ([troubleshooting](troubleshooting.md#convertor-pods-stay-pending)).

`migration` in command 11 is a system label, by which Forklift finds its pods. A Plan with it
is rejected when it is written, in the spec or in an annotation, and so is the command
`kubectl convertor patch plan PLAN`: use another name for the label. On Forklift 2.12 a Plan
with `migration` in its `convertorLabels` hangs in the step ConvertGuest, with or without the
webhook; 2.10 keeps its own value. If the Plan was written before the webhook was installed, the
other settings of the command are applied.
"""


def test_the_document_has_the_tested_outcomes(golden: Golden) -> None:
    lines = (_line(number, row) for number, row in enumerate(GUIDE, start=1))
    golden(DOCUMENT, HEAD + "".join(lines) + TAIL)


def _line(number: int, row: Row) -> str:
    flags = "<br>".join(f"{key}: `{text}`" for key, text in row.settings.items())
    system = [f"`{key}`" for key in row.all_labels if key in SYSTEM_LABELS]
    rejected = f"rejected when written, because of {', '.join(system)}; the rest as specified"
    placed = rejected if system else "as specified"
    cells = [str(number), flags, "dropped", _outcome(row, row.copied), placed]
    return f"| {' | '.join(cells)} |\n"


def _outcome(row: Row, landing: Landing) -> str:
    if landing.refused:
        return f"rejected: `{landing.refused}`"
    if landing.pending:
        return f"pending: *{landing.pending}*"
    return "as specified" if landing == row.placed else "wrong node"
