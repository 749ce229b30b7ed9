"""Runs in a process of its own, with little memory and time: turns HTML or PDF on standard input into JSON with text.

What a hostile document does to its parser it does to this process, which the tool ends.
"""

from __future__ import annotations

import io
import json
import resource
import sys

from impetus.tools.cti.html_text import LIMIT, html_to_text

MEMORY_BYTES = 1_000_000_000
CPU_S = 20
PAGES = 500


def main() -> int:
    """Read, convert, write; 0 if that worked."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = sys.argv[1]
    data = sys.stdin.buffer.read()
    try:
        if kind == "pdf":
            answer = _pdf(data)
        else:
            title, text, links = html_to_text(data.decode("utf-8", "replace"))
            answer = {"title": title, "text": text, "links": links}
    except MemoryError:
        answer = {"error": "it needs too much memory"}
    except Exception as error:  # whatever a hostile document does to its parser
        answer = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    sys.stdout.write(json.dumps(answer))
    return 0


def _pdf(data: bytes) -> dict[str, object]:
    import logging

    from pypdf import PdfReader

    logging.disable(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"error": "it is locked with a password"}
    parts: list[str] = []
    size = 0
    for number, page in enumerate(reader.pages):
        if number >= PAGES or size >= LIMIT:
            break
        text = page.extract_text() or ""
        parts.append(text)
        size += len(text)
    title = str((reader.metadata.title if reader.metadata else None) or "")
    return {"title": " ".join(title.split())[:300], "text": "\n\n".join(parts)[:LIMIT], "links": []}


if __name__ == "__main__":
    sys.exit(main())
