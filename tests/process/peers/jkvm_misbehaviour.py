# SPDX-License-Identifier: LGPL-2.1-or-later
"""Implements the misbehaviours of the hostile peer, selected by name."""
import random
import select
import time

from jkvm_messages import Failure

FLOODS = {"heartbeat-flood": "heartbeat", "unsolicited-acks": "ack"}  # the session continues
VIOLATIONS = ["half-header", "short-payload", "huge-length", "wrong-magic-midstream", "garbage"]
BEHAVIOURS = ["slow-bytes", "never-read", *FLOODS, *VIOLATIONS]


def violating_bytes(behaviour, message, header_size, args):
    """Returns bytes that violate the protocol, derived from a valid `message`."""
    if behaviour == "half-header":
        return message[:header_size // 2]
    if behaviour == "short-payload":  # the next message's first byte completes the payload
        return message[:5] + bytes([message[5] + 1]) + message[6:] + 10 * message
    if behaviour == "huge-length":
        return message[:5] + b"\xff\xff\xff\xff" + message[9:header_size]
    if behaviour == "wrong-magic-midstream":
        return bytes([message[0] ^ 0x20]) + message[1:]
    return random.Random(1).randbytes(args.count)  # garbage


def await_close(sock, hold, is_reading):
    """Returns whether the peer closes within `hold` seconds. Ignores received data."""
    deadline = time.monotonic() + hold
    poll = select.poll()
    poll.register(sock, select.POLLIN if is_reading else 0)
    while (pause := deadline - time.monotonic()) > 0:
        for _, events in poll.poll(pause * 1000):
            try:
                if events & (select.POLLHUP | select.POLLERR) or not sock.recv(65536):
                    return True
            except ConnectionResetError:
                return True
    return False


def send_violation(connection):
    """Returns whether the peer closed. Fails if it does not after a violation that it can detect."""
    args = connection.args
    name, payload = ("frame", args.payload) if args.send else ("ack", b"")
    message = connection.codec.encode(name, connection.now(), payload)
    connection.write(violating_bytes(args.behaviour, message, connection.codec.dialect.header_size, args))
    is_closed = await_close(connection.sock, args.hold, is_reading=True)
    if not is_closed and args.behaviour != "half-header":
        raise Failure(f"still connected {args.hold} s after {args.behaviour}")
    return is_closed
