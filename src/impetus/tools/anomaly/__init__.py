"""Says when a city's sensor streams read something unusual, where, how sure it is, and why."""
