"""Tests of the bus: `contract.py` holds what every back end must pass."""
