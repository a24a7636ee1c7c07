"""Amounts in the scheduler's units, as people write quantities."""

from webhook.kube.scheduler.resources import CPU, MEMORY, STORAGE

_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi")


def amount_text(resource: str, amount: int) -> str:
    """Return `500m`, `2` or `1.5Gi`; bytes are rounded to four digits."""
    if resource == CPU:
        return f"{amount}m" if amount % 1000 else f"{amount // 1000}"
    return _bytes_text(amount) if resource in (MEMORY, STORAGE) else f"{amount}"


def _bytes_text(amount: int) -> str:
    value, suffix = float(amount), ""
    for each in _BINARY:
        if value < 1024:
            break
        value, suffix = value / 1024, each
    return f"{value:.4g}{suffix}"
