#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client or server of the JetKVM audio protocol, for tests, and a hostile one on request.

Written from docs/protocol.md alone, and stricter than it requires: any message that the peer must
not send is an error. Prints one line for each event. The exit status is 0 only if the session
followed the protocol.
"""
import argparse
import os
import select
import signal
import socket
import stat
import sys
import time

import jkvm_misbehaviour as misbehaviour
import jkvm_messages as messages
from jkvm_messages import Failure

DEFAULT_CONFIG = [48000, 2, 960]
DEFAULT_OPUS_CONFIG = [48000, 2, 960, 64000, 5, 1, -1000, 1105, 0]
FRAME_TIME = 0.020  # seconds of audio in a frame
ANSWERED = ("config", "opus-config", "heartbeat")  # with an Ack, on a microphone connection


class Closed(Exception):
    """Raised if the peer closes the connection between two messages."""


def report(*words):
    print(*words, flush=True)


class Connection:
    """Sends and receives the messages of one connection and checks them."""

    def __init__(self, args, sock):
        self.args = args
        self.sock = sock
        self.codec = messages.Codec(args.direction, args.dialect)
        self.is_microphone = args.direction == "microphone"
        self.buffer = b""
        self.sent = 0  # frames sent
        self.received = 0  # frames received
        self.awaiting_ack = 0  # messages sent that require an Ack
        self.acks = 0  # Acks received
        self.has_misbehaved = False
        sock.settimeout(args.timeout)

    # Sending

    def now(self):
        offset = self.args.clock_offset if self.sent >= self.args.after else 0
        return time.time_ns() + int(offset * 1e9)

    def write(self, data):
        is_slow = self.args.behaviour == "slow-bytes"
        for piece in [bytes([byte]) for byte in data] if is_slow else [data]:
            self.sock.sendall(piece)
            if is_slow:
                time.sleep(self.args.byte_interval)

    def send(self, name, payload=b""):
        if name in ANSWERED and self.is_microphone:
            self.awaiting_ack += 1
        self.write(self.codec.encode(name, self.now(), payload))

    def send_frame(self):
        args = self.args
        self.send("frame", messages.numbered_packet(self.sent) if args.numbered else args.payload)
        self.sent += 1

    def answer(self):
        """Sends an Ack, or drops it if the socket buffer is full: no peer waits for Acks."""
        ack = self.codec.encode("ack", self.now())
        self.sock.setblocking(False)
        try:
            count = self.sock.send(ack)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return  # after a close, received data may still be unread
        finally:
            self.sock.settimeout(self.args.timeout)
        if count < len(ack):  # the rest of a partly sent message
            self.write(ack[count:])

    # Receiving

    def read_more(self, deadline):
        """Reads once; returns False if nothing arrives by the deadline (monotonic time)."""
        pause = max(0.0, deadline - time.monotonic())
        watched = [] if self.args.behaviour == "never-read" else [self.sock]
        if not select.select(watched, [], [], pause)[0]:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:  # the peer closed with unread data
            data = b""
        if not data:
            rest = len(self.buffer)
            raise Failure(f"closed {rest} bytes into a message") if rest else Closed
        self.buffer += data
        return True

    def handle_next(self):
        """Handles one message. Returns False if none is complete."""
        if not (decoded := self.codec.decode(self.buffer)):
            return False
        message, size = decoded
        self.buffer = self.buffer[size:]
        self.handle(message)
        return True

    def handle_until(self, deadline):
        """Handles all messages that have arrived, and further ones until the deadline."""
        while self.handle_next() or self.read_more(deadline):
            pass

    def handle(self, message):
        name = message.name
        if name is None:
            report("skipped", f"type={message.type_number}", f"bytes={len(message.payload)}")
            return
        self.check_time(message)
        if self.args.receive and not self.is_microphone and name != "frame":
            raise Failure(f"{name}, which must not be sent to an output receiver")
        if self.args.send and name == "frame":
            raise Failure("frame from a receiver")
        if name == "frame":
            self.handle_frame(message)
        elif name == "ack":
            self.acks += 1
            if self.acks > self.awaiting_ack:
                raise Failure(f"ack {self.acks} for {self.awaiting_ack} messages")
            report("ack", self.acks)
        elif message.payload:
            report(name, *messages.config_values(message.payload))
        else:
            report(name)
        if name in ANSWERED and self.is_microphone:
            self.answer()

    def handle_frame(self, message):
        if not message.payload:
            report("empty")
            return
        number = messages.number_of(message.payload)
        report("frame", self.received, f"bytes={len(message.payload)}",
            f"timestamp={message.timestamp}", *([] if number is None else [f"number={number}"]))
        self.received += 1

    def check_time(self, message):
        if message.timestamp is None or self.args.any_timestamp:
            return
        age = (time.time_ns() - message.timestamp) / 1e9
        if not -0.001 < age < 10:
            raise Failure(f"{message.name} with a timestamp {age:.3f} s old")

    # Sessions

    def run(self):
        args = self.args
        report("connected")
        try:
            self.send_first()
            is_unread = args.behaviour == "never-read" and args.receive
            if is_unread or args.behaviour in misbehaviour.VIOLATIONS:
                self.misbehave()
            elif args.send:
                self.run_sender()
            else:
                self.run_receiver()
            report("closing")
        except (Closed, BrokenPipeError, ConnectionResetError):
            report("closed")
            done = max(self.sent, self.received)
            if done < args.frames and not self.has_misbehaved:
                raise Failure(f"closed after {done} of {args.frames} frames") from None
            if args.send and self.acks < self.expected_acks():
                raise Failure(f"closed after {self.acks} acks") from None
        finally:
            report("total", f"sent={self.sent}", f"received={self.received}", f"acks={self.acks}")

    def send_first(self):
        args = self.args
        if args.config is not None:
            self.send("config", messages.config_payload(args.config or DEFAULT_CONFIG))
        if args.opus_config is not None:
            fields = args.opus_config or DEFAULT_OPUS_CONFIG
            self.send("opus-config", messages.opus_config_payload(fields))
        for _ in range(args.unknown):
            self.write(self.codec.encode_type(200, self.now(), b"what?"))
        for _ in range(args.empty):
            self.send("frame")
        if args.behaviour in misbehaviour.FLOODS:
            report("misbehaving", args.behaviour)
            for _ in range(args.count):
                self.send(misbehaviour.FLOODS[args.behaviour])

    def misbehave(self):
        args = self.args
        for _ in range(args.after if args.send else 0):
            self.send_frame()
            time.sleep(0 if args.fast else FRAME_TIME)
        report("misbehaving", args.behaviour)
        self.has_misbehaved = True
        if args.behaviour == "never-read":
            is_closed = misbehaviour.await_close(self.sock, args.hold, is_reading=False)
        else:
            is_closed = misbehaviour.send_violation(self)
        if is_closed:
            raise Closed

    def run_sender(self):
        args = self.args
        heartbeats = args.heartbeats
        next_frame = time.monotonic()
        while self.sent < args.frames or args.endless:
            self.send_frame()
            if heartbeats > 0:
                self.send("heartbeat")
                heartbeats -= 1
            next_frame += 0 if args.fast else FRAME_TIME
            self.handle_until(next_frame)
        for _ in range(heartbeats):
            self.send("heartbeat")
        self.await_acks()
        if args.stop:
            self.send("stop")

    def expected_acks(self):
        if self.args.acks is not None:
            return self.args.acks
        return 0 if self.args.behaviour is not None else self.awaiting_ack

    def await_acks(self):
        deadline = time.monotonic() + self.args.timeout
        self.handle_until(0)
        while self.acks < self.expected_acks():
            if not self.handle_next() and not self.read_more(deadline):
                raise Failure(f"{self.acks} of {self.expected_acks()} acks")

    def run_receiver(self):
        args = self.args
        for _ in range(args.heartbeats):
            self.send("heartbeat")
        while self.received < args.frames or args.endless:
            if not self.handle_next() and not self.read_more(time.monotonic() + args.timeout):
                raise Failure(f"timeout after {self.received} of {args.frames} frames")


def listen(path):
    """Listens like servers that take no lock; removes a socket only if it is unused."""
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(path) == 0:
                raise Failure("another server listens there")
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(sock.fileno(), 0o600)
    sock.bind(path)
    sock.listen(16)
    return sock


def connect(path, timeout):
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            return sock
        except (FileNotFoundError, ConnectionRefusedError) as error:
            sock.close()
            if time.monotonic() > deadline:
                raise Failure(f"cannot connect: {error.strerror}") from None
            time.sleep(0.05)


def run(args):
    path = "\0" + args.path[1:] if args.path.startswith("@") else args.path
    if args.role == "client":
        with connect(path, args.timeout) as sock:
            Connection(args, sock).run()
        return
    with listen(path) as listener:
        report("listening", args.path)
        listener.settimeout(args.timeout)
        try:
            for _ in range(args.sessions):
                with listener.accept()[0] as sock:
                    Connection(args, sock).run()
        finally:
            if path == args.path:
                os.unlink(path)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--role", choices=["client", "server"], required=True)
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--send", action="store_true", help="send audio")
    job.add_argument("--receive", action="store_true", help="receive audio")
    add("--direction", choices=messages.MAGIC, required=True)
    add("--dialect", choices=messages.DIALECTS, default="v1")
    add("--path", required=True, help="socket path; @NAME for an abstract socket")
    add("--frames", type=int, default=50, help="number of frames to send or wait for")
    add("--endless", action="store_true", help="continue after --frames until the peer closes")
    add("--fast", action="store_true", help="send without pauses instead of every 20 ms")
    add("--payload", type=bytes.fromhex, default=bytes.fromhex("fcfffe"), help="the packet, in hex")
    add("--numbered", action="store_true", help="send packets that contain their number")
    add("--config", type=int, nargs="*", metavar="N", help="three, or none for defaults")
    add("--opus-config", type=int, nargs="*", metavar="N", help="nine, or none for defaults")
    add("--heartbeats", type=int, default=0, help="number of heartbeats, one after each frame")
    add("--unknown", type=int, default=0, help="messages of an unknown type before the frames")
    add("--empty", type=int, default=0, help="empty frames before the others")
    add("--stop", action="store_true", help="send a Stop at the end")
    add("--acks", type=int, help="Acks to wait for at the end; default: all")
    add("--clock-offset", type=float, default=0, help="seconds, applied after --after frames")
    add("--any-timestamp", action="store_true", help="accept implausible timestamps")
    add("--sessions", type=int, default=1, help="number of consecutive connections of a server")
    add("--timeout", type=float, default=10, help="seconds to wait for any event")
    add("--behaviour", choices=misbehaviour.BEHAVIOURS)
    add("--after", type=int, default=3, help="valid frames before a sender misbehaves")
    add("--count", type=int, default=10000, help="messages of a flood, bytes of garbage")
    add("--byte-interval", type=float, default=0.005, help="seconds between slow bytes")
    add("--hold", type=float, default=5, help="seconds to wait for the peer to close")
    args = parser.parse_args(argv)
    if args.dialect == "v1" and args.opus_config is not None:
        parser.error("v1 has no OpusConfig")
    if len(args.config or []) not in (0, 3) or len(args.opus_config or []) not in (0, 9):
        parser.error("Config has three numbers, OpusConfig nine")
    return args


def main(argv=None):
    args = parse_arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the socket file is removed
    try:
        run(args)
    except (Failure, OSError) as error:
        report("error", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
