"""The parsers of what comes from outside, with good input of each, for `benchmarks.fuzz`.

A parser stands here with the errors that are meant for it. Those that read a file are given one. What is read in a
process of its own in the product (documents) is read in this one, so that a crash is seen.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import lzma
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from pydantic import ValidationError

from benchmarks import fuzz_seeds as seeds
from impetus.connectors.cap.reading import read_cap
from impetus.connectors.cot.event import read_event
from impetus.connectors.mqtt import payload
from impetus.connectors.mqtt.mapping import CompiledMapping, JsonMapping, parse_path
from impetus.connectors.mqtt.packets import Decoder
from impetus.exercise.checking import check as check_scenario
from impetus.governance.anchors import read_anchors
from impetus.model import Alert, Datastream, Envelope, ImpetusError
from impetus.operations import backup
from impetus.response.conditions import parse_condition
from impetus.response.definition import parse_duration
from impetus.response.reading import read_procedure
from impetus.sdk.manifest import read_manifest
from impetus.situation.correlation.rules import read_rules
from impetus.store.paging import read_cursor, write_cursor
from impetus.tools.air import agents, instruments, open_space
from impetus.tools.air.drivers import parse_line as parse_instrument
from impetus.tools.air.files import Remarks, read_points, read_samples, read_situation
from impetus.tools.air.files import read_network as read_sensor_network
from impetus.tools.anomaly.readings_file import read_rows
from impetus.tools.anomaly.wide_file import read_graph, read_wide
from impetus.tools.cti import reading_child
from impetus.tools.cti.documents import decoded
from impetus.tools.cti.html_text import html_to_text
from impetus.tools.cti.items import read_feed, read_posts
from impetus.tools.cti.misp import item_of_event
from impetus.tools.cti.sources import items_of_stix
from impetus.tools.cti.watch import read_watch
from impetus.tools.cyber.alert_table import read_alerts
from impetus.tools.cyber.knowledge import read_knowledge
from impetus.tools.cyber.network import parse_network
from impetus.tools.cyber.scans import read_scan
from impetus.tools.cyber.sensors import parse_line as parse_ids_line
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.importing import from_dxf, from_osm, from_zip
from impetus.tools.evacuation.scenario import parse_scenario
from impetus.tools.evacuation.sweeping import parse_variations
from impetus.tools.firearm import samples
from impetus.tools.firearm.discovery import answered
from impetus.tools.firearm.model import read_contract
from impetus.tools.firearm.sources import frames_of, read_picture
from impetus.tools.social.files import read_csv, read_lines, read_telegram
from impetus.tools.social.sources import Progress, post_of_jetstream, post_of_mastodon
from impetus.tools.workload.files import read_intervals, read_signal
from impetus.tools.workload.recordings import brain_recordings, heart_recordings, read_table

SOURCE = Path(__file__).parents[1] / "src" / "impetus"


@dataclass(frozen=True, slots=True)
class Target:
    """One parser."""

    name: str
    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = (ImpetusError,)
    share: float = 1.0
    """How often it is asked beside the others: less where an input takes milliseconds."""


def text(data: bytes) -> str:
    """As a file or a request gives it."""
    return data.decode("utf-8", "replace")


def _json(data: bytes) -> object:
    """What a JSON file holds; what is none is its reader's to refuse, not the parser's behind it."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return text(data)


def _packets(data: bytes) -> object:
    decoder = Decoder(max_payload_bytes=4_096)
    return [decoder.feed(data[start : start + 7]) for start in range(0, len(data), 7)]


class Files:
    """Gives bytes to readers of files and folders; the files are in one folder, made new for each input."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
        """A reader of bytes from a reader of a file of that name."""
        path = self._folder / str(len(list(self._folder.iterdir()))) / name
        path.parent.mkdir(parents=True)

        def given(data: bytes) -> object:
            path.write_bytes(data)
            return read(path)

        return given


def _unpacked(path: Path) -> object:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return backup._unpack(path, Path(folder))  # noqa: SLF001 (the reader alone, without a store)


def _venue(read: Callable[[bytes, str], object]) -> Callable[[bytes], object]:
    """A venue of another program, read as one of ours then."""
    return lambda data: parse_features(read(data, "square"), default_id="square")


def _zipped(data: bytes) -> bytes:
    """A zip whose members are whole and their content is not."""
    made = io.BytesIO()
    half = len(seeds.JUPEDSIM_WKT) if data.startswith(b"POLY") else len(data) // 2
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("area.wkt", data[:half])
        archive.writestr("config.json", data[half:])
    return made.getvalue()


def _played(path: Path) -> object:
    return list(itertools.islice(frames_of(str(path)), 20))


def _recordings(path: Path) -> object:
    _, rows = read_table(path)
    return heart_recordings(path, rows), brain_recordings(path, rows)


def _mapped(data: bytes) -> object:
    mapping = JsonMapping(topic="city/{site}", datastream="{site}", value="data[0].v", time="at", unit="unit")
    return payload.parse_mapped(data, CompiledMapping(mapping), {"site": "one"}, **ARRIVAL)


def _wide(data: bytes) -> object:
    streams, rows = read_wide(text(data).splitlines(), "wide")
    return streams, list(rows)


def _pictures() -> list[bytes]:
    picture = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
    return [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jpg", ".png", ".bmp")]


def _video(folder: Path) -> bytes:
    path = folder / "good.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def _recorded() -> bytes:
    """An EDF file of one record of one signal."""
    header = (
        f"{'0':<8}{'X':<80}{'Y':<80}01.01.2608.00.00{512:<8}{'':<44}{1:<8}{1:<8}{1:<4}"
        f"{'ECG':<16}{'':<80}{'mV':<8}{-5:<8}{5:<8}{-32768:<8}{32767:<8}{'':<80}{50:<8}{'':<32}"
    )
    return header.encode() + np.arange(50, dtype="<i2").tobytes()


def _array() -> bytes:
    made = io.BytesIO()
    np.save(made, np.linspace(700.0, 900.0, 20))
    return made.getvalue()


def _backed_up() -> bytes:
    content, made = b"kept", io.BytesIO()
    manifest = {
        "version": "1", "made": "2026-11-21T08:00:00Z", "tables": {},
        "files": {"a": hashlib.sha256(content).hexdigest()},
    }  # fmt: skip
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in ((backup.MANIFEST, json.dumps(manifest).encode()), ("a", content)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def _own(folder: str, pattern: str) -> list[bytes]:
    """Files of ours that a city writes in the same form."""
    found = [path.read_bytes() for path in sorted((SOURCE / folder).glob(pattern))[:3]]
    assert found, pattern
    return found


ARRIVAL: dict[str, int] = {"arrival_us": 1_800_000_000_000_000, "max_bytes": 1_000_000}


def targets(folder: Path) -> Sequence[Target]:
    """Every parser of what comes from outside; `folder` is an empty one that they may write files to."""
    return (*_of_the_platform(Files(folder)), *_of_the_tools(Files(folder), folder))


def _of_the_platform(files: Files) -> Sequence[Target]:
    reading = b'{"result": 21.5, "phenomenonTime": "2026-11-21T08:00:00Z"}'
    envelope = Envelope(
        source="/a", type="impetus.alert.v1", subject="a.alert.b", time="2026-11-21T08:00:00Z", tenant="a",  # type: ignore[arg-type]
        partition="p", data=seeds.ALERT,
    )  # fmt: skip
    message = envelope.model_dump_json().encode()
    datastream = b'{"id": "a-1", "name": "A", "thing": "mast", "observed_property": "pm10", "unit": "ug/m3"}'
    anchor = b'{"tenant": "a", "sequence": 5, "hash": "' + b"0" * 64 + b'", "time": "2026-11-21T08:00:00Z"}\n'
    scenarios = SOURCE / "exercise" / "scenarios"
    return (
        Target("MQTT packets", _packets, (seeds.CONNECT + seeds.PUBLISH,)),
        Target("SensorThings Observation", lambda data: payload.parse_observation(data, "one", **ARRIVAL), (reading,)),
        Target(
            "SensorThings data arrays", lambda data: payload.parse_data_arrays(data, **ARRIVAL), (seeds.DATA_ARRAYS,)
        ),
        Target("a city's own JSON", _mapped, (b'{"data": [{"v": 1.5}], "at": "2026-11-21T08:00:00Z", "unit": "m"}',)),
        Target("path in JSON", lambda data: parse_path(text(data)), (b"$.readings[0].value",), (ValueError,)),
        Target("CAP 1.2", read_cap, (seeds.CAP,)),
        Target("Cursor on Target", read_event, (seeds.COT,)),
        Target("BPMN procedure", read_procedure, _own("response/procedures", "*.bpmn")),
        Target("condition", lambda data: parse_condition(text(data)), (b"verdict == 'a' or verdict == 'b'",)),
        Target("duration", lambda data: parse_duration(text(data)), (b"PT1H30M", b"P2DT5S")),
        Target("correlation rules", lambda data: read_rules(text(data)), _own("situation", "**/*.yaml"), share=0.05),
        Target("alert of the API", Alert.model_validate_json, (seeds.ALERT,), (ValidationError,)),
        Target("datastream", Datastream.model_validate_json, (datastream,), (ValidationError,)),
        Target("message of the log", Envelope.model_validate_json, (message,), (ValidationError,)),
        Target("list cursor", lambda data: read_cursor("time", text(data)), (write_cursor("time", 1, "id").encode(),)),
        Target(
            "exercise scenario",
            lambda data: check_scenario(text(data), scenarios / "protest", ("anomaly", "air", "social")),
            _own("exercise/scenarios", "*/scenario.yaml"),
            share=0.05,
        ),
        Target(
            "manifest",
            files.of("air/manifest.toml", lambda path: read_manifest(path.parent)),
            _own("tools/air", "manifest.toml"),
        ),
        Target("anchors", files.of("anchors.jsonl", read_anchors), (anchor,)),
        Target("backup", files.of("backup.tar.gz", _unpacked), (_backed_up(),)),
    )


def _of_the_tools(files: Files, folder: Path) -> Sequence[Target]:
    skipped: Counter[str] = Counter()
    remarks = Remarks()
    contract = _own("tools/firearm/models", "*.yaml")
    table = b"time,host,ip,signature,name\n2026-11-21T08:00:00Z,web,10.0.0.5,1,Scan\n1700000000,db,,2,Log-in\n"
    heart = b"Participant,HR,respr,Time(sec),Label\n1,70,15,1,0\n1,71,15,2,1\n"
    posts = b'{"text": "a", "created_at": "2026-11-21T08:00:00Z", "user": {"name": "b"}}\n'
    weather = b'{"wind_speed_mps": 4, "wind_from_deg": 180, "stability": "D", "box": [0, 0, 100, 100]}'
    watch = b"domains: [example.org]\naddresses: [192.0.2.0/24]\nwatch:\n  - {kind: brand, name: City, aliases: [Ci]}\n"
    points, measured = b"x_m,y_m,z_m\n1,2,\n3,4,5\n", b"x_m,y_m,z_m,concentration_gpm3,saturated\n1,2,0,0.5,no\n"
    network = (
        b"time,sensor,value,unit,x_m,y_m\n2026-11-21T08:00:00+01:00,a,1.5,ppm,0,0\n2026-11-21T08:01:00,b,2,ppm,5,5\n"
    )
    scans = (seeds.NMAP, seeds.NESSUS, seeds.OPENVAS, seeds.CYCLONEDX_XML, seeds.CYCLONEDX_JSON, seeds.WAZUH)
    epss = b"#model_version:v2025\ncve,epss,percentile\nCVE-2021-44228,0.97,0.99\n"
    drawn, zipped = _venue(from_dxf), _venue(from_zip)
    jupedsim = seeds.JUPEDSIM_WKT + seeds.JUPEDSIM_JSON
    return (
        Target("instrument line", lambda data: parse_instrument(text(data)), (b"2026-11-21T08:00:00Z,12.5,CFU/L",)),
        Target("instruments", files.of("i.toml", instruments.read_instruments.__wrapped__), (seeds.INSTRUMENTS,)),
        Target("agents", files.of("a.toml", agents.read_agents.__wrapped__), (seeds.AGENTS,)),
        Target(
            "map of open space", files.of("o.json", open_space.read_open_space.__wrapped__), (seeds.AREA,), share=0.5
        ),
        Target("weather", files.of("w.json", lambda path: read_situation(str(path))), (weather,)),
        Target("points", files.of("p.csv", lambda path: read_points(str(path))), (points,)),
        Target("samples", files.of("s.csv", lambda path: read_samples(str(path), remarks)), (measured,)),
        Target(
            "readings of instruments",
            files.of("n.csv", lambda path: list(read_sensor_network(str(path), remarks))),
            (network,),
        ),
        Target(
            "readings",
            lambda data: list(read_rows(text(data).splitlines(), "file")),
            (b"timestamp,value\n2026-11-21T08:00:00Z,5\n",),
        ),
        Target(
            "readings of many streams", _wide, (b"timestamp,a,b\n2026-11-21T08:00:00Z,5,6\n2026-11-21T08:01:00Z,,7\n",)
        ),
        Target(
            "graph of streams",
            files.of("g.csv", lambda path: read_graph(path, ["a", "b"])),
            (b"a,b\n0,1\n1,0\n", b"0,1\n1,0\n"),
        ),
        Target("RSS and Atom", lambda data: read_feed(data, "feed"), (seeds.RSS,)),
        Target("pastes", lambda data: read_posts(data, "posts"), (b'[{"title": "a", "text": "b"}]',)),
        Target("HTML", lambda data: html_to_text(decoded(data, "page")), (seeds.PAGE,)),
        # Whatever an exception it is, the process that reads says it; here only what is none, or never ends, counts.
        Target(
            "PDF",
            reading_child._pdf,  # noqa: SLF001
            (seeds.PDF,),
            (Exception,),
            share=0.3,
        ),
        Target(
            "STIX",
            lambda data: items_of_stix([one for one in _listed(data) if isinstance(one, dict)], []),
            (seeds.STIX,),
        ),
        Target("MISP event", lambda data: item_of_event(_json(data), "event"), (seeds.MISP,)),
        Target("watch", files.of("watch.yaml", read_watch), (watch,), share=0.5),
        Target("IDS alert", lambda data: parse_ids_line(data, skipped), (seeds.EVE,)),
        Target("alert table", files.of("alerts.csv", lambda path: read_alerts(path, skipped)), (table,)),
        Target(
            "alert table, packed",
            files.of("alerts.csv.gz", lambda path: read_alerts(path, skipped)),
            (gzip.compress(table),),
        ),
        Target("scan", files.of("scan.xml", read_scan), scans),
        Target("NVD and KEV", files.of("nvd.json", lambda path: read_knowledge(path.parent)), (seeds.NVD, seeds.KEV)),
        Target("EPSS", files.of("epss.csv", lambda path: read_knowledge(path.parent)), (epss,)),
        Target("network model", lambda data: parse_network(text(data)), (seeds.NETWORK,)),
        Target("OpenStreetMap", _venue(from_osm), (seeds.OSM,), share=0.5),
        Target("DXF", drawn, (seeds.DXF,), share=0.1),
        Target("zip", zipped, (_zipped(jupedsim),), share=0.5),
        Target("content of a zip", lambda data: zipped(_zipped(data)), (jupedsim,), share=0.3),
        Target(
            "venue", lambda data: parse_features(_json(data)), _own("tools/evacuation/venues", "*.geojson"), share=0.5
        ),
        Target("evacuation scenario", lambda data: parse_scenario(text(data)), (b"venue: square\npeople: 500\n",)),
        Target(
            "variations",
            lambda data: parse_variations(text(data).splitlines()),
            (b"people.count=500,1000\nseed=1,2\n",),
        ),
        Target("picture", files.of("a.jpg", read_picture), _pictures()),
        Target("video", files.of("a.mp4", _played), (_video(folder),), share=0.2),
        Target("camera that answers", lambda data: answered(data, "192.0.2.9"), (seeds.PROBE_MATCH,)),
        Target("contract of a model", files.of("model.yaml", read_contract), contract, share=0.2),
        Target(
            "annotations",
            files.of("annotations.jsonl", lambda path: samples.read_annotations(path.parent, None)),
            (seeds.ANNOTATIONS,),
        ),
        Target("posts as JSON Lines", lambda data: read_lines(text(data).splitlines(), "posts"), (posts,)),
        Target("posts as CSV", lambda data: read_csv(text(data), "posts"), (b"text,author,time\nhello,anna,2026\n",)),
        Target("Telegram", lambda data: read_telegram(_json(data), "channel"), (seeds.TELEGRAM,)),
        Target("Jetstream", lambda data: post_of_jetstream(data, Progress()), (seeds.JETSTREAM,)),
        Target(
            "Mastodon",
            lambda data: [post_of_mastodon(one) for one in [_json(data)] if isinstance(one, dict)],
            (seeds.MASTODON,),
        ),
        Target("intervals", files.of("rr.csv", read_intervals), (b"time,rr\n0,800\n1,810\n", b"800\n810\n")),
        Target("array", files.of("rr.npy", read_intervals), (_array(),)),
        Target("EDF", files.of("a.edf", read_signal), (_recorded(),)),
        Target("recordings of load", files.of("h.csv", _recordings), (heart,)),
        Target("recordings of load, packed", files.of("h.csv.xz", _recordings), (lzma.compress(heart),)),
    )


def _listed(data: bytes) -> list[object]:
    found = _json(data)
    return found if isinstance(found, list) else []
