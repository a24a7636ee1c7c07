"""The commands of an explanation, for the plan and the cluster that were explained."""

from typing import NamedTuple

from webhook.kube.commands import KubectlFlags, join_words
from webhook.model import Installation, Plan


class Commands(NamedTuple):
    """Writes the commands for a plan and its cluster."""

    plan: Plan
    installation: Installation
    flags: KubectlFlags

    def kubectl(self, *words: str) -> str:
        """Return a command of kubectl or of a plugin."""
        return self.flags.append_to(join_words("kubectl", [*words]))

    def helm(self, *words: str) -> str:
        """Return a command of Helm."""
        return self.flags.append_to_helm(join_words("helm", [*words]))

    def patch(self, flag: str, value: str) -> str:
        """Return the command that sets an annotation of the plan."""
        plan = ("plan", self.plan.name, "-n", self.plan.namespace)
        prefix = self.installation.prefix
        other = () if prefix == Installation().prefix else ("--annotation-prefix", prefix)
        return self.kubectl("convertor", "patch", *plan, flag, value, *other)

    def patch_spec(self, flag: str, value: str) -> str:
        """Return the command that sets a field of the plan's spec."""
        plan = ("plan", "--plan-name", self.plan.name, "-n", self.plan.namespace)
        return self.kubectl("mtv", "patch", *plan, flag, value)
