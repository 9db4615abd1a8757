#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scores playout policies on generated and recorded arrivals.

For each trace the cost is J = mean delay + late cost * disturbance (ms). The table shows the mean J
over the seeds and the minimum possible cost (the oracle). Policies are ranked by the geometric mean
of J / oracle over the traces.
"""

import argparse
import csv
import gzip
import json
import math
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import oracle
import traces

HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE.parent / "data" / "arrivals"
SKIP_S = 10
# The default latency of rtpjitterbuffer; a start delay of two frames for the device after a queue.
PEER_LATENCIES_MS = {"rtpjitterbuffer": 200, "queue": 40}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", default=HERE.parents[1] / "build/default/tests/benchmarks"
                        / "adaptive-replay", help="the program adaptive-replay")
    parser.add_argument("--peers", help="the program peer-replay, to score GStreamer's elements")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="seeds of the generated traces")
    parser.add_argument("--policies", default="tail-cost,fixed,weighted",
                        help="policies of adaptive-replay to score")
    parser.add_argument("--adapt", default="frames",
                        help="how the policies change the delay: frames, slew or both")
    parser.add_argument("--set", action="append", default=[], metavar="PROPERTY=VALUE",
                        help="property of adaptive-replay, set for every policy")
    parser.add_argument("--frame-ms", type=float, default=traces.FRAME_MS)
    parser.add_argument("--late-cost", type=float, default=20000,
                        help="delay (ms) that costs as much as a disturbance of 1")
    parser.add_argument("--names", default=",".join(traces.GENERATORS),
                        help="names of the generated traces")
    parser.add_argument("--recorded", nargs="*", type=pathlib.Path,
                        default=sorted(RECORDED.glob("*.csv.gz")), help="files of recorded traces")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser.parse_args()


def read_recorded(path):
    with gzip.open(path, "rt") as file:
        rows = [[float(field) for field in row] for row in list(csv.reader(file))[1:]]
    trace = np.array(rows)
    if trace.shape[1] == 2:
        minimum_transit = (trace[:, 1] - trace[:, 0]).min()
        trace = np.column_stack([trace, trace[:, 0] + minimum_transit])
    return trace


def make_commands(options):
    """Returns {policy or element: command}. A command takes a trace and prints a JSON object."""
    common = ["--frame-ms", str(options.frame_ms), "--skip-s", str(SKIP_S)]
    commands = {}
    settings = [word for setting in options.set for word in ("--set", setting)]
    for policy in filter(None, options.policies.split(",")):
        for adapt in options.adapt.split(","):
            name = policy if adapt == "frames" else f"{policy}, {adapt}"
            commands[name] = [str(options.replay), "--policy", policy, "--adapt", adapt, *common,
                              *settings]
    if options.peers:
        commands |= {peer: [options.peers, "--peer", peer, "--latency-ms", str(latency), *common]
                     for peer, latency in PEER_LATENCIES_MS.items()}
    return commands


def score(job):
    """Returns (label of the trace, minimum cost, {policy or element: results})."""
    label, source, options = job
    if isinstance(source, int):
        frames = round(traces.FRAMES * traces.FRAME_MS / options.frame_ms)
        trace = traces.generate(label, source, frames, options.frame_ms)
    else:
        trace = read_recorded(source)
    skipped = int(np.searchsorted(trace[:, 0] - trace[0, 0], SKIP_S * 1000))
    best = oracle.minimum_cost(trace[:, 1] - trace[:, 2], options.frame_ms, options.late_cost,
                               skipped)
    results = {}
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        traces.write(file, trace)
        file.flush()
        for name, command in make_commands(options).items():
            output = subprocess.run([*command, file.name], check=True, capture_output=True)
            results[name] = json.loads(output.stdout)
            results[name]["j"] = (results[name]["mean_delay_ms"]
                                  + options.late_cost * results[name]["disturbance"])
    return label, best, results


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def main():
    options = parse_arguments()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    jobs = [(name, seed, options) for name in filter(None, options.names.split(","))
            for seed in seeds]
    jobs += [("R:" + path.name.split(".")[0], path, options) for path in options.recorded]
    with ProcessPoolExecutor(options.processes) as pool:
        scored = list(pool.map(score, jobs))

    labels = list(dict.fromkeys(label for label, _, _ in scored))
    names = list(make_commands(options))
    table = {}
    for label in labels:
        runs = [(best, results) for name, best, results in scored if name == label]
        table[label] = {"oracle": np.mean([best for best, _ in runs])}
        for name in names:
            table[label][name] = {key: float(np.mean([results[name][key] for _, results in runs]))
                                  for key in runs[0][1][name]}
    if options.json:
        json.dump(table, sys.stdout, indent=1)
        return
    print("| trace | oracle |" + "".join(f" {name} | delay / p95 / disturbance |" for name in names))
    print("|---|---|" + "---|---|" * len(names))
    for label in labels:
        row = table[label]
        print(f"| {label} | {row['oracle']:.1f} |" + "".join(
            f" {row[name]['j']:.1f} | {row[name]['mean_delay_ms']:.0f} / "
            f"{row[name]['p95_delay_ms']:.0f} / {100 * row[name]['disturbance']:.3f} % |"
            for name in names))
    groups = {"generated": [label for label in labels if not label.startswith("R:")],
              "recorded": [label for label in labels if label.startswith("R:")], "all": labels}
    for group, members in groups.items():
        if members:
            print(f"| J / oracle, {group} | 1.00 |" + "".join(
                " %.3f | |" % geometric_mean(
                    [table[label][name]["j"] / table[label]["oracle"] for label in members])
                for name in names))
            print(f"| mean J, {group} | {np.mean([table[m]['oracle'] for m in members]):.1f} |"
                  + "".join(f" {np.mean([table[m][name]['j'] for m in members]):.1f} | |"
                            for name in names))


if __name__ == "__main__":
    main()
