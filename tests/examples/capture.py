#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Example in Python: captures a device and serves it on a socket.

usage: capture.py DEVICE SOCKET

SIGUSR1 mutes or unmutes the audio, SIGUSR2 selects the next quality, SIGINT ends the program. Prints
a line whenever the device, a client or a setting changes.
"""

import signal
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

QUALITIES = ["low", "medium", "high", "ultra"]


class Capture:
    def __init__(self, device, socket_path):
        self.loop = GLib.MainLoop()
        self.status = 0
        self.pipeline = Gst.parse_launch("jkvmaudiosrc name=source ! jkvmipcsink name=sink")
        self.source = self.pipeline.get_by_name("source")
        self.source.set_property("device", device)
        self.source.set_property("stats-interval", 200)  # milliseconds
        self.bitrate = 0
        sink = self.pipeline.get_by_name("sink")
        sink.set_property("socket-path", socket_path)
        # In this dialect, receivers may request other settings of the encoder.
        Gst.util_set_object_arg(sink, "dialect", "v2")
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::element", self.on_element_message)
        bus.connect("message::error", self.on_error)
        # A device that is missing now is captured as soon as it appears.
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_element_message(self, _, message):
        structure = message.get_structure()
        if structure.get_name() == "jkvm-device":
            say(f"device: {structure.get_string('reason')}")
        elif structure.get_name() == "jkvm-client":
            say(f"client: {structure.get_string('reason')}")
        elif structure.get_name() == "application/x-jkvm-audiosrc-stats":
            bitrate = structure.get_uint("bitrate").value
            if bitrate != self.bitrate:
                say(f"bitrate: {bitrate}")
            self.bitrate = bitrate

    def on_error(self, _, message):
        error, _ = message.parse_error()
        print(f"capture.py: {error.message}", file=sys.stderr)
        self.status = 1
        self.loop.quit()

    def toggle_mute(self):
        mute = not self.source.get_property("mute")
        self.source.set_property("mute", mute)
        say(f"mute: {mute}")
        return GLib.SOURCE_CONTINUE

    def next_quality(self):
        nick = self.source.get_property("quality").value_nick
        following = QUALITIES[(QUALITIES.index(nick) + 1) % 4] if nick in QUALITIES else "medium"
        Gst.util_set_object_arg(self.source, "quality", following)
        say(f"quality: {following}")
        return GLib.SOURCE_CONTINUE

    def run(self):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, self.toggle_mute)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR2, self.next_quality)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, self.loop.quit)
        say("ready")
        self.loop.run()
        stats = self.source.get_property("stats")
        say(f"frames: {stats.get_uint64('frames').value}, silent: {stats.get_uint64('silent-frames').value}")
        self.pipeline.set_state(Gst.State.NULL)
        return self.status


def say(text):
    print(text, flush=True)


def main():
    Gst.init(None)
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    return Capture(*sys.argv[1:]).run()


if __name__ == "__main__":
    sys.exit(main())
