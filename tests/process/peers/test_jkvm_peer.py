# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the peer against itself, and its headers against hand-written bytes."""
import itertools
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import jkvm_messages as messages  # noqa: E402

TIMESTAMP = 1767323045678901234
PACKET = bytes.fromhex("fcfffe")


class Program:
    def __init__(self, options):
        command = [sys.executable, os.path.join(HERE, "jkvm_peer.py"), *options.split()]
        self.output = tempfile.TemporaryFile("w+")  # a full pipe would block the program
        self.process = subprocess.Popen(command, stdout=self.output)

    def wait(self):
        """Returns the exit status and all lines."""
        status = self.process.wait(timeout=120)
        with self.output:
            self.output.seek(0)
            return status, self.output.read().splitlines()


class Bytes(unittest.TestCase):
    """Checks the examples of docs/protocol.md."""

    def check(self, direction, dialect, name, payload, text):
        data = bytes.fromhex(text)
        codec = messages.Codec(direction, dialect)
        self.assertEqual(codec.encode(name, TIMESTAMP, payload), data)
        message, size = codec.decode(data + b"more")
        self.assertEqual((message.name, message.payload, size), (name, payload, len(data)))
        self.assertEqual(message.timestamp, None if dialect == "v3" else TIMESTAMP)
        self.assertIsNone(codec.decode(data[:-1]))

    def test_output_frame_in_both_long_dialects(self):
        for dialect in "v1", "v2":
            self.check("output", dialect, "frame", PACKET,
                       "55 4F 4B 4A 00 03 00 00 00 F2 67 0D 45 F2 CA 86 18 FC FF FE")

    def test_microphone_config(self):
        self.check("microphone", "v1", "config", messages.config_payload([48000, 2, 960]),
                   "49 4D 4B 4A 01 0C 00 00 00 F2 67 0D 45 F2 CA 86 18"
                   "80 BB 00 00 02 00 00 00 C0 03 00 00")

    def test_opus_config(self):
        values = [48000, 2, 960, 64000, 5, 1, -1000, 1105, 0]
        payload = messages.opus_config_payload(values)
        self.assertEqual(messages.config_values(payload), tuple(values))
        self.check("output", "v2", "opus-config", payload,
                   "55 4F 4B 4A 02 24 00 00 00 F2 67 0D 45 F2 CA 86 18"
                   "80 BB 00 00 02 00 00 00 C0 03 00 00 00 FA 00 00 05 00 00 00"
                   "01 00 00 00 18 FC FF FF 51 04 00 00 00 00 00 00")

    def test_short_header(self):
        self.check("microphone", "v3", "frame", PACKET, "49 4D 4B 4A 00 03 00 00 00 FC FF FE")
        self.check("microphone", "v3", "ack", b"", "49 4D 4B 4A 05 00 00 00 00")

    def test_numbers_of_the_empty_messages(self):
        numbers = {"v1": {"stop": 2, "heartbeat": 3, "ack": 4},
                   "v2": {"stop": 3, "heartbeat": 4, "ack": 5},
                   "v3": {"stop": 3, "heartbeat": 4, "ack": 5}}
        for dialect, names in numbers.items():
            for name, number in names.items():
                data = messages.Codec("output", dialect).encode(name, 0)
                self.assertEqual(data[:9], bytes.fromhex(f"554F4B4A {number:02x} 00000000"))

    def test_violations(self):
        for dialect, longest in {"v1": 4096, "v2": 4096, "v3": 1024}.items():
            codec = messages.Codec("output", dialect)
            codec.decode(codec.encode("frame", 0, bytes(longest)))
            with self.assertRaises(messages.Failure):
                codec.decode(codec.encode("frame", 0, bytes(longest + 1)))
            with self.assertRaises(messages.Failure):
                messages.Codec("microphone", dialect).decode(codec.encode("frame", 0))
            with self.assertRaises(messages.Failure):
                codec.decode(codec.encode("config", 0, bytes(11)))


class Sessions(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "socket")

    def run_both(self, kind, sender, receiver, sender_listens=True):
        """Returns the exit status and the lines of the sender, then of the receiver."""
        common = f"{kind} --path {self.path} --timeout 60"
        roles = ("server", "client") if sender_listens else ("client", "server")
        programs = [Program(f"--send --role {roles[0]} {common} {sender}"),
                    Program(f"--receive --role {roles[1]} {common} {receiver}")]
        results = [program.wait() for program in programs]
        self.assertFalse(os.path.exists(self.path))
        return results

    def test_every_direction_role_and_dialect(self):
        kinds = itertools.product(["output", "microphone"], [False, True], ["v1", "v2", "v3"])
        for direction, sender_listens, dialect in kinds:
            with self.subTest(direction=direction, listens=sender_listens, dialect=dialect):
                is_microphone = direction == "microphone"
                control = "--config --heartbeats 3 --stop" if is_microphone else ""
                sender, receiver = self.run_both(
                    f"--direction {direction} --dialect {dialect}",
                    f"--frames 20 --fast --numbered --empty 1 --unknown 1 {control}",
                    "--frames 20 --endless", sender_listens)
                self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))
                frames = [line for line in receiver[1] if line.startswith("frame")]
                self.assertEqual([line.split()[-1] for line in frames],
                                 [f"number={n}" for n in range(20)])
                self.assertEqual("timestamp=None" in frames[0], dialect == "v3")
                self.assertIn("empty", receiver[1])
                self.assertIn("skipped type=200 bytes=5", receiver[1])
                if is_microphone:
                    self.assertIn("ack 4", sender[1])
                    self.assertIn("config 48000 2 960", receiver[1])
                    self.assertEqual(receiver[1].count("heartbeat"), 3)
                    self.assertIn("stop", receiver[1])

    def test_frames_are_sent_in_real_time(self):
        sender, receiver = self.run_both("--direction output", "--frames 6", "--frames 6")
        self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))
        times = [int(line.split("timestamp=")[1]) for line in receiver[1] if "frame" in line]
        self.assertGreaterEqual(times[5] - times[0], 95e6)

    def test_encoder_settings_reach_the_sender(self):
        for direction in "output", "microphone":
            sender, receiver = self.run_both(
                f"--direction {direction} --dialect v2", "--frames 5",
                "--frames 5 --endless --opus-config 8000 1 160 6000 0 0 3001 1101 1")
            self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))
            self.assertIn("opus-config 8000 1 160 6000 0 0 3001 1101 1", sender[1])
            self.assertEqual("ack 1" in receiver[1], direction == "microphone")

    def test_forbidden_messages_are_errors(self):
        errors = {"--config 48000 2 960": "error config, which must not be sent to an output receiver",
                  "--clock-offset 5 --after 0": "error frame with a timestamp -",
                  "--clock-offset -11 --after 0": "error frame with a timestamp 11"}
        for sent, error in errors.items():
            _, receiver = self.run_both("--direction output", f"--fast --frames 3 {sent}", "")
            self.assertEqual(receiver[0], 1)
            self.assertTrue(any(line.startswith(error) for line in receiver[1]), receiver)

    def test_too_few_frames_are_an_error(self):
        _, receiver = self.run_both("--direction output", "--fast --frames 3", "--frames 4")
        self.assertEqual(receiver[0], 1)
        self.assertIn("error closed after 3 of 4 frames", receiver[1])

    def test_missing_acks_are_an_error(self):
        sender, _ = self.run_both("--direction microphone", "--fast --frames 3 --acks 1",
                                  "--frames 3")
        self.assertEqual(sender[0], 1)
        self.assertIn("error closed after 0 acks", sender[1])

    def test_violations_are_detected_and_end_the_connection(self):
        kinds = itertools.product(["v1", "v3"], ["short-payload", "huge-length",
                                                 "wrong-magic-midstream", "garbage"])
        for dialect, behaviour in kinds:
            with self.subTest(dialect=dialect, behaviour=behaviour):
                sender, receiver = self.run_both(
                    f"--direction microphone --dialect {dialect}",
                    f"--fast --behaviour {behaviour}", "", sender_listens=False)
                self.assertEqual((sender[0], receiver[0]), (0, 1), (sender, receiver))
                self.assertIn("closed", sender[1])
                self.assertTrue(any(line.startswith("error ") for line in receiver[1]), receiver)
                self.assertIn("total sent=0 received=4 acks=0" if behaviour == "short-payload"
                              else "total sent=0 received=3 acks=0", receiver[1])

    def test_half_a_header_does_not_block_other_peers(self):
        sender, receiver = self.run_both("--direction microphone",
                                         "--fast --behaviour half-header --hold 0.2", "")
        self.assertEqual((sender[0], receiver[0]), (0, 1))
        self.assertIn("error closed 8 bytes into a message", receiver[1])

    def test_slow_bytes_are_accepted(self):
        sender, receiver = self.run_both(
            "--direction microphone --dialect v3",
            "--config 48000 2 960 --acks 1 --frames 3 --behaviour slow-bytes --byte-interval 0.001",
            "--frames 3 --endless")
        self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))

    def test_a_flood_of_heartbeats_does_not_block_the_receiver(self):
        sender, receiver = self.run_both(
            "--direction microphone",
            "--fast --frames 3 --behaviour heartbeat-flood --count 20000", "--frames 3 --endless")
        self.assertEqual((sender[0], receiver[0]), (0, 0), (sender[1][-3:], receiver[1][-3:]))
        self.assertEqual(receiver[1].count("heartbeat"), 20000)

    def test_unsolicited_acks_are_an_error_for_this_strict_peer(self):
        _, receiver = self.run_both("--direction microphone", "--fast --behaviour unsolicited-acks", "")
        self.assertIn("error ack 1 for 0 messages", receiver[1])

    def test_a_receiver_that_never_reads_detects_the_end(self):
        sender, receiver = self.run_both("--direction output", "--fast --frames 10",
                                         "--behaviour never-read")
        self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))
        self.assertIn("closed", receiver[1])

    def test_a_server_serves_consecutive_sessions(self):
        common = f"--direction output --path {self.path} --timeout 60"
        server = Program(f"--role server --send --frames 3 --fast --sessions 2 {common}")
        for _ in range(2):
            status, lines = Program(f"--role client --receive --frames 3 {common}").wait()
            self.assertEqual(status, 0, lines)
        status, lines = server.wait()
        self.assertEqual((status, lines.count("connected")), (0, 2), lines)

    def test_abstract_sockets(self):
        self.path = f"@jkvm-peer-{os.getpid()}"
        sender, receiver = self.run_both("--direction output", "--fast --frames 3", "--frames 3")
        self.assertEqual((sender[0], receiver[0]), (0, 0), (sender, receiver))


if __name__ == "__main__":
    unittest.main()
