"""The first issue's figures, from the command line: fits each data set within its budget and prints the figures beside
the values that were asked for.

    python benchmarks/must_show.py [NAME ...] [--seeds 0 1 2] [--data ../shared/data]

Every fit is a process of its own; seconds are from its start to its end. Nothing is asserted: read the table.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

from fitting import fit


@dataclass(frozen=True)
class Job:
    """One fit: its data below the data folder, its budget in seconds, and metric -> the least value asked for."""

    data: str
    budget: int
    asked: dict[str, float]
    test: str | None = None


def table(name: str, **asked: float) -> Job:
    return Job(f"tables/{name}.train.csv", 60, asked, f"tables/{name}.test.csv")


JOBS = {
    "pneumoniamnist": Job("images/pneumoniamnist.npz", 120, {"accuracy": 0.94, "roc_auc": 0.975}),
    "fashion_lt100": Job("images/fashion_lt100.npz", 120, {"balanced_accuracy": 0.861}),
    "magnetic_tile": Job("images/magnetic_tile", 60, {}),
    "ECG5000": Job("series/ECG5000_TRAIN.tsv", 60, {"balanced_accuracy": 0.58}, "series/ECG5000_TEST.tsv"),
    "BasicMotions": Job("series/BasicMotions_TRAIN.ts", 60, {}),
    "mammography": table("mammography", balanced_accuracy=0.86),
    "adult": table("adult", balanced_accuracy=0.83),
    "ecoli": table("ecoli"),
    "shuttle": table("shuttle", balanced_accuracy=0.95),
    "california-housing": table("california-housing", r2=0.78),
}
SHOWN = (
    "balanced_accuracy",
    "accuracy",
    "roc_auc",
    "average_precision",
    "log_loss",
    "expected_calibration_error",
    "r2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*JOBS, []], default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    for name in arguments.names or JOBS:
        job = JOBS[name]
        rows = []
        for seed in arguments.seeds:
            test = None if job.test is None else arguments.data / job.test
            found, seconds = fit(arguments.data / job.data, test, "--budget", f"{job.budget}s", "--seed", str(seed))
            values = {key: found["metrics"][key]["value"] for key in SHOWN if key in found["metrics"]}  # type: ignore[index, operator]
            rows.append(values)
            kept = len(found.get("per_class", []))  # type: ignore[arg-type]
            figures = " ".join(f"{key} {value:.4f}" for key, value in values.items())
            limit = 1.1 * job.budget + 10
            print(f"{name:<19} seed {seed}  {seconds:6.1f} s of {limit:.0f}  {kept} classes  {figures}", flush=True)
        for metric, least in job.asked.items():
            middle = statistics.median(row[metric] for row in rows)
            verdict = "reached" if middle >= least else "SHORT  "
            print(f"{name:<19} {verdict} {metric}: median {middle:.4f}, asked {least}", flush=True)


if __name__ == "__main__":
    main()
