"""The long-tail literature's ranking with one small fixed recipe: which remedies beat cross entropy, by the argmax of
the raw logits.

    python benchmarks/long_tail.py [NAME ...] [--data fashion_lt100.npz] [--steps 1500] [--seeds 0 1 2]

Every row of the table trains the same residual network (SGD with Nesterov momentum, the same number of steps) and
differs in one remedy. The first column is the balanced accuracy of the raw logits' argmax, as the papers report it. The
second is that of rarebird's own way: probabilities corrected to the natural prior and calibrated on held-out rows, then
the balanced decision. The test rows are scored with the last weights. Nothing is asserted: read the table.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from rarebird.experiment.run import run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe
from rarebird.training.inference import logits

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
# The recipe without the remedy: the literature's settings, scaled down to a few minutes on two cores.
BASE: dict[str, Any] = {
    "kind": "image",
    "batch_size": 128,
    "folds": 0,
    "precision": "bfloat16",
    "channels_last": True,
    "network": {"name": "resnet", "width": 8},
    "optimizer": {"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4},
    "schedule": {"name": "cosine"},
    "augmentation": ["horizontal_flip", {"name": "translate", "fraction": 0.12, "fill": "zero"}],
    "calibration": ["prior_correction", "class_scale_bias"],
    "decision": "balanced",
}
MIXUP = [*BASE["augmentation"], {"name": "mixup", "alpha": 1.0}]
ROWS: dict[str, dict[str, Any]] = {
    "cross entropy": {},
    "class weights from step 0": {"loss": {"name": "weighted", "scheme": "balanced"}},
    "focal": {"loss": "focal"},
    "cross entropy, deferred weights": {"stages": "deferred"},
    "balanced softmax": {"loss": "balanced_softmax"},
    "logit adjustment": {"loss": "logit_adjusted"},
    "LDAM, deferred weights": {"loss": "ldam", "stages": "deferred"},
    "mixup": {"augmentation": MIXUP},
    "mixup, deferred weights": {"augmentation": MIXUP, "stages": "deferred"},
    "classifier re-training": {"stages": "crt"},
    "tau-normalized": {"stages": "tau_normalized"},
}


def scores(name: str, data: Any, steps: int, seed: int) -> tuple[float, float]:
    """Balanced accuracy of the raw logits' argmax, and of the balanced decision on calibrated probabilities."""
    recipe = Recipe(**{**BASE, **ROWS[name], "steps": steps, "seed": seed})
    outcome = run(recipe, data)
    test = outcome.splits.test
    (member,) = outcome.model.members
    raw = logits(member.network, member.prepared.inputs(test)).argmax(axis=1)
    decided = outcome.model.labels(outcome.model.outputs(test))
    return tuple(float(balanced_accuracy_score(test.codes, labels)) for labels in (raw, decided))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows of the table; default all: {', '.join(ROWS)}")
    parser.add_argument("--data", type=Path, default=SHARED / "fashion_lt100.npz")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    data = read(arguments.data, ReadOptions())
    what = f"{arguments.data.name}, {arguments.steps} steps of {BASE['batch_size']}, seeds {arguments.seeds}"
    print(f"{what}: mean (standard deviation)")
    print(f"{'':34}{'raw argmax':>16}{'balanced decision':>20}", flush=True)
    for name in arguments.names or ROWS:
        columns = np.array([scores(name, data, arguments.steps, seed) for seed in arguments.seeds]).T
        shown = [
            f"{values.mean():.3f} ({statistics.stdev(values) if len(values) > 1 else 0:.3f})" for values in columns
        ]
        print(f"{name:34}{shown[0]:>16}{shown[1]:>20}", flush=True)


if __name__ == "__main__":
    main()
