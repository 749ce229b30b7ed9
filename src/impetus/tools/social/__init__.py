"""Public posts and news: what is being said that a city must know. Posts and events are judged, never persons."""
