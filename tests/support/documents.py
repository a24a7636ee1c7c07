"""YAML of the tests' own files, with libyaml where it is: the Python one is ten times as slow."""

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(path: Path) -> Any:
    """Return the one document of a file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)


def dump(value: Any) -> str:
    """Write a document in the order it has, a value a line."""
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, width=1000))
