"""Resource amounts are formatted as quantities."""

import pytest

from webhook.reports.explain.amounts import format_amount


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("cpu", 0, "0"),
        ("cpu", 500, "500m"),
        ("cpu", 2000, "2"),
        ("cpu", 1001, "1001m"),
        ("memory", 0, "0"),
        ("memory", 1023, "1023"),
        ("memory", 1 << 30, "1Gi"),
        ("memory", 1_610_612_736, "1.5Gi"),
        ("ephemeral-storage", 10**9, "953.7Mi"),
        ("memory", 1 << 60, "1024Pi"),
        ("devices.kubevirt.io/kvm", 1000, "1000"),
        ("pods", 110, "110"),
    ],
)
def test_amounts_have_their_unit(resource: str, amount: int, text: str) -> None:
    assert format_amount(resource, amount) == text
