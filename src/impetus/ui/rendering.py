"""Templates to HTML: escaping always on, texts in the reader's language, and the headers that every page carries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime
from babel.numbers import format_decimal
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from impetus.ui import languages, security
from impetus.ui.text import harmless
from impetus.ui.tool_texts import word

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


def fingerprint_of(folder: Path) -> str:
    """A short hash over all files below a folder: part of their address, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name, or UTC if the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _finalize(value: object) -> object:
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value


class Renderer:
    """Renders templates in each language."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, exercise: str = "") -> None:
        """`now` tells the time from which ages are reckoned. `exercise` is the title of the exercise that is played
        here: every page says so, before anybody has logged in as well."""
        self._now = now
        self._exercise = exercise
        self.fingerprint = fingerprint_of(STATIC)
        self.static_path = f"/static/{self.fingerprint}"
        self._environments = {language: self._environment(language) for language in languages.LANGUAGES}

    def _environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.globals.update(
            static=lambda path: f"{self.static_path}/{path}",
            languages=languages.LANGUAGES,
            language=language,
            exercise=self._exercise,
        )
        environment.filters.update(_filters(language, self._now))
        # Supplied by the i18n extension at run time, which jinja2's own annotations do not know.
        environment.install_gettext_translations(  # type: ignore[attr-defined]
            languages.translations(language), newstyle=True
        )
        return environment

    def text(self, template: str, language: str, **context: Any) -> str:
        """The rendered template."""
        return self._environments[language].get_template(template).render(**context)

    def page(
        self,
        template: str,
        language: str,
        *,
        status: int = 200,
        image_hosts: Sequence[str] = (),
        extra_headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A page or a part of one, with its security headers."""
        nonce = security.new_nonce()
        html = self.text(template, language, nonce=nonce, **context)
        return HTMLResponse(html, status, {**security.headers(nonce, image_hosts), **(extra_headers or {})})


def _filters(language: str, now: Callable[[], datetime]) -> dict[str, Any]:
    def moment(value: str | None, zone: str = "UTC", style: str = "d MMM y HH:mm:ss") -> str:
        """A time of the interface in a time zone; a dash if there is none."""
        if not value:
            return "–"
        return format_datetime(datetime.fromisoformat(value).astimezone(zone_of(zone)), style, locale=language)

    def number(value: float | None, decimals: int = 0) -> str:
        """A number as the language writes it; a dash if there is none."""
        if value is None:
            return "–"
        return format_decimal(round(value, decimals), locale=language)

    def duration(value_s: float | None) -> str:
        """Seconds as minutes and seconds, or hours and minutes; a dash if there are none."""
        if value_s is None:
            return "–"
        seconds = round(value_s)
        if seconds < 3600:
            return f"{seconds // 60:02d}:{seconds % 60:02d}"
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"

    def age(value: str | None) -> str:
        """How long ago a time of the interface was; a dash if there is none."""
        if not value:
            return "–"
        return duration(max(0.0, (now() - datetime.fromisoformat(value)).total_seconds()))

    def tool_text(value: str) -> str:
        """What a tool declared, in the reader's language."""
        return word(value, language)

    return {"tool_text": tool_text, "moment": moment, "number": number, "duration": duration, "age": age}
