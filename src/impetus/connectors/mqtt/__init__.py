"""MQTT in: SensorThings and a city's own JSON, from sensors directly or from any broker."""

from impetus.connectors.mqtt.connector import run_connector
from impetus.connectors.mqtt.mapping import JsonMapping, TimeFormat
from impetus.connectors.mqtt.settings import EmbeddedListener, ExternalBroker, MqttSettings

__all__ = ["EmbeddedListener", "ExternalBroker", "JsonMapping", "MqttSettings", "TimeFormat", "run_connector"]
