"""`kubectl convertor review`: the webhook's response, and a pod before and after it."""

from pathlib import Path

import click

from webhook.cli.errors import EXIT_FOUND
from webhook.cli.options.files import filename_option, path_option
from webhook.cli.options.installation import installation_options
from webhook.cli.output import output_option
from webhook.model import Installation


@click.command()
@filename_option(help="A pod or a whole review; - is standard input.", required=True)
@path_option("--plan", "plans", help="The plan; or many, in a directory.")
@path_option("--nodes", "node_files", help="The cluster's nodes, for their labels.")
@output_option("diff", "yaml", "json", "patch")
@installation_options
def review(
    filename: str,
    plans: Path | None,
    node_files: Path | None,
    output: str,
    installation: Installation,
) -> None:
    """Review a pod as the webhook would, without a cluster.

    FILE has a pod of a migration, or a whole AdmissionReview of a pod or of a plan. --plan has the
    plan; of several the one that owns the pod is used, as by the server. A pod without namespace is
    reviewed in the target namespace of its plan.

    The PVCs, PersistentVolumes and StorageClasses of an importer or a populator may be in FILE or
    in --plan, as further documents. Without its PVC an importer counts as a first consumer, and it
    has no plan unless its labels name one.

    -o diff shows the pod before and after (in audit
    mode, as it would be), -o yaml the pod as it would be created, -o patch the JSON patch,
    -o json the AdmissionReview of the response. Exits 1 if the pod or the plan is denied, if the
    pod is refused until another disk is bound, or if it cannot be placed.

    \b
    Examples:
      kubectl convertor review -f pod.yaml --plan plan.yaml
      kubectl convertor review -f review.json --plan plans/ --nodes nodes.yaml -o json
      kubectl get pod db-vm-1 -o yaml | kubectl convertor review -f - --plan plan.yaml
    """  # noqa: D301 - click's mark for "do not wrap"
    from webhook.cli.files.plans import read_review  # noqa: PLC0415
    from webhook.cli.review import decision  # noqa: PLC0415 - help and completion do not load it

    request, disks = read_review(filename)
    found = decision.decide_offline(request, plans, node_files, installation, disks)
    decision.show(request, found, output)
    if decision.is_failure(found):
        click.get_current_context().exit(EXIT_FOUND)
