"""What to say when a rule cannot be parsed: likely mistakes first, else what was expected."""

import lark

from webhook.karl import rule_probes, selector_probes
from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import meet, unexpected
from webhook.karl.syntax import Span

_PROBES = (*rule_probes.PROBES, *selector_probes.PROBES)


def explain(text: str, rule: Span, error: lark.UnexpectedToken) -> Mistake:
    """Return the mistake in the rule at which the parser stopped."""
    stumble = meet(text, rule, error)
    for probe in _PROBES:
        if mistake := probe(stumble):
            return mistake
    return unexpected(stumble)
