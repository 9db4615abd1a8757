# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes the minimum cost of a playout that knows the future of a trace."""

import numpy as np

GRID_MS = 2.5


def sliding_minimum(values, width):
    """Returns, for each index, the minimum of its value and the `width` values before it."""
    result = values.copy()
    reach = 1  # result[i] is the minimum of values[i - reach + 1 .. i]
    while reach <= width:
        step = min(reach, width + 1 - reach)
        result[step:] = np.minimum(result[step:], result[:-step])
        reach += step
    return result


def minimum_cost(transits, frame_ms, late_cost, skip_frames=0):
    """Returns the minimum mean of delay + late_cost * disturbance (ms).

    `transits`: arrival minus reference (ms). The result is the cost of the cheapest sequence of
    offsets on the grid. Each frame costs its offset, and `late_cost` if it arrives after its offset.
    A change of the offset costs `late_cost` for each frame length. Directly after a late frame a
    change is free: down by any amount, up by at most one frame.
    """
    offsets = np.arange(0, max(GRID_MS, transits.max()) + GRID_MS, GRID_MS)
    # Index of the smallest offset at which a frame is on time.
    on_time = np.searchsorted(offsets, transits)
    slope = late_cost / frame_ms * GRID_MS * np.arange(offsets.size)
    frame_bins = round(frame_ms / GRID_MS)
    cost = np.zeros(offsets.size)
    accumulate = np.minimum.accumulate
    for i in range(transits.size):
        if i > 0:
            late = on_time[i - 1]  # number of offsets that were too small for the last frame
            moved = np.minimum(accumulate(cost - slope) + slope,
                               accumulate((cost + slope)[::-1])[::-1] - slope)
            if late > 0:
                down = accumulate(cost[late - 1::-1])[::-1]
                moved[:late] = np.minimum(moved[:late], down)
                reach = min(late + frame_bins, offsets.size)
                up = np.full(reach, np.inf)
                up[:late] = cost[:late]
                moved[:reach] = np.minimum(moved[:reach], sliding_minimum(up, frame_bins))
            cost = moved
        if i >= skip_frames:
            cost = cost + offsets
            cost[:on_time[i]] += late_cost
    return cost.min() / (transits.size - skip_frames)
