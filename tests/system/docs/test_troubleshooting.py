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


def test_the_entries_are_those_of_all_reasons_and_alerts() -> None:
    words = {title for title in ENTRIES if " " not in title}
    assert words == {*Reason, *alerts()}


def test_there_are_alerts() -> None:
    assert len(alerts()) >= 8


@pytest.mark.parametrize("title", ENTRIES)
def test_an_entry_begins_with_a_command(title: str) -> None:
    assert re.match(r"```sh\nkubectl .+\n```\n\n\S", ENTRIES[title])


def test_the_runbook_links_of_the_alerts_lead_to_their_entries() -> None:
    text = (ROOT / "charts/convertor-webhook/files/alerts.yaml").read_text()
    anchors = set(re.findall(r"troubleshooting\.md#(\S+)", text))
    assert anchors == {alert.lower() for alert in alerts()}
