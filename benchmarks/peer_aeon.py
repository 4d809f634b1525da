"""aeon's MultiRocketHydraClassifier on the sets of series, and its transforms' speed beside ours.

    python -P benchmarks/peer_aeon.py [NAME ...] [--data ../shared/data]     in an environment that has aeon
    python -P benchmarks/peer_aeon.py --transforms [--rows 500 --steps 500]

Prints accuracy, balanced accuracy, the log loss of softmaxed decision scores (the classifier has no probabilities), and
seconds. With ``--transforms``, seconds and features of MultiRocket and Hydra in aeon and here, on one thread, on the
same random walks, one after the other; both are compiled (numba) before the clock starts. ``-P`` keeps this
folder off the path, where `coverage.py` would hide the library of that name, which numba imports. aeon is not needed by
this project: install it into an environment of its own (``pip install aeon torch``).
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """``(n, channels, length)`` series and their labels."""
    if path.suffix == ".ts":
        from aeon.datasets import load_from_ts_file

        values, y = load_from_ts_file(str(path))
        return np.asarray(values), np.asarray(y)
    table = np.loadtxt(path, delimiter="\t")
    return table[:, None, 1:], table[:, 0].astype(int).astype(str)


def classify(path: Path, seed: int) -> str:
    from aeon.classification.convolution_based import MultiRocketHydraClassifier

    (x, y), (x_test, y_test) = read(path), read(path.with_name(path.name.replace("_TRAIN", "_TEST")))
    start = time.monotonic()
    model: Any = MultiRocketHydraClassifier(random_state=seed).fit(x, y)
    blocks = [
        np.concatenate(
            [
                model._scale_hydra.transform(model._transform_hydra.transform(part)),
                model._scale_multirocket.transform(model._transform_multirocket.transform(part)),
            ],
            axis=1,
        )
        for part in np.array_split(x_test, max(1, len(x_test) // 500))
    ]
    scores = np.concatenate([model.classifier.decision_function(block) for block in blocks])
    scores = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
    seconds = time.monotonic() - start
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    labels = model.classifier.classes_[p.argmax(axis=1)]
    loss = log_loss(y_test, p, labels=model.classifier.classes_)
    return (
        f"accuracy {accuracy_score(y_test, labels):.3f}  balanced {balanced_accuracy_score(y_test, labels):.3f}  "
        f"log loss {loss:.3f}  {seconds:.1f} s"
    )


def transforms(rows: int, steps: int) -> None:
    from aeon.transformations.collection.convolution_based import HydraTransformer, MultiRocket

    from rarebird.methods.network._hydra import HydraBank
    from rarebird.methods.network._multirocket import MultiRocketBank

    torch.set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(rows, 1, steps)).astype(np.float32).cumsum(axis=2)
    x = (x - x.mean(axis=2, keepdims=True)) / x.std(axis=2, keepdims=True)
    values, lengths = torch.from_numpy(x), torch.full((rows,), steps)
    differences = torch.nn.functional.pad(values.diff(dim=2), (1, 0))
    theirs = MultiRocket(random_state=0, n_jobs=1).fit(x)
    theirs.transform(x[:4])
    mine = [MultiRocketBank(1, steps, 6250), MultiRocketBank(1, steps, 6250)]
    for bank, shown in zip(mine, (values, differences), strict=True):
        bank.fit(shown, lengths, torch.ones(rows))
    hydra = HydraTransformer(random_state=0, n_jobs=1).fit(x)
    groups = [HydraBank(1, steps, 32, 8), HydraBank(1, steps, 32, 8)]
    both = list(zip(mine, (values, differences), strict=True))
    two = list(zip(groups, (values, differences), strict=True))
    for name, work in (
        ("MultiRocket, aeon", lambda: theirs.transform(x).shape[1]),
        ("MultiRocket, here", lambda: sum(bank(shown, lengths).shape[1] for bank, shown in both)),
        ("Hydra, aeon", lambda: hydra.transform(x).shape[1]),
        ("Hydra, here", lambda: sum(bank(shown, lengths).shape[1] for bank, shown in two)),
    ):
        # The seconds of this process's one thread: another one on the same core takes none of them.
        start = time.process_time()
        features = work()
        seconds = time.process_time() - start
        print(
            f"{name:<18} {features:>6} features {seconds:7.2f} s  {rows * features / seconds:,.0f} features/s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--transforms", action="store_true")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.transforms:
        transforms(arguments.rows, arguments.steps)
        return
    for train in sorted((arguments.data / "series").glob("*_TRAIN.*")):
        name = train.name.partition("_TRAIN")[0]
        if not arguments.names or name in arguments.names:
            try:
                found = classify(train, 0)
            except ValueError as error:  # missing steps, or series of several lengths
                found = f"refused: {error}"
            print(f"{name:<30} {found}", flush=True)


if __name__ == "__main__":
    main()
