"""`fit` on the sets of series that have a test file, beside MultiRocketHydra.

    python benchmarks/series.py [NAME ...] [--seeds 0] [--budget 60s] [--set KEY=VALUE ...] [--data ../shared/data]

Every fit is a process of its own; seconds are from its start to its end. Printed are balanced accuracy with its 95 %
interval, accuracy, log loss, and what each part of the ensemble weighs; at the end means and worst cases, those of sets
with an imbalance ratio of 3 or more apart, and the calibration error of all test rows together (15 bins of the largest
probability). PEER has aeon 1.6's MultiRocketHydraClassifier on the same files, seed 0: accuracy and balanced accuracy;
`peer_aeon.py` prints them. Nothing is chosen by these figures: the recipes were chosen on held-out training rows.
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
from typing import Any

import numpy as np
import pandas as pd

SKEWED, BINS = 3.0, 15
PEER = {
    "DistalPhalanxTW": (0.698, 0.528),
    "ECG5000": (0.946, 0.558),
    "Earthquakes": (0.734, 0.500),
    "Lightning7": (0.822, 0.805),
    "MedicalImages": (0.797, 0.741),
    "Ham": (0.743, 0.742),
    "Car": (0.933, 0.929),
    "Beef": (0.767, 0.767),
    "Fish": (0.983, 0.984),
    "Lightning2": (0.721, 0.713),
    "ToeSegmentation2": (0.915, 0.884),
    "SwedishLeaf": (0.976, 0.977),
    "ProximalPhalanxOutlineAgeGroup": (0.863, 0.802),
    "DistalPhalanxOutlineAgeGroup": (0.763, 0.773),
    "ShapeletSim": (1.000, 1.000),
    "ACSF1": (0.880, 0.880),
    "CricketX": (0.803, 0.815),
    "Herring": (0.734, 0.728),
    "FaceFour": (0.955, 0.962),
    "Wine": (0.926, 0.926),
    "ECG200": (0.910, 0.899),
    "Rock": (0.860, 0.893),
    "SonyAIBORobotSurface1": (0.887, 0.900),
}
NONE = (float("nan"), float("nan"))


def fit_set(train: Path, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The object that a fit prints, with its ``seconds`` from start to end and its ``rows``: ``(n, 2)``, the largest
    probability of each test row, and 1 where its class is the true one."""
    test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rarebird", "fit", str(train), "--test", str(test), "--json"]
        command += ["--out", f"{folder}/run", "--budget", arguments.budget, "--seed", str(seed)]
        command += [word for setting in arguments.settings for word in ("--set", setting)]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        table = pd.read_csv(f"{folder}/run/test_predictions.csv", dtype={"id": str, "true": str})
        found["seconds"] = time.monotonic() - start
        found["tried"] = json.loads(Path(f"{folder}/run/result.json").read_text(encoding="utf-8"))["tried"]
    names = [name for name in table.columns if name.startswith("probability_")]
    probabilities = table[names].to_numpy()
    top = np.array([name.removeprefix("probability_") for name in names])[probabilities.argmax(axis=1)]
    found["rows"] = np.column_stack([probabilities.max(axis=1), top == table.iloc[:, 1].astype(str)])
    return found


def ratio_of(found: dict[str, Any]) -> float:
    counts = found["class_counts"].values()
    return float(max(counts) / min(counts))


def line(name: str, seed: int, found: dict[str, Any]) -> str:
    entry, peer = found["metrics"]["balanced_accuracy"], PEER.get(name, NONE)
    others = {key: found["metrics"][key]["value"] for key in ("accuracy", "log_loss", "expected_calibration_error")}
    parts = [f"{one['name']} {one['share']:.2f}" for one in found.get("tried", []) if one.get("share")]
    return (
        f"{name:<30} seed {seed} {found['n_train']:>5} rows, ratio {ratio_of(found):>5.1f} {found['seconds']:5.1f} s  "
        f"bal {entry['value']:.3f} ({entry['low']:.3f} .. {entry['high']:.3f}) peer {peer[1]:.3f} "
        f"{entry['value'] - peer[1]:+.3f}  acc {others['accuracy']:.3f} peer {peer[0]:.3f}  log loss "
        f"{others['log_loss']:.3f}  cal {others['expected_calibration_error']:.3f}  [{', '.join(parts)}]"
    )


def summary(found: dict[str, list[dict[str, Any]]]) -> None:
    gains = {
        name: statistics.mean(one["metrics"]["balanced_accuracy"]["value"] for one in fits) - PEER[name][1]
        for name, fits in found.items()
        if name in PEER
    }
    skewed = [gain for name, gain in gains.items() if ratio_of(found[name][0]) >= SKEWED]
    fits = [one for ones in found.values() for one in ones]
    rows = np.concatenate([one["rows"] for one in fits])
    gaps = np.bincount(np.minimum((rows[:, 0] * BINS).astype(int), BINS - 1), rows[:, 1] - rows[:, 0], BINS)
    calibration = np.abs(gaps).sum() / len(rows)
    if gains:
        worst = min(gains, key=lambda name: gains[name])
        print(f"mean gain over {len(gains)} sets {statistics.mean(gains.values()):+.4f} (asked +.03)")
        print(f"mean gain over {len(skewed)} skewed sets {statistics.mean(skewed or [np.nan]):+.4f} (asked +.08)")
        below = sum(gain < -0.03 for gain in gains.values())
        print(f"worst {worst} {gains[worst]:+.4f} (asked -.03); below -.03: {below}")
    print(f"median seconds {statistics.median(one['seconds'] for one in fits):.1f} (asked 40)")
    print(f"calibration error of {len(rows)} test rows together {calibration:.4f} (asked .05)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for train in sorted((arguments.data / "series").glob("*_TRAIN.*")):
        name = train.name.partition("_TRAIN")[0]
        if arguments.names and name not in arguments.names:
            continue
        for seed in arguments.seeds:
            found.setdefault(name, []).append(fit_set(train, seed, arguments))
            print(line(name, seed, found[name][-1]), flush=True)
    summary(found)


if __name__ == "__main__":
    main()
