"""Alerts become incidents that people assess, decide on and answer together."""

from impetus.situation.alerts import AlertService
from impetus.situation.decisions import AlertDecided, AlertDecision, IncidentDecided, IncidentDecision, NewIncident
from impetus.situation.health import HealthBoard
from impetus.situation.incidents import IncidentRoom, IncidentService
from impetus.situation.readings import ReadingService
from impetus.situation.runtime import Situation, running
from impetus.situation.sensors import SensorState, sensor_state
from impetus.situation.settings import SituationSettings
from impetus.situation.views import ALERT_VIEW, AlertView, alert_json

__all__ = [
    "ALERT_VIEW",
    "AlertDecided",
    "AlertDecision",
    "AlertService",
    "AlertView",
    "HealthBoard",
    "IncidentDecided",
    "IncidentDecision",
    "IncidentRoom",
    "IncidentService",
    "NewIncident",
    "ReadingService",
    "SensorState",
    "Situation",
    "SituationSettings",
    "alert_json",
    "running",
    "sensor_state",
]
