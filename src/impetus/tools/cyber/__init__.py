"""Attack graphs of a city's network: what can be reached, where an intruder is, and what to fix first."""
