"""Run a control plane until an interrupt: `python -m tests.system.controlplane.up`."""

import shlex
import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.process import WaitError
from tests.system.controlplane.programs import MissingProgram, program


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="controlplane-") as folder:
        try:
            plane = ControlPlane(Path(folder))
            kubeconfig = plane.kubeconfig("admin", plane.admin_token)
            kubectl = shlex.quote(str(program("kubectl")))
        except MissingProgram as error:
            click.echo(f"up: {error}", err=True)
            return 1
        try:
            plane.start()
            click.echo(f"export KUBECONFIG={kubeconfig}")
            click.echo(f"alias kubectl={kubectl}")
            click.echo(f"# logs are in {folder}; an interrupt stops it and removes the folder")
            signal.pause()
        except KeyboardInterrupt:
            pass
        except WaitError as error:
            click.echo(f"up: {error}", err=True)
            return 1
        finally:
            plane.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
