"""`convertor-webhook` with certificates that last seconds: ten rotations take two minutes.

`python -m tests.system.e2e.reliability.short_lived_certs serve …` is otherwise the real command.
"""

from datetime import timedelta
from functools import partial
from unittest.mock import patch

from certs.ca.durations import Durations
from certs.serving.self_managed import SelfManaged
from webhook.cli.main import main

DURATIONS = Durations(
    ca=timedelta(seconds=18),
    leaf=timedelta(seconds=6),
    publish_wait=timedelta(seconds=3),
    grace=timedelta(seconds=3),
    settle=timedelta(seconds=1),
)
"""A new CA every twelve seconds: after two thirds of the lifetime of the previous one."""

if __name__ == "__main__":
    with patch(
        "webhook.server.certificates.SelfManaged", partial(SelfManaged, durations=DURATIONS)
    ):
        main()
