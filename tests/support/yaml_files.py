"""YAML files of the tests, with libyaml if it is installed: it is ten times as fast."""

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(path: Path) -> Any:
    """Return the document of a file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def dump(value: Any) -> str:
    """Return a document as text: keys in their order, a value on each line."""
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, width=1000))
