# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests that the harness measures an artificial delay of an element."""

import dataclasses
import unittest

from harness import ipc, runner
from harness.row import JKVM, PEER, Subject
from rows import ipc_latency

SLEEP_US = 1000  # before each render; more than the scheduler delays the best round


class SlowedElement(unittest.TestCase):
    def test_latency_includes_sleep_in_render(self):
        plain = Subject("plain", JKVM, ipc.Transport("jkvm", listeners=(1,), loads=(False,)))
        slowed = Subject("slowed", PEER, dataclasses.replace(plain.how, slow_us=SLEEP_US))
        row = dataclasses.replace(ipc_latency.ROW, subjects=(plain, slowed), quick_rounds=5)
        result = runner.run_row("ipc-latency", row, quick=True)
        self.assertEqual(result.errors, [])
        median = next(f for f in row.figures if f.name == "idle, 1 listener, p50")
        # Other load on the machine only makes rounds slower, so the best round counts.
        rise = result.summary(median, slowed).minimum - result.summary(median, plain).minimum
        self.assertGreaterEqual(rise, SLEEP_US / 2)


if __name__ == "__main__":
    unittest.main()
