"""A camera that speaks RTSP: GStreamer's server with a moving ball in H.264, live, on a loopback port.

Run by the system's Python, which has GStreamer's bindings: `python3 rtsp_server.py PORT`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=10/1 "
    "! openh264enc gop-size=10 ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def main(port: int) -> None:
    """Serve until the process is ended."""
    gi: Any = importlib.import_module("gi")
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gst: Any = importlib.import_module("gi.repository.Gst")
    rtsp: Any = importlib.import_module("gi.repository.GstRtspServer")
    glib: Any = importlib.import_module("gi.repository.GLib")
    gst.init(None)
    server = rtsp.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    factory = rtsp.RTSPMediaFactory.new()
    factory.set_launch(LAUNCH)
    # One source for all who look, as in a camera.
    factory.set_shared(True)
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    glib.MainLoop().run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
