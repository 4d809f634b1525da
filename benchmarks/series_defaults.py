"""The default recipe of series against MultiRocketHydra, from the command line: balanced accuracy on four official test
files.

    python benchmarks/series_defaults.py [NAME ...] [--seeds 0] [--budget 60] [--set KEY=VALUE ...] [--data
    ../shared/data]

Every fit is a process of its own; seconds are from its start to its end. The default was chosen on held-out rows of the
training files only; do not choose by these figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Balanced accuracy of aeon 1.6's MultiRocketHydraClassifier on the same files, seed 0.
PEER = {"MedicalImages": 0.741, "DistalPhalanxTW": 0.528, "Earthquakes": 0.500, "ECG5000": 0.558}
ASKED = 0.05


def fit(train: Path, seed: int, budget: int, settings: list[str]) -> tuple[dict[str, float], float]:
    """Fit in a process of its own: test metric -> value, and the process's seconds."""
    test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "rarebird.cli",
            "fit",
            str(train),
            "--test",
            str(test),
            "--out",
            f"{folder}/run",
        ]
        command += ["--budget", f"{budget}s", "--seed", str(seed), "--json"]
        command += [word for setting in settings for word in ("--set", setting)]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - start
    return {name: entry["value"] for name, entry in json.loads(done.stdout)["metrics"].items()}, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PEER, []], default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    names = arguments.names or list(PEER)
    reached: dict[str, float] = {}
    for name in names:
        values = []
        for seed in arguments.seeds:
            found, seconds = fit(
                arguments.data / "series" / f"{name}_TRAIN.tsv", seed, arguments.budget, arguments.settings
            )
            values.append(found["balanced_accuracy"])
            figures = " ".join(
                f"{key} {found[key]:.3f}" for key in ("balanced_accuracy", "accuracy", "macro_f1", "log_loss")
            )
            print(f"{name:<16} seed {seed}  {seconds:5.1f} s  {figures}  MultiRocketHydra {PEER[name]:.3f}", flush=True)
        reached[name] = statistics.median(values)
    mean, peer = statistics.mean(reached.values()), statistics.mean(PEER[name] for name in names)
    gain = f"gain {mean - peer:+.3f}, asked {ASKED:+.3f}"
    print(f"{'mean':<16} balanced_accuracy {mean:.3f}  MultiRocketHydra {peer:.3f}  {gain}", flush=True)


if __name__ == "__main__":
    main()
