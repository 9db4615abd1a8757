# SPDX-License-Identifier: LGPL-2.1-or-later
"""Element chains that capture, encode and transport audio, of jkvm and of its peers."""

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
# The same for all encoders. Settings that are not listed have the same default in all of them.
CODEC = (f"bitrate={BITRATE} complexity={COMPLEXITY} frame-size=20 bitrate-type=constrained-vbr "
         "audio-type=generic bandwidth=fullband dtx=false inband-fec=false")

# Periodic statistics messages are not part of the cost of a frame.
JKVM_CAPTURE = f"jkvmaudiosrc device={{device}} {CODEC} stats-interval=0"
STOCK_CAPTURE = f"alsasrc device={{device}} ! audioconvert ! audioresample ! opusenc {CODEC}"
# One period per frame, and no conversion.
BEST_STOCK_CAPTURE = ("alsasrc device={device} latency-time=20000 buffer-time=80000 ! "
                      f"audio/x-raw,format=S16LE,rate=48000,channels=2 ! opusenc {CODEC}")

RECORDINGS = pathlib.Path("/usr/share/sounds/alsa")


def read_samples(name):
    with wave.open(str(RECORDINGS / f"{name}.wav")) as file:
        return array.array("h", file.readframes(file.getnframes()))


@contextlib.contextmanager
def stereo_device():
    """Provides the name of a capture device that plays speech in a loop, with different words on each
    channel. Raises if the device overran, because a chain that loses samples has less work to do."""
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
            raise RuntimeError("the capture device overran")


def play_chain(chain, device, settle, frames):
    """Returns the command that measures a capture chain in front of a fakesink."""
    line = chain.format(device=device) + " ! fakesink name=sink sync=false"
    return [program("play-chain"), settle, frames, line]


def bare_capture(_, device, settle, frames):
    return [program("bare-capture"), settle, frames, device, BITRATE, COMPLEXITY]


@dataclasses.dataclass(frozen=True)
class Path:
    """Launch lines that carry audio from one process to another, with the placeholders {device},
    {socket} and {port}."""
    sender: str
    receiver: str


JKVM_PATH = Path(f"{JKVM_CAPTURE} ! jkvmipcsink name=sink stats-interval=0 "
                "socket-path={socket}",
                "jkvmipcsrc stats-interval=0 socket-path={socket} ! "
                "jkvmadaptivequeue stats-interval=0 ! fakesink name=sink sync=false")
STOCK_PATH = Path(f"{STOCK_CAPTURE} ! gdppay ! tcpserversink name=sink host=127.0.0.1 "
                  "port={port}",
                  "tcpclientsrc host=127.0.0.1 port={port} ! gdpdepay ! queue ! "
                  "fakesink name=sink sync=false")


@contextlib.contextmanager
def play_path(path, settle, frames, environments=({}, {})):
    """Provides the processes of sender and receiver once both have measured the window; they keep
    playing within the context. environments: additional variables for each of them."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        values = {"device": stack.enter_context(stereo_device()), "socket": f"{directory}/socket",
                  "port": free_port()}
        processes = []
        for line, environment in zip((path.sender, path.receiver), environments):
            command = [program("play-chain"), str(settle), str(frames), line.format(**values),
                       "stay"]
            processes.append(stack.enter_context(subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=subprocess.PIPE)))
            stack.callback(processes[-1].kill)
            if "{port}" in path.sender:
                await_listener(values["port"], processes[0])
        for process in processes:
            if not process.stdout.readline():
                raise RuntimeError(f"process ended: {' '.join(process.args)}")
        yield processes


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_listener(port, process):
    """Waits until the process listens on the port. Does not connect, which would add a client."""
    listening = f":{port:04X} 00000000:0000 0A"
    while listening not in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii"):
        if process.poll() is not None:
            raise RuntimeError(f"process ended: {' '.join(process.args)}")
        time.sleep(0.01)
