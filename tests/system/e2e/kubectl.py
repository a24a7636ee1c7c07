"""kubectl as a person has it: with the commands of this package on the PATH."""

import subprocess
import sys
from pathlib import Path

from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.programs import program


class Kubectl:
    """kubectl of the administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self._program = program("kubectl")
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "KUBECONFIG": str(plane.kubeconfig("kubectl", plane.admin_token)),
            "HOME": str(plane.folder),
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        return subprocess.run(
            [self._program, *words],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )

    def done(self, *words: str) -> str:
        """Run it, and return what it prints; it succeeds without a warning."""
        result = self(*words)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return result.stdout
