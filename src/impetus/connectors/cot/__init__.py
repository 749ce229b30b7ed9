"""Cursor-on-Target to and from TAK servers: what field units see, and what they report."""

from impetus.connectors.cot.connector import run_connector
from impetus.connectors.cot.settings import CotSettings

__all__ = ["CotSettings", "run_connector"]
