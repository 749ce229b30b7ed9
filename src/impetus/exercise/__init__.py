"""The invented demo city, its signals and planted events; later scenarios, replay and review."""
