"""`impetus demo` and `impetus exercise`: a live city of invented sensors, with everything real behind it."""

from impetus.demo.city import run_city
from impetus.demo.playing import play, run_demo
from impetus.demo.reporting import replay_period, report, run_and_review
from impetus.demo.staging import stage
from impetus.demo.unattended import Played, run_exercise

__all__ = [
    "Played",
    "play",
    "replay_period",
    "report",
    "run_and_review",
    "run_city",
    "run_demo",
    "run_exercise",
    "stage",
]
