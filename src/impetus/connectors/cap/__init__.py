"""The Common Alerting Protocol 1.2: alerts and incidents out, messages of others in."""

from impetus.connectors.cap.mapping import TOOL, Heading, alert_to_cap, cap_to_alert, incident_to_cap
from impetus.connectors.cap.message import CapMessage, MessageType, Reference
from impetus.connectors.cap.reading import SIZE_LIMIT_BYTES, read_cap
from impetus.connectors.cap.writing import MEDIA_TYPE, write_cap

__all__ = [
    "MEDIA_TYPE",
    "SIZE_LIMIT_BYTES",
    "TOOL",
    "CapMessage",
    "Heading",
    "MessageType",
    "Reference",
    "alert_to_cap",
    "cap_to_alert",
    "incident_to_cap",
    "read_cap",
    "write_cap",
]
