"""Questionnaires after an exercise: the System Usability Scale, and what the system did for the operation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from impetus.exercise.desk import Answers
from impetus.model import InvalidInput, Value

USABILITY: Final = (
    "I think that I would like to use this system frequently.",
    "I found the system unnecessarily complex.",
    "I thought the system was easy to use.",
    "I think that I would need the support of a technical person to be able to use this system.",
    "I found the various functions in this system were well integrated.",
    "I thought there was too much inconsistency in this system.",
    "I would imagine that most people would learn to use this system very quickly.",
    "I found the system very cumbersome to use.",
    "I felt very confident using the system.",
    "I needed to learn a lot of things before I could get going with this system.",
)
"""The ten statements of the System Usability Scale (Brooke 1996), in their order: odd ones praise, even ones do not."""
IMPACT: Final = (
    "I noticed what happened sooner than I would have without the system.",
    "I understood what belonged together.",
    "I knew why each alert was raised, and how far to trust it.",
    "I could decide in time.",
    "The other organisations knew what they needed from us.",
    "The number of alerts was one that I could handle.",
    "The system asked nothing of me that takes away from people's rights.",
)
"""Statements on what the system did for the operation; all praise."""


class Summary(Value):
    """What the players answered."""

    usability: float | None = None
    """Mean System Usability Scale, 0 to 100; 68 is what systems reach on average (Sauro 2011)."""
    usability_people: int = 0
    impact: tuple[float, ...] = ()
    """Mean agreement, 1 to 5, with each statement on the impact."""
    impact_people: int = 0
    remarks: tuple[str, ...] = ()


def usability_score(answers: Sequence[int]) -> float:
    """The System Usability Scale of one person, 0 to 100, from ten answers of 1 to 5.

    Raises `InvalidInput` for another number of answers.

    >>> usability_score([5, 1] * 5)
    100.0
    >>> usability_score([3] * 10)
    50.0
    """
    if len(answers) != len(USABILITY) or not all(1 <= one <= 5 for one in answers):
        raise InvalidInput("the scale has ten statements, each answered from 1 to 5")
    return 2.5 * sum(one - 1 if number % 2 == 0 else 5 - one for number, one in enumerate(answers))


def check_answers(answers: Answers) -> None:
    """Raises `InvalidInput` for too few or too many answers."""
    wanted = USABILITY if answers.kind == "usability" else IMPACT
    if len(answers.answers) != len(wanted):
        raise InvalidInput(f"this questionnaire has {len(wanted)} statements, not {len(answers.answers)}")


def summary(answers: Sequence[Answers]) -> Summary:
    """The means over all players; ones of another length are left out."""
    scales = [
        usability_score(one.answers)
        for one in answers
        if one.kind == "usability" and len(one.answers) == len(USABILITY)
    ]
    impacts = [one.answers for one in answers if one.kind == "impact" and len(one.answers) == len(IMPACT)]
    return Summary(
        usability=round(statistics.mean(scales), 1) if scales else None,
        usability_people=len(scales),
        impact=tuple(round(statistics.mean(column), 2) for column in zip(*impacts, strict=True)),
        impact_people=len(impacts),
        remarks=tuple(one.remark for one in answers if one.remark),
    )
