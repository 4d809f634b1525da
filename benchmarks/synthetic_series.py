"""Made series of rare classes over real ones, beside real test series that no generator met.

    python benchmarks/synthetic_series.py [diffusion gan vae] [--steps N] [--gate] [--data FILE] [--out FOLDER]

For each method and class of at least five training rows: the share of made series that extremely randomized trees,
which learned from the real test rows, name as the asked class, beside that of the real training rows; how well such
trees tell made from real test rows of the class, cross-validated (0.5: not at all; 1: always); and the median distance
to the nearest training row of the class, of made and of real test rows (much smaller than real: copies; much larger:
not of the class). FOLDER gets a figure per method: made series of the rare classes over the real training rows; with
``--gate`` the gate's figures against the real test rows of the class stand below them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.data.row_counts import counted
from rarebird.methods.synthesis import _gate
from rarebird.methods.synthesis._usefulness import Judged
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.slots import methods
from rarebird.slots.gate_verdict import ClassVerdict
from rarebird.slots.synthetic_rows import Generated

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "series"
LEAST, ROWS, RARE, SHOWN = 5, 150, 30, 12
# Figures of the gate below a picture: name, short words.
TOLD = {"tree_area": "trees", "energy": "energy", "nearness": "nearness", "coverage": "coverage"}


def cells(rows: Dataset) -> np.ndarray:
    """``(n, channels * length)``, 0 where values are missing."""
    values, _ = rows.raw()
    return np.nan_to_num(values.reshape(len(values), -1))


def nearest(first: np.ndarray, second: np.ndarray) -> float:
    """Median distance of rows to the nearest other row."""
    return float(np.median([np.sqrt(((row - second) ** 2).sum(axis=1)).min() for row in first]))


def told_apart(made: np.ndarray, real: np.ndarray) -> float:
    """Area under the curve of trees that tell made from real rows, of as many of each."""
    n = min(len(made), len(real))
    both, is_made = np.concatenate([made[:n], real[:n]]), np.repeat([1, 0], n)
    trees = ExtraTreesClassifier(200, random_state=0)
    found = cross_val_predict(trees, both, is_made, cv=min(5, n), method="predict_proba")[:, 1]
    return float(roc_auc_score(is_made, found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["diffusion", "gan", "vae"], metavar="METHOD")
    parser.add_argument("--data", type=Path, default=SHARED / "ECG5000_TRAIN.tsv")
    parser.add_argument("--steps", type=int, help="of the generators; default: their own")
    parser.add_argument("--gate", action="store_true", help="give the gate's figures of the rare classes")
    parser.add_argument("--out", type=Path, default=Path("."))
    arguments = parser.parse_args()
    train = read(arguments.data, ReadOptions(kind="series")).train
    test_file = arguments.data.with_name(arguments.data.name.replace("_TRAIN", "_TEST"))
    test = read(test_file, ReadOptions(kind="series")).train.aligned(train.classes)
    trees = ExtraTreesClassifier(200, class_weight="balanced", random_state=0).fit(cells(test), test.codes)
    counts = cast("np.ndarray", train.class_counts)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        settings: dict[str, Any] = {"name": name} | ({"steps": arguments.steps} if arguments.steps else {})
        method: Any = methods.build("synthesis", settings)
        start = time.process_time()
        fitted = method.fit(train, Compute(), np.random.default_rng(0))
        print(f"\n{name}: {method.steps} steps, {time.process_time() - start:.0f} s of one core")
        print("   class  rows  named: made, real  told apart  nearest: made, real")
        shown = []
        rare = np.flatnonzero((counts >= LEAST) & (counts <= RARE)).tolist() if arguments.gate else []
        told = [against_test_rows(fitted, train, test, code) for code in rare]
        for code in np.flatnonzero(counts >= LEAST):
            new = fitted.sample(int(code), ROWS, np.random.default_rng(int(code)))
            own, other = cells(train.take(train.codes == code)), cells(test.take(test.codes == code))[:ROWS]
            made = cells(new)
            named = [float(np.mean(trees.predict(rows) == code)) for rows in (made, own)]
            near = (nearest(made, own), nearest(other, own))
            line = f"{named[0]:>13.2f}, {named[1]:.2f}{told_apart(made, other):>12.2f}{near[0]:>15.2f}, {near[1]:.2f}"
            print(f"{train.classes[code]:>8}{counts[code]:>6}{line}", flush=True)
            if counts[code] <= RARE:
                shown.append((train.classes[code], own, made))
        print("".join(f"    {one.label}: {one.reason}\n" for one in told), end="", flush=True)
        drawn(shown, train, {one.label: caption(one) for one in told}).savefig(arguments.out / f"{name}.png", dpi=80)


def against_test_rows(fitted: Generated, train: Dataset, test: Dataset, code: int) -> ClassVerdict:
    """The gate's verdict on the rows of a class, with test rows in the place of training rows that it would set
    aside: a rare class has many more of them here."""
    pool, judged, draw = _gate.Pool(), Judged(), np.random.default_rng(0)
    _gate._compared(pool, judged, fitted, _gate.Rows(counted(train), counted(test), code, 1.0), draw)
    return _gate._verdict(train.classes[code], pool, judged, draw)


def caption(verdict: ClassVerdict) -> str:
    """The verdict and some figures, each with the range of real rows."""
    figures = {one.name: one for one in verdict.figures}
    parts = [
        f"{words} {one.value:.2f} ({one.low:.2f} to {one.high:.2f})"
        for name, words in TOLD.items()
        if (one := figures.get(name)) is not None
    ]
    first = f"gate, {verdict.rows} rows: {'passes' if verdict.passes else 'rejected'}; in brackets: real rows"
    return "\n".join([first, *(", ".join(parts[place : place + 2]) for place in range(0, len(parts), 2))])


def drawn(shown: list[tuple[str, np.ndarray, np.ndarray]], train: Dataset, captions: dict[str, str]) -> Figure:
    """Made series over the training rows of each class, the channels one after the other."""
    figure = Figure(figsize=(5 * max(len(shown), 1), 3.2), layout="constrained")
    for place, (label, own, made) in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), place + 1)
        axes.plot(own.T, color="0.6", linewidth=0.8)
        axes.plot(made[:SHOWN].T, color="#d55e00", linewidth=0.8, alpha=0.7)
        axes.set_title(f"{train.target} {label}: {len(own)} real (gray), {SHOWN} made")
        axes.set_xlabel(captions.get(label, ""), fontsize=8)
    return figure


if __name__ == "__main__":
    main()
