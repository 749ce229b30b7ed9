"""Guns in the pictures of a city's cameras: found, confirmed over time, shown with everybody masked."""
