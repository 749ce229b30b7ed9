"""The text of a web page: what a reader sees, with its paragraphs; no script is run and nothing is fetched."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

LIMIT = 5_000_000
"""Characters of text; the rest of a page that never ends is cut."""
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "aside",
        "nav",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "blockquote",
        "br",
        "hr",
        "figure",
        "figcaption",
        "form",
        "fieldset",
        "address",
        "title",
    ]
)
_CELLS = frozenset({"td", "th"})
_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "head"})
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self.links: list[str] = []
        self.size = 0
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        if tag in _HIDDEN and tag != "head" and tag not in _VOID:
            self._hidden += 1
        if tag in _BLOCKS:
            self._add("\n")
        if tag in _CELLS:
            self._add("\t")
        if tag == "a" and len(self.links) < 2_000:
            self.links += [value for name, value in attrs if name == "href" and value and len(value) < 2_000]

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in _HIDDEN and tag != "head" and self._hidden:
            self._hidden -= 1
        if tag in _BLOCKS:
            self._add("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data[:500])
        elif not self._hidden:
            self._add(data)

    def _add(self, text: str) -> None:
        if self.size < LIMIT:
            self.parts.append(text)
            self.size += len(text)


def html_to_text(source: str) -> tuple[str, str, list[str]]:
    """Title, text and links of a page, however broken it is.

    >>> html_to_text("<title>A</title><p>One <b>two</b><script>x()</script></p>")[:2]
    ('A', 'One two')
    """
    reader = _Reader()
    try:
        reader.feed(source)
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        # The parser of the standard library gives up on some malformed declarations: keep what was read.
        reader.parts.append("\n" + re.sub(r"<[^<>]{0,2000}>", " ", html.unescape(source[-100_000:])))
    text = re.sub(r"[ \t\f\v\u00a0]*\n[ \t\f\v\u00a0]*", "\n", re.sub(r"[ \t\f\v\u00a0]+", " ", "".join(reader.parts)))
    return " ".join("".join(reader.title).split())[:300], re.sub(r"\n{3,}", "\n\n", text).strip()[:LIMIT], reader.links
