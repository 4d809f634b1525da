"""How often the gate is wrong: planted faults that it passes, and real rows that it rejects, over many small draws.

A draw takes at most `--most` rows of a class, and more of the others; half are training rows, and half the reserve that
plays the generator.

    PYTHONPATH=. python benchmarks/synthesis_gate.py tables/mammography.train.csv --draws 40 --fault-draws 5

There are eight faults: with these numbers, as many draws of real rows as of faults.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from rarebird.core.compute import Compute
from rarebird.methods.synthesis import _gate
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from tests.methods.synthesis.planted import FAULTS, Planted, halves, real

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--fault-draws", type=int, help="of each fault; default: as many as of real rows")
    parser.add_argument(
        "--first", type=int, default=0, help="the first draw: others than those that a level was set by"
    )
    parser.add_argument("--most", type=int, default=150, help="rows of a class in a draw")
    parser.add_argument("--least", type=int, default=40, help="rows that a judged class has in the data")
    parser.add_argument("--faults", default=",".join(["real", *FAULTS]))
    given = parser.parse_args()
    for file in given.files:
        rows = read(DATA / file, ReadOptions()).train
        counts = rows.class_counts
        assert counts is not None
        judged = [code for code in np.argsort(counts) if counts[code] >= given.least][:3]
        wrong: Counter[str] = Counter()
        total: Counter[str] = Counter()
        why: Counter[str] = Counter()
        start = time.monotonic()
        for number in range(given.draws):
            place = given.first + number
            draw = np.random.default_rng(place)
            code = int(judged[place % len(judged)])
            train, reserve = halves(rows, code, draw, given.most)
            for name in given.faults.split(","):
                if name != "real" and given.fault_draws is not None and number >= given.fault_draws:
                    continue
                fault = real if name == "real" else FAULTS[name]
                verdict = _gate.judge(Planted(fault, reserve), train, [code], Compute(), seed=place).classes[0]
                total[name] += 1
                if verdict.passes != (name == "real"):
                    wrong[name] += 1
                    why[f"{name} ({verdict.label}, {verdict.rows} rows): {verdict.reason}"] += 1
        seconds = time.monotonic() - start
        print(f"{file}: " + ", ".join(f"{name} {wrong[name]}/{total[name]}" for name in total) + f" ({seconds:.0f} s)")
        for reason, n in why.most_common(12):
            print(f"    {n} x {reason}", flush=True)


if __name__ == "__main__":
    main()
