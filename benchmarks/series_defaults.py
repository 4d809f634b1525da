"""The default recipe of series against MultiRocketHydra, from the command line: balanced accuracy on four official test
files.

    python benchmarks/series_defaults.py [NAME ...] [--seeds 0] [--budget 60] [--set KEY=VALUE ...] [--data
    ../shared/data]

Every fit is a process of its own; seconds are from its start to its end. The default was chosen on held-out rows of the
training files only; do not choose by these figures.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from fitting import fit, test_metrics

# Balanced accuracy of aeon 1.6's MultiRocketHydraClassifier on the same files, seed 0.
PEER = {"MedicalImages": 0.741, "DistalPhalanxTW": 0.528, "Earthquakes": 0.500, "ECG5000": 0.558}
ASKED = 0.05


def fit_set(train: Path, seed: int, budget: int, settings: list[str]) -> tuple[dict[str, float], float]:
    """Test metric -> value, and the fit's seconds."""
    test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
    found, seconds = fit(train, test, "--budget", f"{budget}s", "--seed", str(seed), settings=settings)
    return test_metrics(found), seconds


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
            found, seconds = fit_set(
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
