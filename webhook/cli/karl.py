"""`kubectl convertor karl`: rules without a plan."""

import click

from webhook.cli.errors import UserError
from webhook.cli.options.files import filename_option, read_text
from webhook.cli.output import notify, output_option, structured, write
from webhook.forklift.labels import CONVERTOR_LABEL, CONVERTOR_VALUE
from webhook.model import Scope


@click.command()
@click.argument("rules", nargs=-1)
@filename_option(help="Rules; - is standard input.")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.ALL.value,
    show_default=True,
    help="Namespaces of pod rules that name none.",
)
@output_option("yaml", "json", "text", "english")
def karl(rules: tuple[str, ...], filename: str | None, scope: str, output: str) -> None:
    """Compile, check or explain KARL rules.

    Each argument is one or more rules. Prints the core/v1 Affinity, or for a text with SPREAD the
    affinity and the topologySpreadConstraints of a pod; with -o text the rules in canonical form,
    with -o english a sentence for each. Warns of rules that hardly any node can meet together.
    Exits 2 when a rule is wrong.

    \b
    Examples:
      kubectl convertor karl 'REQUIRE pods(app=ceph-osd) on node'
      kubectl convertor karl -o english 'AVOID nodes(spot=true); REPEL pods(app=virt-v2v) on zone'
      kubectl convertor karl -f rules.karl -o json
    """  # noqa: D301 - click's mark for "do not wrap"
    if bool(rules) == bool(filename):
        raise click.UsageError("expected rules as arguments, or --filename FILE, one of the two")
    from webhook import karl as language  # noqa: PLC0415 - help and completion do without
    from webhook.karl.pod_rule_warnings import find_pod_rule_warnings  # noqa: PLC0415

    text = read_text(filename) if filename else "\n".join(rules)
    try:
        compiled = language.compile_all(text, scope=scope)
    except language.KarlError as error:
        raise UserError(str(error)) from None
    labels = {CONVERTOR_LABEL: CONVERTOR_VALUE, "app": CONVERTOR_VALUE}
    pod = {"metadata": {"labels": labels}, "spec": compiled}
    for warning in find_pod_rule_warnings(pod):
        notify(f"Warning: {warning}")
    if output == "text":
        write("\n".join(map(language.to_text, language.parse(text))))
    elif output == "english":
        sentences = (language.to_english(rule, scope=scope) for rule in language.parse(text))
        write("\n".join(sentences))
    else:
        has_spread = "topologySpreadConstraints" in compiled
        write(structured(compiled if has_spread else compiled["affinity"], output))
