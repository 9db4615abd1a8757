# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chains of elements that capture, code and carry sound: ours, and those of the peers."""

import array
import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import wave

from .programs import program

FRAMES_PER_SECOND = 50

BITRATE = 128000
COMPLEXITY = 5
# The same for all. What is not said here has the same default everywhere.
CODEC = (f"bitrate={BITRATE} complexity={COMPLEXITY} frame-size=20 bitrate-type=constrained-vbr "
         "audio-type=generic bandwidth=fullband dtx=false inband-fec=false")

# Statistics that are told every few seconds are no part of what a frame costs.
OUR_CAPTURE = f"jkvmaudiosrc device={{device}} {CODEC} stats-interval=0"
STOCK_CAPTURE = f"alsasrc device={{device}} ! audioconvert ! audioresample ! opusenc {CODEC}"
# One period for each frame, and nothing to be converted.
BEST_STOCK_CAPTURE = ("alsasrc device={device} latency-time=20000 buffer-time=80000 ! "
                      f"audio/x-raw,format=S16LE,rate=48000,channels=2 ! opusenc {CODEC}")

RECORDINGS = pathlib.Path("/usr/share/sounds/alsa")


def read_samples(name):
    with wave.open(str(RECORDINGS / f"{name}.wav")) as file:
        return array.array("h", file.readframes(file.getnframes()))


@contextlib.contextmanager
def stereo_device():
    """The name of a capture device that plays speech in a loop, other words on each side. Whoever
    lets it overrun was not measured: it had less to do."""
    left = read_samples("Front_Left") + read_samples("Front_Right")
    right = read_samples("Front_Right") + read_samples("Front_Left")
    both = array.array("h", (sample for pair in zip(left, right) for sample in pair))
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "speech.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(48000)
            file.writeframes(both.tobytes())
        yield f"jkvmtest:FILE={path},DIR={directory}"
        if " overrun" in (pathlib.Path(directory) / "log").read_text(encoding="utf-8"):
            raise RuntimeError("samples were lost: nobody read them in time")


def play_chain(chain, device, settle, frames):
    """The command that measures the capture chain in front of a sink that does nothing."""
    line = chain.format(device=device) + " ! fakesink name=sink sync=false"
    return [program("play-chain"), settle, frames, line]


def bare_capture(_, device, settle, frames):
    return [program("bare-capture"), settle, frames, device, BITRATE, COMPLEXITY]


@dataclasses.dataclass(frozen=True)
class Path:
    """Sound from one process to another. In their lines, {device}, {socket} and {port} are what the
    run has."""
    sender: str
    receiver: str


OUR_PATH = Path(f"{OUR_CAPTURE} ! jkvmipcsink name=sink stats-interval=0 "
                "socket-path={socket}",
                "jkvmipcsrc stats-interval=0 socket-path={socket} ! "
                "jkvmadaptivequeue stats-interval=0 ! fakesink name=sink sync=false")
STOCK_PATH = Path(f"{STOCK_CAPTURE} ! gdppay ! tcpserversink name=sink host=127.0.0.1 "
                  "port={port}",
                  "tcpclientsrc host=127.0.0.1 port={port} ! gdpdepay ! queue ! "
                  "fakesink name=sink sync=false")


@contextlib.contextmanager
def play_path(path, settle, frames, environments=({}, {})):
    """The processes of sender and receiver, which both have measured that window and play on.
    environments: what is added to theirs."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        known = {"device": stack.enter_context(stereo_device()), "socket": f"{directory}/sound",
                 "port": free_port()}
        processes = []
        for line, environment in zip((path.sender, path.receiver), environments):
            command = [program("play-chain"), str(settle), str(frames), line.format(**known),
                       "stay"]
            processes.append(stack.enter_context(subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=subprocess.PIPE)))
            stack.callback(processes[-1].kill)
            if "{port}" in path.sender:
                await_listener(known["port"], processes[0])
        for process in processes:
            if not process.stdout.readline():
                raise RuntimeError(f"it ended: {' '.join(process.args)}")
        yield processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_listener(port, process):
    """Until that process listens. To try a connection would make a client of us."""
    listening = f":{port:04X} 00000000:0000 0A"
    while listening not in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii"):
        if process.poll() is not None:
            raise RuntimeError(f"it ended: {' '.join(process.args)}")
        time.sleep(0.01)
