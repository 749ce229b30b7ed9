"""Reads what the open and dark web report, and says what of it concerns this city's assets, and why."""
