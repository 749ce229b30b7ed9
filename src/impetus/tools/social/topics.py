"""Bursts of topics: words that suddenly stand in many new posts, though all posts together show nothing.

For each word (and hashtag) the posts that hold it are counted in a sliding window of half an hour; copies and one voice
count once. What is expected comes from the word's own past and shrinks towards a word nobody has seen. The level is one
false burst in a hundred days over *all* words (Bonferroni over the words of the window).
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from impetus.tools.social.bursts import BUDGET_DAYS, Burst, tail
from impetus.tools.social.posts import Post

WINDOW_S = 1_800.0
LEAST = 4
QUIET_S = 6 * 3_600.0
SCATTER = 0.5
"""Dispersion of a word's count beyond chance: words come in clumps."""
PRIOR_SHARE = 2e-3
"""Share of posts in which a word stands of which nothing is known yet: as a rather frequent word."""
_WORD = re.compile(r"[^\W\d_]{4,30}")
_EVERYDAY = frozenset({"user", "http", "mail", "number", "https"})


@dataclass(frozen=True, slots=True)
class TopicBurst:
    """A burst with the words that carry it."""

    burst: Burst
    title: str
    words: tuple[str, ...]


def words_of(text: str) -> frozenset[str]:
    """Words of four letters and more, each once.

    >>> sorted(words_of("Fire, FIRE at the old harbour!"))
    ['fire', 'harbour']
    """
    return frozenset(word.lower() for word in _WORD.findall(text)) - _EVERYDAY


def topic_bursts(posts: Sequence[Post]) -> Iterator[TopicBurst]:
    """Bursts of topics among posts in time order. One topic bursts once until it was quiet for six hours."""
    if not posts:
        return
    window: deque[tuple[float, frozenset[str], str]] = deque()
    inside: dict[str, Counter[str]] = {}
    past: Counter[str] = Counter()
    past_posts = 0
    begin = posts[0].time.timestamp()
    silent_until: dict[str, float] = {}
    for post in posts:
        time_s = post.time.timestamp()
        while window and window[0][0] < time_s - WINDOW_S:
            _, old, voice = window.popleft()
            past_posts += 1
            past.update(old)
            for word in old:
                inside[word][voice] -= 1
                if inside[word][voice] <= 0:
                    del inside[word][voice]
                if not inside[word]:
                    del inside[word]
        words = words_of(post.text)
        window.append((time_s, words, post.author))
        for word in words:
            inside.setdefault(word, Counter())[post.author] += 1
        rate_s = (past_posts + 1) / max(WINDOW_S, window[0][0] - begin + WINDOW_S)
        expected_posts = max(rate_s * WINDOW_S, 0.5)
        level = WINDOW_S / (BUDGET_DAYS * 86_400.0) / max(100, len(inside))
        found = []
        for word in words:
            count = len(inside[word])
            if count < LEAST:
                continue
            share = (past[word] + 20 * PRIOR_SHARE) / (past_posts + 20)
            probability = tail(count, expected_posts * share, SCATTER)
            if probability < level:
                found.append((probability, word, count, expected_posts * share))
        if not found:
            continue
        fresh = all(silent_until.get(word, 0.0) < time_s for _, word, _, _ in found)
        for _, word, _, _ in found:
            silent_until[word] = time_s + QUIET_S
        if fresh:
            probability, word, count, mean = min(found)
            start = next(moment_s for moment_s, inside_words, _ in window if word in inside_words)
            carried = tuple(one for _, one, _, _ in sorted(found))[:5]
            yield TopicBurst(Burst(start, time_s, count, mean, probability), ", ".join(carried), carried)
