# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the oracle on traces with an obvious minimum cost, and that traces are reproducible."""

import unittest

import numpy as np

import oracle
import traces

FRAME_MS = 20.0
LATE_COST = 20000.0


def minimum_cost(transits):
    return oracle.minimum_cost(np.array(transits, float), FRAME_MS, LATE_COST)


class Oracle(unittest.TestCase):
    def test_constant_transit_costs_its_own_delay(self):
        self.assertAlmostEqual(minimum_cost([10.0] * 100), 10.0)

    def test_transit_between_grid_points_costs_the_next_higher_point(self):
        self.assertAlmostEqual(minimum_cost([8.0] * 100), 10.0)

    def test_late_frame_is_cheaper_than_delay_for_all(self):
        # 40 ms more for each of 1000 frames cost twice as much as one late frame.
        self.assertAlmostEqual(minimum_cost([0.0] * 500 + [40.0] + [0.0] * 499), 20.0)

    def test_delay_for_all_is_cheaper_than_many_late_frames(self):
        self.assertAlmostEqual(minimum_cost([0.0, 40.0] * 500), 40.0)

    def test_growing_by_at_most_a_frame_is_free_after_a_late_frame(self):
        # A permanent rise from 0 to 20 ms costs one late frame, then the longer delay.
        grown = minimum_cost([0.0] * 5000 + [20.0] * 5000)
        self.assertAlmostEqual(grown, (20.0 * 4999 + LATE_COST) / 10000)
        twice = minimum_cost([0.0] * 5000 + [40.0] * 5000)
        self.assertAlmostEqual(twice, (40.0 * 4998 + 20.0 + 2 * LATE_COST) / 10000)

    def test_shrinking_costs_a_frame_for_each_frame_length(self):
        shrunk = minimum_cost([20.0] * 5000 + [0.0] * 5000)
        self.assertAlmostEqual(shrunk, (20.0 * 5000 + LATE_COST) / 10000)

    def test_skipped_frames_cost_nothing(self):
        self.assertAlmostEqual(
            oracle.minimum_cost(np.array([50.0] * 10 + [0.0] * 90), FRAME_MS, LATE_COST, 10), 0.0)


class Traces(unittest.TestCase):
    def test_name_and_seed_determine_a_trace(self):
        for name in traces.GENERATORS:
            with self.subTest(name):
                trace = traces.generate(name, 1, 5000)
                np.testing.assert_array_equal(trace, traces.generate(name, 1, 5000))
                self.assertFalse(np.array_equal(trace, traces.generate(name, 2, 5000)))

    def test_frames_arrive_in_order_and_never_before_the_reference(self):
        for name in traces.GENERATORS:
            with self.subTest(name):
                media, arrival, reference = traces.generate(name, 1).T
                self.assertTrue(np.all(np.diff(media) > 0))
                self.assertTrue(np.all(np.diff(arrival) >= 0))
                self.assertTrue(np.all(arrival >= reference))

    def test_skew_is_in_the_reference(self):
        media, _, reference = traces.generate("skew500", 1).T
        self.assertAlmostEqual((reference[-1] - reference[0]) / (media[-1] - media[0]), 1.0005)


if __name__ == "__main__":
    unittest.main()
