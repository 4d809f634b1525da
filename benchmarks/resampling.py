"""Seconds and peak memory of our over-samplers and of imbalanced-learn's on the same rows, side by side.

    python benchmarks/resampling.py --rows 200000 --rare 20000 --threads 2 --repeats 3

Every run is a process of its own; ours and theirs alternate, and the smallest value of each counts. The rows are a data
frame with named columns, as a user has them, and both return a data frame. `array` is imbalanced-learn on the bare
array of the same numbers, without the conversion from and to a frame. Imports and a first small call are not timed. On
a machine with other work, compare the CPU seconds. Memory is the process's highest resident size and, in brackets, what
the call added to it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

NUMBERS, MIXED_NUMBERS, CATEGORIES = 30, 10, (4, 8, 16, 32, 64)
CASES = ("smote", "borderline_smote", "adasyn", "smote_mixed")
SIDES = ("ours", "theirs", "array")
SHIFT = 0.5


def table(case: str, rows: int, rare: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Two overlapping normal classes; for the mixed case, fewer numbers beside categories of text."""
    rng = np.random.default_rng(0)
    y = np.zeros(rows, dtype=np.int64)
    y[rng.permutation(rows)[:rare]] = 1
    mixed = case == "smote_mixed"
    columns: dict[str, np.ndarray] = {
        f"number_{i}": rng.standard_normal(rows) + SHIFT * y * (i < 5)
        for i in range(MIXED_NUMBERS if mixed else NUMBERS)
    }
    for levels in CATEGORIES if mixed else ():
        codes = (rng.beta(1, 2, rows) * levels).astype(np.int64)
        columns[f"category_{levels}"] = np.array([f"level {code}" for code in range(levels)], dtype=object)[codes]
    return pd.DataFrame(columns), y


def ours(case: str, frame: pd.DataFrame, y: np.ndarray) -> Callable[[], int]:
    """Our method for the case: a function that resamples and returns the number of rows."""
    from rarebird.data.dataset import Dataset, Frame
    from rarebird.slots import methods

    rows = Dataset(
        "table",
        "classification",
        Frame(frame),
        np.arange(len(y)),
        y,
        ("0", "1"),
        np.arange(len(y)).astype(str).astype(object),
    )
    method = methods.build("resampling", {"name": case.removesuffix("_mixed")})
    return lambda: len(method(rows, np.random.default_rng(0)).source)  # type: ignore[operator]


def theirs(case: str, frame: pd.DataFrame | np.ndarray, y: np.ndarray) -> Callable[[], int]:
    """imbalanced-learn's method for the case, in the same form."""
    from imblearn import over_sampling

    if case == "smote_mixed":
        assert isinstance(frame, pd.DataFrame)
        sampler = over_sampling.SMOTENC(
            [name for name in map(str, frame) if name.startswith("category")], random_state=0
        )
    else:
        sampler = {
            "smote": over_sampling.SMOTE,
            "borderline_smote": over_sampling.BorderlineSMOTE,
            "adasyn": over_sampling.ADASYN,
        }[case](random_state=0)
    return lambda: len(sampler.fit_resample(frame, y)[0])


def measure(case: str, side: str, rows: int, rare: int, threads: int) -> dict[str, float]:
    """Seconds and megabytes of one call in this process."""
    if side == "ours":
        import torch

        torch.set_num_threads(threads)
    frame, y = table(case, rows, rare)
    few = np.r_[np.flatnonzero(y == 1)[:2000], np.flatnonzero(y == 0)[:4000]]

    def sampler(frame: pd.DataFrame, y: np.ndarray) -> Callable[[], int]:
        return (
            ours(case, frame, y) if side == "ours" else theirs(case, frame if side == "theirs" else frame.to_numpy(), y)
        )

    sampler(frame.iloc[few].reset_index(drop=True), y[few])()
    call = sampler(frame, y)
    before = peak()
    start, working = time.perf_counter(), time.process_time()
    made = call()
    seconds, worked = time.perf_counter() - start, time.process_time() - working
    return {"seconds": seconds, "worked": worked, "peak": peak(), "added": peak() - before, "rows": made}


def peak() -> float:
    """The process's highest resident size so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(case: str, side: str, options: argparse.Namespace) -> dict[str, float]:
    """`measure` in a fresh process."""
    arguments = [
        f"--rows={options.rows}",
        f"--rare={options.rare}",
        f"--threads={options.threads}",
        "--one",
        case,
        side,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OPENBLAS_NUM_THREADS": str(options.threads)}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print one line for each case and side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rare", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.rows, options.rare, options.threads)))  # type: ignore[call-arg]
        return
    print(f"{options.rows} rows, {options.rare} rare, {options.threads} threads, smallest of {options.repeats} runs")
    for case in options.cases:
        sides = SIDES[:2] if case == "smote_mixed" else SIDES
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(options.repeats):
            for side in sides:
                runs[side].append(in_own_process(case, side, options))
        least = {side: {key: min(run[key] for run in runs[side]) for key in runs[side][0]} for side in sides}
        for side, found in least.items():
            seconds, worked, memory = (found[key] / least["ours"][key] for key in ("seconds", "worked", "peak"))
            times = f"{found['seconds']:7.2f} s ({seconds:5.2f} x)   {found['worked']:7.2f} s of CPU ({worked:5.2f} x)"
            sizes = f"{found['peak']:6.0f} MB ({found['added']:+6.0f}) ({memory:4.2f} x)   {found['rows']:.0f} rows"
            print(f"{case:17} {side:7} {times}   {sizes}", flush=True)


if __name__ == "__main__":
    main()
