"""A tool may emit only what its manifest declares."""

from __future__ import annotations

from impetus.model import Alert, ConfigurationError, DataClass, InvalidInput, RequestOrigin, ToolRequest, ToolResult
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


def check_result(manifest: Manifest, result: ToolResult) -> None:
    """Raises `ConfigurationError` if the manifest does not allow this result."""
    if result.tool != manifest.id:
        raise ConfigurationError(
            f"tool {manifest.id!r} published a result in the name of {result.tool!r}", hint="set result.tool to the id"
        )
    if manifest.result(result.kind) is None:
        raise ConfigurationError(
            f"{manifest.id}: result {result.kind!r} is not declared",
            hint=f"declare it in {MANIFEST_NAME} of {manifest.id}, or do not publish it",
        )


def check_published(manifest: Manifest, kind: str, tool: str | None) -> None:
    """Raises `ConfigurationError` if the manifest does not allow the tool to read results of that kind and tool."""
    own = tool is None or tool == manifest.id
    if (manifest.result(kind) is None) if own else not manifest.reads_result(tool or "", kind):
        raise ConfigurationError(
            f"{manifest.id}: results {kind!r} of {tool or manifest.id!r} are not declared",
            hint=f"declare them in {MANIFEST_NAME} of {manifest.id}",
        )


def check_request(manifest: Manifest, request: ToolRequest) -> None:
    """Raises `ConfigurationError` if the manifest does not allow the tool to ask for this."""
    if not manifest.asks(request):
        raise ConfigurationError(
            f"{manifest.id}: the request for {request.task!r} of {request.tool!r} is not declared",
            hint=f"declare it under [[requests]] in {MANIFEST_NAME} of {manifest.id}, or do not ask",
        )
    if request.origin is not RequestOrigin.TOOL or request.person is not None:
        raise ConfigurationError(
            f"{manifest.id} asked in the name of somebody else", hint="set request.origin to tool and no person"
        )


def check_evidence(manifest: Manifest, data: bytes, media_type: str, data_class: DataClass) -> None:
    """Raises `ConfigurationError` if the manifest does not allow such evidence, `InvalidInput` if it is too large."""
    use = manifest.evidence
    if use is None or media_type not in use.media_types or data_class not in manifest.data_classes:
        raise ConfigurationError(
            f"{manifest.id}: evidence of type {media_type!r} and data class {data_class.value} is not declared",
            hint=f"declare it under [evidence] and data_classes in {MANIFEST_NAME} of {manifest.id}",
        )
    if len(data) > use.limit_mb * 1_000_000:
        raise InvalidInput(
            f"{manifest.id}: evidence of {len(data)} bytes is larger than the {use.limit_mb:g} MB declared",
            hint="keep a smaller or shorter piece",
        )
