"""A tool may emit only what its manifest declares."""

from __future__ import annotations

from impetus.model import Alert, ConfigurationError
from impetus.sdk.manifest import MANIFEST_NAME, SEVERITY_ORDER, Manifest


def check_alert(manifest: Manifest, alert: Alert) -> None:
    """Raises `ConfigurationError` if the manifest does not allow this alert."""
    hint = f"declare it in {MANIFEST_NAME} of {manifest.id}, or do not emit it"
    if alert.tool != manifest.id:
        raise ConfigurationError(
            f"tool {manifest.id!r} emitted an alert in the name of {alert.tool!r}", hint="set alert.tool to the id"
        )
    detector = manifest.detector(alert.detector)
    if detector is None:
        raise ConfigurationError(f"{manifest.id}: detector {alert.detector!r} is not declared", hint=hint)
    declared = (detector.category, *detector.other_categories)
    if alert.category not in declared:
        raise ConfigurationError(
            f"{manifest.id}: detector {detector.id!r} declares category {', '.join(declared)}, not {alert.category}",
            hint=hint,
        )
    if SEVERITY_ORDER[alert.severity] > SEVERITY_ORDER[detector.max_severity]:
        raise ConfigurationError(
            f"{manifest.id}: detector {detector.id!r} may raise up to {detector.max_severity}, not {alert.severity}",
            hint=hint,
        )
    undeclared = set(alert.data_classes).difference(manifest.data_classes)
    if undeclared:
        raise ConfigurationError(
            f"{manifest.id}: data class {', '.join(sorted(undeclared))} is not declared", hint=hint
        )
