"""Alerts become incidents that people assess and decide on."""
