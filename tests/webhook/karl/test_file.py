"""KARL texts in files."""

from pathlib import Path

from webhook import karl
from webhook.cli.options.files import read_text


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "rules.karl"
    path.write_text("REQUIRE pods(app=web) on node", encoding="utf-8-sig")
    (rule,) = karl.parse(read_text(str(path)))
    assert karl.to_text(rule) == "REQUIRE pods(app=web) on node"
