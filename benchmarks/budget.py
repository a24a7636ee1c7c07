"""A measured number with its limit."""

from typing import NamedTuple


class Budget(NamedTuple):
    name: str
    measured: float
    unit: str
    bar: float
    is_most: bool

    @property
    def met(self) -> bool:
        return self.measured <= self.bar if self.is_most else self.measured >= self.bar

    @property
    def verdict(self) -> str:
        return "PASS" if self.met else "FAIL"

    @property
    def limit(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.bar:g}{self.unit}"

    def __str__(self) -> str:
        return f"{self.verdict} {self.name}: {self.measured:.2f}{self.unit} ({self.limit})"


def at_most(bar: float, name: str, measured: float, unit: str = "") -> Budget:
    return Budget(name, measured, unit, bar, is_most=True)


def at_least(bar: float, name: str, measured: float, unit: str = "") -> Budget:
    return Budget(name, measured, unit, bar, is_most=False)
