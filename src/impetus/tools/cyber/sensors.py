"""Alerts of live sensors as JSON lines: Suricata EVE, Wazuh, Zeek notices; also behind a syslog header."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from impetus.tools.cyber.alert_table import TEXT_LIMIT, parse_time, plain_text
from impetus.tools.cyber.episodes import SecurityAlert
from impetus.tools.cyber.techniques import TECHNIQUE

LINE_LIMIT_BYTES = 1024 * 1024


def parse_line(line: str | bytes, skipped: Counter[str]) -> SecurityAlert | None:
    """The alert of one line; None for a line that is no alert, or that cannot be read: then it is counted."""
    if len(line) > LINE_LIMIT_BYTES:
        skipped["lines longer than 1 MB"] += 1
        return None
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    begins = text.find("{")
    if not text.strip():
        return None
    try:
        content = json.loads(text[begins:]) if begins >= 0 else None
    except (ValueError, RecursionError):
        skipped["lines that are cut or no JSON"] += 1
        return None
    if not isinstance(content, dict):
        skipped["lines that are cut or no JSON"] += 1
        return None
    try:
        return _alert(content)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        skipped["alerts that lack a time or a signature"] += 1
        return None


def _alert(content: Mapping[str, object]) -> SecurityAlert | None:
    if "event_type" in content:
        return _suricata(content) if content["event_type"] == "alert" else None
    if isinstance(content.get("rule"), dict):
        return _wazuh(content)
    if "note" in content and "ts" in content:
        return _zeek(content)
    return None


def _suricata(content: Mapping[str, object]) -> SecurityAlert:
    alert = content["alert"]
    if not isinstance(alert, dict):
        raise TypeError("alert")
    name = _text(alert.get("signature"))
    metadata = alert.get("metadata")
    technique = TECHNIQUE.search(json.dumps(metadata)[:4_000]) if isinstance(metadata, dict) else None
    # The host under attack is the destination; where a host of ours calls out, the signature's words say so.
    host = _text(content.get("dest_ip")) or _text(content.get("src_ip"))
    signature = _text(alert.get("signature_id")) or name
    if not signature:
        raise ValueError("signature")
    return SecurityAlert(
        parse_time(_text(content["timestamp"])),
        host,
        signature,
        name or signature,
        _text(content.get("src_ip")),
        technique[0] if technique else "",
    )


def _wazuh(content: Mapping[str, object]) -> SecurityAlert:
    rule, agent, data = (content.get(name) for name in ("rule", "agent", "data"))
    rule = rule if isinstance(rule, dict) else {}
    agent = agent if isinstance(agent, dict) else {}
    data = data if isinstance(data, dict) else {}
    mitre = rule.get("mitre")
    technique = TECHNIQUE.search(json.dumps(mitre)[:4_000]) if mitre else None
    signature = _text(rule.get("id")) or _text(rule.get("description"))
    if not signature:
        raise ValueError("signature")
    moment = _text(content.get("timestamp") or content["@timestamp"])
    return SecurityAlert(
        parse_time(moment),
        _text(agent.get("ip")) or _text(agent.get("name")),
        signature,
        _text(rule.get("description")) or signature,
        _text(data.get("srcip")),
        technique[0] if technique else "",
    )


def _zeek(content: Mapping[str, object]) -> SecurityAlert:
    note = _text(content["note"])
    host = _text(content.get("dst") or content.get("id.resp_h") or content.get("src"))
    words = f"{note.replace('::', ' ').replace('_', ' ')} {_text(content.get('msg'))}"[:TEXT_LIMIT]
    if not note:
        raise ValueError("signature")
    return SecurityAlert(parse_time(_text(content["ts"])), host, note, words, _text(content.get("src")))


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else plain_text(value)
