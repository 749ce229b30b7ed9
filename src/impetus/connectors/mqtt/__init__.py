"""MQTT in: SensorThings and a city's own JSON, from sensors directly or from any broker."""
