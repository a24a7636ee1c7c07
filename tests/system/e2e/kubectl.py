"""kubectl with the plugin of this package on the PATH."""

import subprocess
import sys
from pathlib import Path

from tests.system.controlplane.cluster import ControlPlane
from tests.system.controlplane.programs import program


class Kubectl:
    """Runs kubectl with the rights of a token, by default of the administrator's."""

    def __init__(self, plane: ControlPlane, token: str = "") -> None:
        self._program = program("kubectl")
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "KUBECONFIG": str(plane.kubeconfig("kubectl", token or plane.admin_token)),
            "HOME": str(plane.folder),
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it, and return its exit code and output."""
        return subprocess.run(
            [self._program, *words],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )

    def done(self, *words: str) -> str:
        """Run it, assert that it succeeds without a warning, and return its output."""
        result = self(*words)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return result.stdout
