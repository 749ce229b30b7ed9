"""Scenes rendered by code: persons, guns, harmless things, streets and rooms, light, noise and compression.

Everything here is drawn from numbers; there is no photograph, texture or model of anybody's in it. The shipped detector
is trained on it, the demo's camera shows it, and the tests look at it. The same seed gives the same scene.
"""
