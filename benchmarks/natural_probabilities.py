"""Are probabilities those under the natural prior where a remedy changed the prior of the training? Log loss and
calibration error beside those of cross entropy.

    python benchmarks/natural_probabilities.py [NAME ...] [--budget 40 | --steps 600] [--seeds 0 1 2] [--data
    ../shared/data]

Every fit is `rarebird fit` with the default recipe and one setting changed, and all are scored on the same test rows:
the table's own; for `pneumoniamnist` a fifth of its training rows, which no training sees (its own test patients have
another prior). Prints the medians over seeds and their differences from cross entropy's; asked: at most .01 in both.
Nothing is asserted: read the table.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from fitting import fit, test_metrics

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
PLAIN = ("loss=cross_entropy",)
REMEDIES: dict[str, dict[str, tuple[str, ...]]] = {
    "table": {
        "cross entropy": PLAIN,
        "random over-sampling": (*PLAIN, "resampling=random_over"),
        "random under-sampling": (*PLAIN, "resampling=random_under"),
        "SMOTE": (*PLAIN, "resampling=smote"),
        "balanced class weights": ("loss=weighted",),
        "logit adjustment": ("loss=logit_adjusted",),
        "class-balanced batches": (*PLAIN, "batch_sampling=class_balanced"),
    },
    "image": {
        "cross entropy": PLAIN,
        "random over-sampling": (*PLAIN, "resampling=random_over"),
        "balanced class weights": ("loss=weighted",),
        "logit adjustment": ("loss=logit_adjusted",),
        "class-balanced batches": (*PLAIN, "batch_sampling=class_balanced"),
    },
}
FIGURES = ("log_loss", "expected_calibration_error", "balanced_accuracy", "average_precision")


def files(name: str, data: Path, folder: Path) -> tuple[Path, Path, str]:
    """Training file, test file and kind of a data set."""
    if name != "pneumoniamnist":
        return data / "tables" / f"{name}.train.csv", data / "tables" / f"{name}.test.csv", "table"
    with np.load(data / "images" / "pneumoniamnist.npz") as arrays:
        x, y = arrays["train_images"], arrays["train_labels"].ravel()
    held = np.random.default_rng(0).permutation(len(y)) < len(y) // 5
    for part, rows in (("train", ~held), ("test", held)):
        np.savez(folder / f"{part}.npz", X=x[rows], y=y[rows])
    return folder / "train.npz", folder / "test.npz", "image"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["mammography", "adult", "pneumoniamnist"])
    parser.add_argument("--budget", type=int, default=40)
    parser.add_argument(
        "--steps", type=int, help="of each network, instead of a budget; independent of the machine's load"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, default=SHARED)
    arguments = parser.parse_args()
    length = ["--budget", f"{arguments.budget}s"] if arguments.steps is None else ["--steps", str(arguments.steps)]
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            train, test, kind = files(name, arguments.data, Path(folder))
            plain: dict[str, float] = {}
            for remedy, settings in REMEDIES[kind].items():
                runs = [
                    test_metrics(fit(train, test, *length, "--seed", str(seed), settings=settings)[0])
                    for seed in arguments.seeds
                ]
                medians = {figure: statistics.median(run[figure] for run in runs) for figure in FIGURES}
                plain = plain or medians
                shown = "  ".join(
                    f"{figure} {value:.4f} ({value - plain[figure]:+.4f})" for figure, value in medians.items()
                )
                print(f"{name:15}{remedy:24}{shown}", flush=True)


if __name__ == "__main__":
    main()
