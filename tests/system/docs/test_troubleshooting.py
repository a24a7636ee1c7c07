"""Every reason and every alert has its entry, and each entry begins with a command."""

import re

import pytest

from tests.support.paths import ROOT
from webhook.model import Reason

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
ENTRIES = dict(re.findall(r"^### (.+?)\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def alerts() -> list[str]:
    text = (ROOT / "charts/convertor-webhook/files/alerts.yaml").read_text()
    return re.findall(r"^\s*- alert: (\w+)$", text, re.MULTILINE)


def test_reasons_and_alerts_are_documented_and_nothing_else_is_called_one() -> None:
    words = {title for title in ENTRIES if " " not in title}
    assert words == {*Reason, *alerts()}


def test_there_are_alerts() -> None:
    assert len(alerts()) >= 8


@pytest.mark.parametrize("title", ENTRIES)
def test_an_entry_begins_with_the_command_to_type(title: str) -> None:
    assert re.match(r"```sh\nkubectl .+\n```\n\n\S", ENTRIES[title])


def test_the_anchors_of_the_alerts_lead_here() -> None:
    text = (ROOT / "charts/convertor-webhook/files/alerts.yaml").read_text()
    anchors = set(re.findall(r"troubleshooting\.md#(\S+)", text))
    assert anchors == {alert.lower() for alert in alerts()}
