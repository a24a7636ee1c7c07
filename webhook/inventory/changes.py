"""Log lines for the changes of plans."""

from collections.abc import Iterable

import structlog

from webhook.inventory.index import PlanChange

log = structlog.get_logger(__name__)


def log_changes(changes: Iterable[PlanChange]) -> None:
    """Log the plans that cannot be read, and those with invalid settings."""
    for change in changes:
        if change.error:
            log.error("plan cannot be read", plan=change.plan, exc_info=change.error)
        elif change.problems:
            log.warning(
                "plan has settings that do not apply", plan=change.plan, problems=change.problems
            )
