# SPDX-License-Identifier: LGPL-2.1-or-later
"""The harness sees what it claims to see: an element that is made slower is measured as slower."""

import dataclasses
import unittest

from harness import ipc, runner
from harness.row import OURS, PEER, Subject
from rows import ipc_latency

SLEEP_US = 100  # before each render


class SlowedElement(unittest.TestCase):
    def test_sleep_in_render_is_in_the_latency(self):
        as_it_is = Subject("as it is", OURS, ipc.Way("jkvm", listeners=(1,), loads=(False,)))
        slowed = Subject("slowed", PEER, dataclasses.replace(as_it_is.how, slow_us=SLEEP_US))
        row = dataclasses.replace(ipc_latency.ROW, subjects=(as_it_is, slowed), quick_rounds=5)
        result = runner.run_row("ipc-latency", row, quick=True)
        self.assertEqual(result.errors, [])
        median = next(f for f in row.figures if f.name == "idle, 1 listening, p50")
        # Whatever else runs on this machine only makes things slower, so the best round counts.
        rise = result.summary(median, slowed).least - result.summary(median, as_it_is).least
        self.assertGreaterEqual(rise, SLEEP_US)


if __name__ == "__main__":
    unittest.main()
