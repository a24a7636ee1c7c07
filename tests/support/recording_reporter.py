"""A reporter that records decisions and errors."""

from webhook.model import Decision, Request, Reviewed


class RecordingReporter:
    def __init__(self) -> None:
        self.decisions: list[tuple[Request | None, Decision]] = []
        self.reviewed: list[Reviewed] = []
        self.errors: list[tuple[str, Exception]] = []

    def __call__(
        self, reviewed: Reviewed, request: Request | None, decision: Decision, seconds: float
    ) -> None:
        assert seconds >= 0
        self.reviewed.append(reviewed)
        self.decisions.append((request, decision))

    def report_error(self, uid: str, error: Exception) -> None:
        self.errors.append((uid, error))

    @property
    def reasons(self) -> list[str]:
        return [decision.reason.value for _request, decision in self.decisions]
