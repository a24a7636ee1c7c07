"""`enforced` of the installation's file: what every migration pod gets, whatever its plan says."""

from webhook.model import Installation, Problem, Settings
from webhook.settings.merge import split_selector
from webhook.settings.raw import RawSetting, read_map, report_unknown
from webhook.settings.source import SourceContext, read_source

FIELDS = {"nodeSelector": "node-selector", "affinity": "affinity", "tolerations": "tolerations"}
"""The keys, and the settings that they hold."""


def read_enforced(
    setting: RawSetting, installation: Installation, problems: list[Problem]
) -> Settings:
    """Read and compile what the installation enforces, with the scope of the installation."""
    fields = read_map(setting, problems)
    problems.extend(report_unknown("field", fields, FIELDS, setting.where))
    raw = {
        name: RawSetting(f"{setting.where}.{field}", fields[field], reject_unknown_fields=True)
        for field, name in FIELDS.items()
        if fields.get(field) is not None
    }
    source = read_source(raw, SourceContext(installation), problems)
    selector, requirements = split_selector(source.node_selector)
    return Settings(
        node_selector=selector,
        node_requirements=requirements,
        affinity=source.affinity or {},
        spread=source.spread,
        tolerations=source.tolerations,
    )
