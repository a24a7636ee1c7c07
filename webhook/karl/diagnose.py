"""Diagnosis of a rule that cannot be parsed: by the probes for likely mistakes, or a default."""

import lark

from webhook.karl import rule_probes, selector_probes
from webhook.karl.errors import Mistake
from webhook.karl.parse_failure import locate, unexpected
from webhook.karl.syntax import Span

_PROBES = (*rule_probes.PROBES, *selector_probes.PROBES)


def diagnose(text: str, rule: Span, error: lark.UnexpectedToken) -> Mistake:
    """Return the mistake at which the parser stopped."""
    failure = locate(text, rule, error)
    for probe in _PROBES:
        if mistake := probe(failure):
            return mistake
    return unexpected(failure)
