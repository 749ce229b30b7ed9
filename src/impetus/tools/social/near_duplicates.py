"""Near-duplicates by MinHash (Broder 1997) and locality-sensitive hashing: a flood of copies is one message.

Only hashes are remembered, no text.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Any

from impetus.model import ConfigurationError

SIMILAR = 0.7
"""Jaccard similarity of two posts' runs of five letters from which they are copies."""
PERMUTATIONS = 64
REMEMBERED = 20_000
SHINGLE = 5


class Copies:
    """Remembers posts by their signature; which earlier post a new one repeats."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """Raises `ConfigurationError` without datasketch."""
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as error:
            raise ConfigurationError("datasketch is not installed", hint="pip install 'impetus[social]'") from error
        self._new: Any = MinHash
        self._index: Any = MinHashLSH(threshold=SIMILAR, num_perm=PERMUTATIONS)
        self._remembered = remembered
        self._known: OrderedDict[str, Any] = OrderedDict()
        self._exact: dict[bytes, str] = {}

    def add(self, id: str, text: str) -> str | None:
        """Remember a post; the identifier of the first post that it repeats, None if it says something new."""
        words = " ".join(text.lower().split())[:1_000]
        exact = blake2b(words.encode("utf-8", "replace"), digest_size=16).digest()
        if exact in self._exact:
            return self._exact[exact]
        signature = self._new(num_perm=PERMUTATIONS)
        signature.update_batch(
            [words[start : start + SHINGLE].encode("utf-8", "replace") for start in range(max(1, len(words) - 4))]
        )
        for known in self._index.query(signature):
            if self._known[known][0].jaccard(signature) >= SIMILAR:
                self._exact[exact] = known
                self._known[known][1].append(exact)
                return str(known)
        if id in self._known:
            return id
        self._index.insert(id, signature)
        self._known[id] = (signature, [exact])
        self._exact[exact] = id
        while len(self._known) > self._remembered:
            oldest, (_, texts) = self._known.popitem(last=False)
            self._index.remove(oldest)
            for one in texts:
                self._exact.pop(one, None)
        return None

    def forget(self, id: str) -> None:
        """A post was deleted where it came from."""
        found = self._known.pop(id, None)
        if found is not None:
            self._index.remove(id)
            for one in found[1]:
                self._exact.pop(one, None)
