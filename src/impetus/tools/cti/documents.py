"""Documents in: HTML, PDF, Markdown and text, each within limits; archives are refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from impetus.model import InvalidInput, Unavailable

SIZE_LIMIT_BYTES = 20_000_000
CHILD_LIMIT_S = 30.0
_ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"PK\x05\x06": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"MSCF": "a cabinet archive",
    b"MZ": "a program",
    b"\x7fELF": "a program",
}
_HTML = re.compile(rb"<\s*(?:!doctype\s+html|html|head|body|div|p|table|h1|article)[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as text."""

    title: str
    text: str
    media_type: str
    links: tuple[str, ...] = ()


def read_file(file: str) -> Document:
    """The document in a file; `-` is standard input. Raises `InvalidInput` and `Unavailable`."""
    name = "standard input" if file == "-" else file
    try:
        if file == "-":
            data = _bounded(sys.stdin.buffer, name)
        else:
            with Path(file).open("rb") as stream:
                data = _bounded(stream, name)
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {error.strerror or error}", hint="name a readable file") from error
    return read_document(data, name=name)


def read_document(data: bytes, *, name: str, media_type: str = "") -> Document:
    """The document in these bytes, of whatever kind they are. Raises `InvalidInput` if it is an archive, a program, too
    large or not readable, and `Unavailable` if no process can be started."""
    if len(data) > SIZE_LIMIT_BYTES:
        raise InvalidInput(f"{name} is larger than {SIZE_LIMIT_BYTES // 1_000_000} MB", hint="split it")
    for magic, what in _ARCHIVES.items():
        if data.startswith(magic):
            raise InvalidInput(f"{name} is {what}, which is not opened", hint="unpack it yourself and give the reports")
    if data.startswith(b"%PDF-") or media_type == "application/pdf":
        return _converted("pdf", data, name, "application/pdf")
    if media_type in ("text/html", "application/xhtml+xml") or (
        _HTML.search(data[:2_048]) and not media_type.startswith("text/plain")
    ):
        return _converted("html", decoded(data, name).encode(), name, "text/html")
    text = decoded(data, name)
    first = next((line.strip("# ").strip() for line in text.splitlines() if line.strip()), "")
    return Document(first[:300], text, "text/plain")


def decoded(data: bytes, name: str) -> str:
    """Text in UTF-8, UTF-16 with its mark, or Windows-1252. Raises `InvalidInput` if it is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{name} is no text", hint="give HTML, PDF, Markdown or text") from error
    if b"\x00" in data[:4_096]:
        raise InvalidInput(f"{name} is no text", hint="give HTML, PDF, Markdown or text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _bounded(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(SIZE_LIMIT_BYTES + 1)
    if len(data) > SIZE_LIMIT_BYTES:
        raise InvalidInput(f"{name} is larger than {SIZE_LIMIT_BYTES // 1_000_000} MB", hint="split it")
    return data


def _converted(kind: str, data: bytes, name: str, media_type: str) -> Document:
    try:
        done = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-m", "impetus.tools.cti.reading_child", kind],
            input=data,
            capture_output=True,
            timeout=CHILD_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(f"{name} takes too long to read", hint="give it as text") from error
    except OSError as error:
        raise Unavailable(f"no process could be started to read {name}: {error.strerror}") from error
    try:
        answer = cast(dict[str, object], json.loads(done.stdout))
    except ValueError as error:
        raise InvalidInput(f"{name} cannot be read: its parser was stopped", hint="give it as text") from error
    if "error" in answer:
        raise InvalidInput(f"{name} cannot be read: {answer['error']}", hint="give it as text")
    links = answer.get("links")
    return Document(
        str(answer["title"]),
        str(answer["text"]),
        media_type,
        tuple(map(str, links)) if isinstance(links, list) else (),
    )
