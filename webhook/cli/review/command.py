"""`kubectl convertor review`: what the webhook would answer, and a pod before and after."""

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
    """Show what the webhook makes of a pod, without a cluster.

    FILE has a pod, or a whole AdmissionReview of a pod or of a plan. The plan is the one of
    the file; of several, or of a directory, the one that owns the pod, as for the server. A pod
    that names no namespace is taken to be in the one that its plan migrates into. What is printed
    is what the server would do: -o diff shows the pod before and after (in audit
    mode, what it would be), -o yaml the pod as it would be created, -o patch the JSON patch,
    -o json the AdmissionReview that the server would answer. Exits 1 when the pod or the plan
    is denied, or when the pod cannot be placed.

    \b
    Examples:
      kubectl convertor review -f pod.yaml --plan plan.yaml
      kubectl convertor review -f review.json --plan plans/ --nodes nodes.yaml -o json
      kubectl get pod db-vm-1 -o yaml | kubectl convertor review -f - --plan plan.yaml
    """  # noqa: D301 - click's mark for "do not wrap"
    from webhook.cli.files import plans as plan_files  # noqa: PLC0415 - help and completion do without
    from webhook.cli.review import decision  # noqa: PLC0415 - help and completion do without

    request = plan_files.read_review(filename)
    made = decision.decision_on(request, plans, node_files, installation)
    decision.show(request, made, output)
    if decision.is_bad(made):
        click.get_current_context().exit(EXIT_FOUND)
