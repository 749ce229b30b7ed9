"""Dead letters in bounded number: a broken sensor that repeats itself is counted after the first few."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 60.0
SINGLE_LETTERS = 20
"""So many refusals of one topic are kept singly in a window; what follows is counted and summed up at its end."""
TOPIC_LIMIT = 10_000
OTHER_TOPICS = "(other topics)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is to be set aside."""

    tenant: str
    topic: str
    body: bytes
    reason: str


@dataclass(slots=True)
class _Window:
    began_s: float
    single: int = 0
    counted: int = 0
    last: Refusal | None = None


class RefusalLimiter:
    """Decides which refusals are kept singly."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], _Window] = {}

    def admit(self, refusal: Refusal, now_s: float) -> bool:
        """Whether this one is kept singly; if not it is counted and comes up in `summaries`."""
        key = (refusal.tenant, refusal.topic)
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= TOPIC_LIMIT:
                key = (refusal.tenant, OTHER_TOPICS)
            window = self._windows.setdefault(key, _Window(now_s))
        if window.single < SINGLE_LETTERS:
            window.single += 1
            return True
        window.counted += 1
        window.last = refusal
        return False

    def summaries(self, now_s: float, *, everything: bool = False) -> list[Refusal]:
        """One dead letter for each topic whose window is over and in which refusals were only counted."""
        found: list[Refusal] = []
        for key, window in list(self._windows.items()):
            if everything or now_s - window.began_s >= WINDOW_S:
                del self._windows[key]
                if window.last is not None:
                    reason = (
                        f"{window.counted:,} more payloads of this topic were refused; the last: {window.last.reason}"
                    )
                    found.append(Refusal(key[0], key[1], window.last.body, reason))
        return found
