"""A row of reports: an effective setting, with its source."""

import msgspec


class Setting(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An effective setting."""

    name: str
    """As in annotations: `labels`."""
    value: str
    """As in annotations: `workload=migration`."""
    source: str
    """`annotation convertor.forklift.konveyor.io/labels`, `spec.convertorLabels`, `defaults
    labels`, or `installation`."""
    overridden: list[str] = msgspec.field(name="insteadOf", default_factory=list)
    """The values of less specific sources: `workload=batch (spec.convertorLabels)`."""
