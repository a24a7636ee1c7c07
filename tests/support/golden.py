"""The type of the fixture that compares output with a golden file."""

from collections.abc import Callable
from pathlib import Path

Golden = Callable[[Path, str], None]
"""`golden(path, text)` fails unless the file has this text; `--update-golden` writes it."""
