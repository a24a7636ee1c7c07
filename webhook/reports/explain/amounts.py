"""Resource amounts in the scheduler's units, as quantities."""

from webhook.kube.scheduler.resources import CPU, MEMORY, STORAGE

_BINARY_SUFFIXES = ("Ki", "Mi", "Gi", "Ti", "Pi")


def format_amount(resource: str, amount: int) -> str:
    """Return `500m`, `2` or `1.5Gi`; bytes are rounded to four digits."""
    if resource == CPU:
        return f"{amount}m" if amount % 1000 else f"{amount // 1000}"
    return _format_bytes(amount) if resource in (MEMORY, STORAGE) else f"{amount}"


def _format_bytes(amount: int) -> str:
    value, suffix = float(amount), ""
    for each in _BINARY_SUFFIXES:
        if value < 1024:
            break
        value, suffix = value / 1024, each
    return f"{value:.4g}{suffix}"
