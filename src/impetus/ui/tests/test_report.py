"""Protects the report of an incident: no hostile text gets through, all European letters print, others get nothing."""

from __future__ import annotations

import re
import zlib

from impetus.model import EvidenceReference
from impetus.situation.tests.house import HOSTILE, an_alert
from impetus.ui.report import sketch
from impetus.ui.report_pdf import plain
from impetus.ui.tests.conftest import Ui

LETTERS = "Tromsø, Città di Forlì à, Łódź, Straße, Þingvellir, Ελλάδα, София"


async def test_the_report_is_a_page_a_pdf_and_a_document(ui: Ui) -> None:
    sha256 = await ui.services.evidence.put("municipality", b"a picture")
    evidence = EvidenceReference(sha256=sha256, media_type="image/png", title=LETTERS[:60], size_bytes=9)
    alert = an_alert(headline=LETTERS, description=HOSTILE.replace("\u0000", ""), evidence=(evidence,))
    await ui.house.situation.alerts.ingest("municipality", [alert])
    async with ui.person("olivia") as olivia, ui.person("pia") as pia, ui.person("dora") as dora:
        body = {"title": LETTERS, "summary": "<script>alert(1)</script> " + "x" * 300, "alerts": [alert.id]}
        id = (await olivia.post("/api/v1/incidents", json=body)).json()["id"]
        opened = {"reason": "To see <who> it is", "incident": id}
        assert (await olivia.post(f"/api/v1/evidence/{sha256}/openings", json=opened)).status_code == 201
        page = await olivia.get(f"/incidents/{id}/report")
        assert page.status_code == 200
        assert LETTERS in page.text
        assert "<script>alert" not in page.text
        assert "To see &lt;who&gt; it is" in page.text
        assert "<svg" in page.text
        file = await olivia.get(f"/incidents/{id}/report.pdf")
        assert file.status_code == 200
        assert file.headers["content-type"] == "application/pdf"
        assert file.content.startswith(b"%PDF-")
        drawn = b"".join(_streams(file.content))
        assert b"/JavaScript" not in file.content + drawn
        export = (await olivia.get(f"/api/v1/incidents/{id}/export")).json()
        assert export["schema"] == "impetus.incident-export.v1"
        assert export["alerts"][0]["headline"] == LETTERS
        assert [entry["reason"] for entry in export["evidence"][0]["custody"]] == ["To see <who> it is"]
        assert export["participants"] == ["Olivia Example"]
        for path in (f"/incidents/{id}/report", f"/incidents/{id}/report.pdf", f"/api/v1/incidents/{id}/export"):
            assert (await pia.get(path)).status_code == 404, path
            assert (await dora.get(path)).status_code == 403, path
        actions = [one["action"] for one in (await dora.get("/api/v1/audit?action=incident.export")).json()["items"]]
        assert len(actions) == 3


def _streams(content: bytes) -> list[bytes]:
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return found


def test_what_the_font_has_not_is_written_by_its_number() -> None:
    assert plain(LETTERS) == LETTERS
    assert plain("a\u202eb\U0001f4a5\u4e2d") == "a‹U+202E›b‹U+1F4A5›‹U+4E2D›"


def test_a_sketch_needs_a_place_and_bounds_what_it_draws() -> None:
    assert sketch([{"place": None, "severity": "Minor"}], {}) is None
    square = [[[7.9, 58.0], [8.1, 58.0], [8.1, 58.2], [7.9, 58.2], [7.9, 58.0]]]
    alerts = [{"place": {"geometry": {"type": "Point", "coordinates": [8.0, 58.1]}}, "severity": "Minor"}]
    base = {
        "features": [
            {"properties": {"kind": "water"}, "geometry": {"type": "Polygon", "coordinates": square}},
            {"properties": {"kind": "other"}, "geometry": {"type": "Polygon", "coordinates": square}},
        ]
    }
    drawn = sketch(alerts, base)
    assert drawn is not None
    assert (drawn.marks[0].x, drawn.marks[0].y) == (500.0, 230.0)
    assert len(drawn.shapes) == 1
    assert all(-1 <= x <= 1001 and -1 <= y <= 461 for x, y in drawn.shapes[0].points)
