"""Protects the search for cameras: only in the network that was named, each once, and what answers is not trusted."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from impetus.model import InvalidInput, Unavailable
from impetus.tools.firearm import discovery
from impetus.tools.firearm.cli import app
from impetus.tools.firearm.discovery import Device, answered, discover, streams

MATCH = """<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Body><d:ProbeMatches><d:ProbeMatch>
<d:Scopes>onvif://www.onvif.org/name/Mast%204 onvif://www.onvif.org/hardware/Q-1</d:Scopes>
<d:XAddrs>http://10.9.9.9/onvif/device_service http://127.0.0.1:PORT/onvif/device_service</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>"""
PROFILES = """<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>
<m:GetProfilesResponse xmlns:m="http://www.onvif.org/ver10/media/wsdl"><m:Profiles token="main"/>
<m:Profiles token="other"/></m:GetProfilesResponse></e:Body></e:Envelope>"""
STREAM = """<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>
<m:GetStreamUriResponse xmlns:m="http://www.onvif.org/ver10/media/wsdl"><m:MediaUri>
<s:Uri xmlns:s="http://www.onvif.org/ver10/schema">rtsp://HOST:554/TOKEN</s:Uri></m:MediaUri>
</m:GetStreamUriResponse></e:Body></e:Envelope>"""


class Fake:
    """A camera on loopback: answers a Probe over UDP, and names a stream of its own and one of another host."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                good = b"<s:Username>viewer</s:Username>" in body and b"secret" not in body
                answer = PROFILES
                if b"GetStreamUri" in body:
                    token = "other" if b"other" in body else "main"
                    answer = STREAM.replace("TOKEN", token)
                    answer = answer.replace("HOST", "10.9.9.9" if token == "other" else "127.0.0.1")
                self.send_response(200 if good else 401)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                data, asker = self.socket.recvfrom(65_536)
            except OSError:
                return
            self.heard.append(data)
            match = MATCH.replace("PORT", str(self.server.server_address[1])).encode()
            for answer in (b"no xml", match, match):
                self.socket.sendto(answer, asker)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.socket.close()


@pytest.fixture
def camera() -> Iterator[Fake]:
    """A fake camera."""
    fake = Fake()
    yield fake
    fake.close()


def test_a_camera_is_found_and_names_its_streams(camera: Fake) -> None:
    """Once, by its own address; addresses of other hosts are passed over; without the user it refuses."""
    (device,) = discover("127.0.0.1/32", wait_s=2.0, port=camera.port)
    assert (device.name, device.hardware) == ("Mast 4", "Q-1")
    assert [urls for urls in device.services if "10.9.9.9" in urls] == []
    assert streams(device, "viewer", "secret") == ["rtsp://127.0.0.1:554/main"]
    with pytest.raises(Unavailable, match="user and password"):
        streams(device)
    assert len(camera.heard) == 1


def test_the_command_line(camera: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JSON line a camera, ready to be entered; the password comes from the environment, not from the arguments."""
    monkeypatch.setattr(discovery, "PORT", camera.port)
    monkeypatch.setenv("IMPETUS_ONVIF_PASSWORD", "secret")
    result = CliRunner().invoke(app, ["discover", "127.0.0.1/32", "--user", "viewer", "--wait", "2"])
    assert result.exit_code == 0, result.output
    (line,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert line["streams"] == ["rtsp://127.0.0.1:554/main"]


@pytest.mark.parametrize("network", ["10.0.0.0/8", "nonsense", "::1/128"])
def test_what_is_too_large_or_no_network_is_refused(network: str) -> None:
    """Nobody searches half the internet by a slip of the pen."""
    with pytest.raises(InvalidInput):
        list(discover(network, wait_s=0.1))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: MATCH.replace("PORT", text).encode()))
def test_any_answer_is_a_camera_or_nothing(data: bytes) -> None:
    """Whatever comes back; entities are not expanded."""
    found = answered(data, "127.0.0.1")
    assert found is None or isinstance(found, Device)
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]>' + MATCH.split("?>", 1)[1].replace("PORT", "80").encode()
    assert answered(bomb, "127.0.0.1") is None
