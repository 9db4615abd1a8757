# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encodes and decodes messages of the JetKVM audio protocol, based on docs/protocol.md alone."""
import struct
from typing import NamedTuple, Optional

MAGIC = {"output": 0x4A4B4F55, "microphone": 0x4A4B4D49}
NAMES_V1 = ["frame", "config", "stop", "heartbeat", "ack"]  # the index is the type number
NAMES_V2 = ["frame", "config", "opus-config", "stop", "heartbeat", "ack"]
PAYLOAD_SIZE = {"config": 12, "opus-config": 36, "stop": 0, "heartbeat": 0, "ack": 0}


class Failure(Exception):
    """Raised for a violation of the protocol."""


class Dialect(NamedTuple):
    names: list
    header_size: int
    max_payload: int


DIALECTS = {
    "v1": Dialect(NAMES_V1, 17, 4096),
    "v2": Dialect(NAMES_V2, 17, 4096),
    "v3": Dialect(NAMES_V2, 9, 1024),
}


class Message(NamedTuple):
    type_number: int
    name: Optional[str]  # None if the type is unknown in the dialect
    timestamp: Optional[int]  # ns; None where the dialect has none
    payload: bytes


class Codec:
    """Encodes and decodes the messages of one direction and one dialect."""

    def __init__(self, direction, dialect):
        self.magic = MAGIC[direction]
        self.dialect = DIALECTS[dialect]
        self.has_timestamp = self.dialect.header_size == 17

    def encode(self, name, timestamp, payload=b""):
        return self.encode_type(self.dialect.names.index(name), timestamp, payload)

    def encode_type(self, type_number, timestamp, payload=b""):
        header = struct.pack("<IBI", self.magic, type_number, len(payload))
        if self.has_timestamp:
            header += struct.pack("<q", timestamp)
        return header + payload

    def decode(self, data):
        """Decodes the first message. Returns it and its size, or None if it is incomplete."""
        size = self.dialect.header_size
        if len(data) < size:
            return None
        magic, type_number, length = struct.unpack_from("<IBI", data)
        if magic != self.magic:
            raise Failure(f"wrong magic {data[:4].hex(' ')}")
        if length > self.dialect.max_payload:
            raise Failure(f"impossible length {length}")
        if len(data) < size + length:
            return None
        name = self.dialect.names[type_number] if type_number < len(self.dialect.names) else None
        if length != PAYLOAD_SIZE.get(name, length):
            raise Failure(f"{name} with {length} bytes of payload")
        timestamp = struct.unpack_from("<q", data, 9)[0] if self.has_timestamp else None
        payload = bytes(data[size:size + length])
        return Message(type_number, name, timestamp, payload), size + length


def config_payload(values):
    return struct.pack("<3I", *values)


def opus_config_payload(values):
    return struct.pack("<6Ii2I", *values)


def config_values(payload):
    """Returns the fields of a Config or an OpusConfig."""
    return struct.unpack("<3I" if len(payload) == 12 else "<6Ii2I", payload)


NUMBERED = bytes.fromhex("ff4104fffe")


def numbered_packet(number):
    """Returns 20 ms of silence with a number in the padding (RFC 6716, 3.2.5)."""
    return NUMBERED + struct.pack("<I", number)


def number_of(packet):
    if len(packet) != len(numbered_packet(0)) or not packet.startswith(NUMBERED):
        return None
    return struct.unpack_from("<I", packet, len(NUMBERED))[0]
