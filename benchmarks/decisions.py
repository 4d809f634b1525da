"""Whether promises hold: floors of decisions, coverage of sets and intervals, and priors that are estimated.

    python benchmarks/decisions.py floors|sets|intervals            simulated: 200 draws of small skewed data
    python benchmarks/decisions.py thresholds --data TABLES         against scikit-learn's tuned threshold, 20 splits
    python benchmarks/decisions.py priors --data TABLES             test rows of mammography, resampled to other priors

Simulated data have 150 to 2000 rows, 2 to 6 classes and the shares of a skewed draw; a logistic regression per fold is
the model, and 20,000 new rows of the same kind judge. `docs/decisions.md` has the figures.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import KFold, StratifiedKFold, StratifiedShuffleSplit, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from rarebird.metrics.uncertainty import wilson
from rarebird.model.conformal import prediction_sets, value_intervals
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.slots import methods
from rarebird.slots.decisions import DecisionRows, Promise

DRAWS, NEW_ROWS, FOLDS = 200, 20_000, 5
FLOORS: tuple[dict[str, float], ...] = (
    {"precision": 0.5},
    {"recall": 0.8},
    {"recall": 0.95},
    {"specificity": 0.9},
    {"alerts": 100},
    {"recall": 0.7, "alerts": 300},
)


@dataclass(frozen=True, eq=False)
class Draw:
    """Held-out rows of a model, and new rows with its predictions.

    Attributes:
        held: Predictions of the fold models for the rows that they never saw.
        each: Predictions of each fold model for new rows.
        truth: ``(n,)`` of the new rows.
    """

    held: HeldOutRows
    each: list[np.ndarray]
    truth: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Predictions of the model for new rows."""
        return np.mean(self.each, axis=0)


def class_draws() -> Iterator[Draw]:
    """Small skewed data of 2 to 6 classes, each with a cross-fitted model."""
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        n, n_classes = int(np.exp(rng.uniform(np.log(150), np.log(2000)))), int(rng.integers(2, 7))
        shares = np.sort(rng.dirichlet(np.full(n_classes, 1.5)))[::-1] + 0.02
        shares /= shares.sum()
        centers = rng.normal(size=(n_classes, 5)) * rng.uniform(0.8, 1.6)

        def rows(size: int, rng: np.random.Generator = rng, shares: Any = shares, centers: Any = centers) -> Any:
            y = rng.choice(len(shares), size=size, p=shares)
            return rng.normal(size=(size, 5)) + centers[y], y

        x, y = rows(n)
        # Every fold must learn every class.
        y[: 5 * n_classes] = np.arange(5 * n_classes) % n_classes
        x[: 5 * n_classes] = rng.normal(size=(5 * n_classes, 5)) + centers[y[: 5 * n_classes]]
        new, truth = rows(NEW_ROWS)
        yield cross_fit_classes(x, y, new, truth, LogisticRegression(max_iter=1000), seed)


def cross_fit_classes(x: Any, y: np.ndarray, new: Any, truth: np.ndarray, model: Any, seed: int) -> Draw:
    """A model per fold, whose held-out probabilities are kept."""
    outputs = np.empty((len(y), int(y.max()) + 1))
    member, each = np.empty(len(y), dtype=np.int64), []
    for place, (learned, held) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y)):
        fitted = model.fit(x[learned], y[learned])
        outputs[held], member[held] = fitted.predict_proba(x[held]), place
        each.append(fitted.predict_proba(new))
    return Draw(HeldOutRows(outputs, y, np.ones(len(y)), member=member), each, truth)


def decided(draw: Draw, settings: dict[str, Any]) -> Any:
    """A fitted decision."""
    held = draw.held
    prior = np.bincount(held.y, minlength=held.outputs.shape[1]) / len(held)
    method: Any = methods.build("decision", settings)
    return method.fit(DecisionRows(held.outputs, held.y, held.weight, lambda *_: 0.0, prior))


def holds(promise: Promise, labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a promise holds on new rows."""
    code = int(promise.label)
    called, is_class, level = labels == code, truth == code, promise.level or 0.0
    if promise.figure == "alerts":
        return bool(called.mean() <= level)
    among, hit = {
        "precision": (called, is_class),
        "recall": (is_class, called),
        "specificity": (~is_class, ~called),
    }[promise.figure]
    return bool(not among.any() or hit[among].mean() >= level)


def floors() -> None:
    """How often promised floors hold, and how often they can be promised."""
    draws = list(class_draws())
    print("| floors, confidence .9 | promised in | all hold in | nearest holds in |")
    print("|---|---|---|---|")
    for asked in FLOORS:
        kept, nearest = [], []
        for draw in draws:
            fitted = decided(draw, {"name": "constrained", **asked})
            found = [holds(one, fitted(draw.mean), draw.truth) for one in fitted.promises if one.level is not None]
            (kept if all(one.is_kept for one in fitted.promises) else nearest).append(all(found))
        named = ", ".join(f"{name} {value:g}" for name, value in asked.items())
        print(f"| {named} | {len(kept)} of {len(draws)} | {share(kept)} | {share(nearest)} |")


def share(hits: list[bool]) -> str:
    """A share with its 95 % interval."""
    if not hits:
        return "–"
    low, high = wilson(float(np.mean(hits)), len(hits))
    return f"{np.mean(hits):.3f} [{float(low):.2f}, {float(high):.2f}]"


def sets() -> None:
    """Coverage of class-conditional sets on new rows, by the number of held-out rows of the class."""
    found: list[tuple[int, str, float, float]] = []
    for draw in class_draws():
        made = prediction_sets(draw.held, draw.each, 0.9)
        covered = made.members[np.arange(len(draw.truth)), draw.truth]
        for code, basis in enumerate(made.basis):
            mine = draw.truth == code
            found.append((made.rows[code], basis, covered[mine].mean(), made.members[mine].sum(axis=1).mean()))
    print("| held-out rows of the class | basis | classes | mean coverage | standard error | below .85 | mean size |")
    print("|---|---|---|---|---|---|---|")
    for low, high in ((0, 9), (9, 20), (20, 50), (50, 150), (150, 2001)):
        for basis in ("own rows", "small classes together", "always in the set"):
            part = np.array([(c, s) for rows, of, c, s in found if low <= rows < high and of == basis])
            if len(part):
                error = part[:, 0].std() / np.sqrt(len(part))
                mean, size, below = *part.mean(axis=0), (part[:, 0] < 0.85).mean()
                text = f"{len(part)} | {mean:.3f} | {error:.3f} | {below:.2f} | {size:.2f}"
                print(f"| {low} to {high - 1} | {basis} | {text} |")


def intervals() -> None:
    """Coverage of intervals of predicted numbers whose errors grow with the number."""
    print("| coverage | rows | draws | mean coverage | standard error | largest errors (a tenth) | there, same width |")
    print("|---|---|---|---|---|---|---|")
    for coverage in (0.8, 0.9):
        found = [_value_draw(seed, coverage) for seed in range(DRAWS)]
        for low, high in ((150, 400), (400, 2001)):
            part = np.array([row[1:] for row in found if low <= row[0] < high])
            error = part[:, 0].std() / np.sqrt(len(part))
            mean, largest, constant = part.mean(axis=0)
            rows = f"{low} to {high - 1} | {len(part)} | {mean:.3f} | {error:.3f}"
            print(f"| {coverage:g} | {rows} | {largest:.3f} | {constant:.3f} |")


def _value_draw(seed: int, coverage: float) -> tuple[int, float, float, float]:
    """Rows, coverage, and coverage where errors are largest: with the interval, and with one width for all."""
    rng = np.random.default_rng(seed)
    n, weights, tail = int(np.exp(rng.uniform(np.log(150), np.log(2000)))), rng.normal(size=5), rng.uniform(0.1, 0.6)

    def rows(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = rng.normal(size=(size, 5))
        mean = np.exp(0.5 * x @ weights / np.linalg.norm(weights) + 1)
        return x, mean + tail * mean * rng.standard_t(5, size), tail * mean

    (x, y, _), (new, truth, size) = rows(n), rows(NEW_ROWS // 10)
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(1.0))
    outputs, member, each = np.empty((n, 1)), np.empty(n, dtype=np.int64), []
    for place, (learned, held) in enumerate(KFold(FOLDS, shuffle=True, random_state=seed).split(x)):
        fitted = model.fit(x[learned], y[learned])
        outputs[held, 0], member[held] = fitted.predict(x[held]), place
        each.append(fitted.predict(new)[:, None])
    low, high = value_intervals(HeldOutRows(outputs, y, np.ones(n), member=member), each, coverage).T
    hit, largest = (low <= truth) & (truth <= high), size >= np.quantile(size, 0.9)
    width = np.quantile(np.abs(y - outputs[:, 0]), coverage)
    same = np.abs(truth - np.mean(each, axis=0)[:, 0]) <= width
    return n, hit.mean(), hit[largest].mean(), same[largest].mean()


def thresholds(data: Path) -> None:
    """Floors on new rows: ours against scikit-learn's tuned threshold, with the same classifier and folds."""
    print(
        "| data | floor | ours holds in | scikit-learn's holds in | ours, mean of the other figure | scikit-learn's |"
    )
    print("|---|---|---|---|---|---|")
    for name in ("mammography", "adult", "abalone"):
        x, y = table(data, name)
        for figure, floor in (("precision", 0.5 if name != "abalone" else 0.1), ("recall", 0.8)):
            rows = [_compare(x, y, figure, floor, seed) for seed in range(20)]
            ours, theirs = ([row[place] for row in rows] for place in (0, 1))
            means = [np.mean([pair[1] for pair in side]) for side in (ours, theirs)]
            texts = [share([pair[0] for pair in side]) for side in (ours, theirs)]
            print(f"| {name} | {figure} {floor:g} | {texts[0]} | {texts[1]} | {means[0]:.3f} | {means[1]:.3f} |")


def table(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a table as numbers, and whether each is of the rarer class."""
    parts = [pd.read_csv(data / f"{name}.{part}.csv") for part in ("train", "test")]
    frame = pd.concat(parts, ignore_index=True)
    target = frame.pop("target").astype(str)
    rare = target.value_counts().idxmin()
    numbers = pd.get_dummies(frame).astype(float)
    return numbers.fillna(numbers.median()).to_numpy(), (target == rare).to_numpy().astype(int)


def _compare(x: np.ndarray, y: np.ndarray, figure: str, floor: float, seed: int) -> Any:
    """For each side, whether the floor holds on new rows, and the other figure there."""
    learn, judge = next(StratifiedShuffleSplit(1, train_size=2000, random_state=seed).split(x, y))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    draw = cross_fit_classes(x[learn], y[learn], x[judge], y[judge], model, seed)
    ours = decided(draw, {"name": "constrained", figure: floor})(draw.mean)
    tuned = TunedThresholdClassifierCV(
        model,
        scoring=scorer(figure, floor),
        cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
        thresholds=300,
    )
    theirs = tuned.fit(x[learn], y[learn]).predict(x[judge])
    return [_judged(labels, y[judge], figure, floor) for labels in (ours, theirs)]


def scorer(figure: str, floor: float) -> Any:
    """The other figure where the floor holds; below it, how far it is missed."""

    def score(y: np.ndarray, labels: np.ndarray) -> float:
        reached = rates(labels, y)
        other = "recall" if figure == "precision" else "precision"
        return reached[other] if reached[figure] >= floor else reached[figure] - floor

    return make_scorer(score)


def rates(labels: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Precision and recall of the rarer class."""
    hits = float(((labels == 1) & (y == 1)).sum())
    return {"precision": hits / max(float((labels == 1).sum()), 1.0), "recall": hits / max(float((y == 1).sum()), 1.0)}


def _judged(labels: np.ndarray, y: np.ndarray, figure: str, floor: float) -> tuple[bool, float]:
    reached = rates(labels, y)
    return reached[figure] >= floor, reached["recall" if figure == "precision" else "precision"]


def priors(data: Path) -> None:
    """Estimated priors of mammography's test rows, resampled, against a count of labels."""
    from rarebird.data.dataset import Splits
    from rarebird.evaluation.deployment_prior import estimated_prior
    from rarebird.experiment.run import run
    from rarebird.metrics.calibration import log_loss
    from rarebird.readers import read
    from rarebird.readers.options import ReadOptions
    from rarebird.recipe.defaults import default_recipe

    train, test = (read(data / f"mammography.{part}.csv", ReadOptions()).train for part in ("train", "test"))

    outcome = run(default_recipe(train).updated(steps=200), Splits(train, test=test), device="cpu")
    model, rows = outcome.model, outcome.test_rows
    assert rows is not None
    positive = model.classes.index("rare")
    y = rows.rows.codes
    each = model.member_outputs(rows.rows)
    print(
        "| prior | rows | EM, median error | black box | count of labels | log loss: estimated, true | interval holds |"
    )
    print("|---|---|---|---|---|---|---|")
    for prior in (0.005, 0.01, 0.03, 0.1, 0.2, 0.3):
        errors, losses, inside = [], [], []
        for seed in range(50):
            rng = np.random.default_rng(seed)
            drawn_class = rng.random(1000) < prior
            chosen = np.where(
                drawn_class,
                rng.choice(np.flatnonzero(y == positive), 1000),
                rng.choice(np.flatnonzero(y != positive), 1000),
            )
            p = rows.outputs[chosen]
            found = estimated_prior(model, [one[chosen] for one in each])
            counted = (p.argmax(axis=1) == positive).mean()
            errors.append([abs(one - prior) for one in (found.prior[positive], found.check[positive], counted)])
            inside.append(bool(found.low[positive] <= prior <= found.high[positive]))
            stated = np.where(np.arange(2) == positive, prior, 1 - prior)
            losses.append(
                [float(log_loss(y[chosen], _moved(p, model.prior, to), np.ones(1000))) for to in (found.prior, stated)]
            )
        em, box, count = np.median(errors, axis=0)
        mine, best = np.mean(losses, axis=0)
        print(f"| {prior:g} | 1000 | {em:.4f} | {box:.4f} | {count:.4f} | {mine:.4f}, {best:.4f} | {share(inside)} |")


def _moved(p: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    moved = p * after / before
    return moved / moved.sum(axis=1, keepdims=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("floors", "sets", "intervals", "thresholds", "priors"))
    parser.add_argument("--data", type=Path, default=Path("data"), help="Folder with NAME.train.csv and NAME.test.csv.")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    if arguments.what in ("thresholds", "priors"):
        {"thresholds": thresholds, "priors": priors}[arguments.what](arguments.data)
    else:
        {"floors": floors, "sets": sets, "intervals": intervals}[arguments.what]()


if __name__ == "__main__":
    main()
