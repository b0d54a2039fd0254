"""How a Python peer talks to the benchmark: one line of JSON when ready, then one for each sample asked for."""
import json
import os
import sys
import time

import numpy as np


def specification():
    """What to measure: the JSON object that the benchmark gives as first argument."""
    return json.loads(sys.argv[1])


def pin(threads, copy):
    """
    Keeps this process on `threads` cores, each copy on its own: for a library that starts a thread for every core that
    it sees. Call before importing it.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        first = (copy * threads) % len(cores)
        os.sched_setaffinity(0, cores[first : first + threads])


def absent(reason):
    """Ends with the reason why this peer can't take part."""
    print(json.dumps({"absent": str(reason)}), flush=True)
    sys.exit(0)


def serve(version, form, threads, run):
    """
    Answers "run N" with the seconds that `run(N)` takes; N counts chunks: epochs, or runs of exercise 1.

    `run` returns (steps, loss), and the test accuracy where it is a whole training; the first call warms up, and its loss
    tells whether all do the same work. A second one follows for what a library decides only then, unless it would take
    minutes.
    """
    start = time.perf_counter()
    _, check, *_ = run(1)
    if time.perf_counter() - start < 60:
        run(1)
    print(json.dumps({"ready": True, "version": version, "form": form, "threads": threads, "check": check}), flush=True)
    for line in sys.stdin:
        chunks = int(line.split()[1])
        start = time.perf_counter()
        steps, loss, *accuracies = run(chunks)
        seconds = time.perf_counter() - start
        sample = {"seconds": seconds, "steps": steps, "loss": loss, "accuracies": accuracies}
        print(json.dumps(sample), flush=True)


def mnist_split(folder, split):
    """Images as float32 in [0, 1], shape (count, 784), and labels as int64."""
    images = np.fromfile(os.path.join(folder, f"{split}.images"), dtype=np.uint8).reshape(-1, 784)
    labels = np.fromfile(os.path.join(folder, f"{split}.labels"), dtype=np.uint8)
    return images.astype(np.float32) / 255, labels.astype(np.int64)


EX1_INPUTS = [1.0, 2.0, 3.0, 4.0]
EX1_TARGETS = [0.0, -1.0, -2.0, -3.0]
EX1_STEPS = 1000
