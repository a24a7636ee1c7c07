"""The types of the fixtures that run `kubectl convertor`."""

from typing import Any, Protocol

from click.testing import Result


class Run(Protocol):
    def __call__(self, *words: str, **options: Any) -> Result: ...
