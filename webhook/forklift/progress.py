"""The progress of a migration, from the status of its Plan."""

import msgspec


class _Vm(msgspec.Struct):
    id: str = ""
    completed: str | None = None


class _MigrationRef(msgspec.Struct):
    uid: str = ""


class _Snapshot(msgspec.Struct):
    migration: _MigrationRef = msgspec.field(default_factory=_MigrationRef)


class _Migration(msgspec.Struct):
    history: list[_Snapshot] | None = None
    """The migrations of the plan; the last one is the current one, and the VMs are its."""
    vms: list[_Vm] | None = None


class _Status(msgspec.Struct):
    migration: _Migration | None = None


class Progress(msgspec.Struct):
    """A Plan, of which only the progress of its migrations is decoded."""

    status: _Status | None = None

    def has_ended(self, migration: str, vm: str) -> bool:
        """Return whether the migration of a VM has ended, by the UID of the Migration and `vmID`.

        False if that is not known: Forklift writes the status after the first pods.
        """
        found = self.status and self.status.migration
        if not found or not found.history:
            return False
        *previous, current = [each.migration.uid for each in found.history]
        if migration in previous:
            return True
        ended = {each.id for each in found.vms or () if each.completed}
        return migration == current and vm in ended


decode_progress = msgspec.json.Decoder(Progress).decode
