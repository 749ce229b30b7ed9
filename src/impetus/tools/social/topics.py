"""Bursts of topics: words that suddenly stand in many new posts, though all posts together show nothing.

For each word (and hashtag) the voices that used it are counted in sliding windows of ten minutes to two hours; one
voice counts once. What is expected comes from the word's own past, and is shrunk towards a word nobody has seen. The
level is one false burst in a hundred days over *all* words and windows (Bonferroni over the words of the window).
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from impetus.tools.social.bursts import BIN_S, BUDGET_DAYS, LEARNING_S, Burst, tail
from impetus.tools.social.posts import Post

WINDOWS_S = (600.0, 1_800.0, 7_200.0)
"""Lengths that are counted: a blast is told of within minutes, a slow rise by its sum."""
LEAST = 4
RISE = 4.0
"""A word bursts at so many times its expected count at least; below that no tail of this dispersion is small enough."""
QUIET_S = 6 * 3_600.0
SCATTER = 0.5
"""Dispersion of a word's count beyond chance: words come in clumps."""
PRIOR_SHARE = 2e-3
"""Share of posts in which a word stands of which nothing is known yet: as a rather frequent word."""
PRIOR_POSTS = 20.0
"""How many posts that prior is worth."""
MEMORY_POSTS = 50_000.0
"""Posts of the past, and their words, fade over so many: what a city speaks of changes."""
VOCABULARY = 200_000
"""Words whose past is remembered."""
MOST_POSTS = 20_000
"""Posts of the longest window; of a greater flood the oldest go first."""
_WORD = re.compile(r"[^\W\d_]{4,30}")
_EVERYDAY = frozenset({"user", "http", "mail", "number", "https"})


@dataclass(frozen=True, slots=True)
class TopicBurst:
    """A burst with the words that carry it."""

    burst: Burst
    words: tuple[str, ...]
    posts: tuple[Post, ...]
    """Those of the window that hold the first of the words, the newest last."""

    @property
    def title(self) -> str:
        """The words, the most telling first."""
        return ", ".join(self.words)


@dataclass(slots=True)
class _Window:
    """The posts of one window and the voices behind each word."""

    length_s: float
    posts: deque[tuple[float, frozenset[str], Post]] = field(default_factory=deque)
    voices: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, time_s: float, words: frozenset[str], post: Post) -> list[frozenset[str]]:
        """Take a post in; the words of the posts that left."""
        self.posts.append((time_s, words, post))
        for word in words:
            self.voices.setdefault(word, Counter())[post.author] += 1
        return self.leave(time_s - self.length_s)

    def leave(self, before_s: float) -> list[frozenset[str]]:
        """Let go of posts that came before; their words."""
        left = []
        while self.posts and (self.posts[0][0] < before_s or len(self.posts) > MOST_POSTS):
            _, old, gone = self.posts.popleft()
            left.append(old)
            for word in old:
                voices = self.voices[word]
                voices[gone.author] -= 1
                if voices[gone.author] <= 0:
                    del voices[gone.author]
                if not voices:
                    del self.voices[word]
        return left

    def forget(self, id: str) -> None:
        """A post was deleted where it came from: its words count no more."""
        kept = [one for one in self.posts if one[2].id != id]
        if len(kept) < len(self.posts):
            self.posts, self.voices = deque(kept), {}
            for _, words, post in kept:
                for word in words:
                    self.voices.setdefault(word, Counter())[post.author] += 1


class TopicWatch:
    """Posts in time order, as they come; says when a topic begins to burst."""

    def __init__(self) -> None:
        self._windows = [_Window(length_s) for length_s in WINDOWS_S]
        self._past: Counter[str] = Counter()
        self._past_posts = 0.0
        self._past_s = 0.0
        self._begin_s: float | None = None
        self._newest_s = 0.0
        self._silent_until: dict[str, float] = {}

    def add(self, post: Post) -> TopicBurst | None:
        """Take a post in. One topic bursts once until it was quiet for six hours. A post that comes late counts as
        written with the newest one before it."""
        time_s = self._newest_s = max(self._newest_s, post.time.timestamp())
        if self._begin_s is None:
            self._begin_s = time_s
        words = words_of(post.text)
        for window in self._windows:
            left = window.add(time_s, words, post)
            if window is self._windows[-1]:
                self._learn(left)
        if time_s - self._begin_s < LEARNING_S:
            return None
        found = sorted(one for window in self._windows for one in self._unusual(window, words, time_s))
        if not found:
            return None
        # Words that burst together are one topic: if one of them was told of already, this is its going on.
        fresh = not any(self._silent_until.get(word, 0.0) >= time_s for _, word, _, _, _ in found)
        for _, word, _, _, _ in found:
            self._silent_until[word] = time_s + QUIET_S
        if len(self._silent_until) > VOCABULARY // 10:
            self._silent_until = {word: until for word, until in self._silent_until.items() if until >= time_s}
        if not fresh:
            return None
        probability, word, count, mean, length_s = found[0]
        window = next(one for one in self._windows if one.length_s == length_s)
        carried = tuple(dict.fromkeys(one for _, one, _, _, _ in found))[:5]
        posts = tuple(one for _, inside, one in window.posts if word in inside)
        start = next(moment_s for moment_s, inside, _ in window.posts if word in inside)
        return TopicBurst(Burst(start, time_s, count, mean, probability), carried, posts)

    def forget(self, id: str) -> None:
        """A post was deleted where it came from: it is removed here too."""
        for window in self._windows:
            window.forget(id)

    def expire(self, before: datetime) -> None:
        """Forget posts that are older; that their words were used stays as a count."""
        for window in self._windows:
            left = window.leave(before.timestamp())
            if window is self._windows[-1]:
                self._learn(left)

    def recent(self, since_s: float) -> tuple[Post, ...]:
        """Posts of the longest window since then, the newest last."""
        return tuple(post for time_s, _, post in self._windows[-1].posts if time_s >= since_s)

    def _learn(self, left: Sequence[frozenset[str]]) -> None:
        for words in left:
            self._past_posts += 1.0
            self._past.update(words)
        if self._past_posts > 2 * MEMORY_POSTS or len(self._past) > 2 * VOCABULARY:
            # Halved now and then rather than faded at each post.
            self._past_posts /= 2.0
            self._past_s = (self._past_s + self._newest_s) / 2.0
            halved = {word: count // 2 for word, count in self._past.items() if count >= 2}
            self._past = Counter(dict(Counter(halved).most_common(VOCABULARY)))

    def _unusual(
        self, window: _Window, words: frozenset[str], time_s: float
    ) -> Iterator[tuple[float, str, int, float, float]]:
        """Probability, word, voices, expected voices and window of each word that stands in too many posts."""
        assert self._begin_s is not None  # noqa: S101 - a post was added
        # What counts is the word's share of the posts: a busy hour of all topics is no burst of one.
        longest = WINDOWS_S[-1]
        span_s = max(longest, time_s - longest - max(self._begin_s, self._past_s))
        usual = (self._past_posts + 1.0) / span_s * window.length_s
        expected_posts = max(usual, float(len(window.posts)), 0.5)
        # Windows slide: what counts as one look is the time in which a window changes, not its length.
        level = BIN_S / (BUDGET_DAYS * 86_400.0) / max(100, len(window.voices)) / len(WINDOWS_S)
        for word in words:
            count = len(window.voices[word])
            if count < LEAST:
                continue
            share = (self._past[word] + PRIOR_POSTS * PRIOR_SHARE) / (self._past_posts + PRIOR_POSTS)
            mean = expected_posts * share
            if count < RISE * mean:
                continue
            probability = tail(count, mean, SCATTER)
            if probability < level:
                yield probability, word, count, mean, window.length_s


def words_of(text: str) -> frozenset[str]:
    """Words of four letters and more, each once.

    >>> sorted(words_of("Fire, FIRE at the old harbour!"))
    ['fire', 'harbour']
    """
    return frozenset(word.lower() for word in _WORD.findall(text)) - _EVERYDAY


def topic_bursts(posts: Sequence[Post]) -> Iterator[TopicBurst]:
    """Bursts of topics among posts in time order."""
    watch = TopicWatch()
    for post in posts:
        found = watch.add(post)
        if found is not None:
            yield found
