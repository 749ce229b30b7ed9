"""Alerts become incidents that people assess, decide on and answer together."""
