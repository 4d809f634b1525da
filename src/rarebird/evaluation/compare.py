"""Which remedies help on this data: each beside the same baseline, on the same splits with the same seeds, and what can be said of it.

Every remedy is one change of the baseline recipe. All are trained on the same parts of the training rows, repeated with other parts; the
steps that the baseline was laid out with hold for all. Differences are paired and judged by the corrected resampled t-test, many of them at
once by Holm's method (`rarebird.evaluation.paired`). The test rows take no part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarebird import methods
from rarebird.checks import DataError, nearest
from rarebird.data import split
from rarebird.data.applicability import applicable_methods
from rarebird.data.dataset import Dataset
from rarebird.evaluation import cross_validate, paired
from rarebird.evaluation.paired import Difference, Verdict
from rarebird.metrics import names
from rarebird.networks import Parts, bench_of
from rarebird.recipe import Recipe

# Slots whose methods are remedies that one may add to a recipe; a list grows, any other slot's method takes the place of the baseline's.
SLOTS = ("resampling", "batch_sampling", "augmentation", "loss", "regularization", "network", "reference", "calibration", "decision")
TOGETHER = "+"

Tell = Callable[[float, str], bool]


@dataclass(frozen=True)
class Row:
    """One remedy beside the baseline.

    Attributes:
        remedy: ``slot=method``, several joined by ``+``.
        value: Its mean over splits.
        difference: Remedy less baseline, turned so that larger is better.
        verdict: What that says among all comparisons.
        why: Why it could not be judged; empty where it was.
    """

    remedy: str
    value: float
    difference: Difference
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """What a comparison says.

    Attributes:
        metric: What was compared.
        baseline: The baseline's mean over splits.
        rows: One per remedy, as asked.
        splits: Folds times repeats.
        recipe: The baseline, with its steps laid out.
    """

    metric: str
    baseline: float
    rows: Sequence[Row]
    splits: int
    recipe: Recipe

    def for_machines(self) -> dict[str, Any]:
        """Per remedy its difference, interval and verdict."""
        return {
            "metric": self.metric,
            "baseline": self.baseline,
            "splits": self.splits,
            "remedies": {row.remedy: _plain(row) for row in self.rows},
        }

    def to_text(self) -> str:
        """A table for a person, the surest gains first."""
        width = max((len(row.remedy) for row in self.rows), default=6)
        head = f"{self.metric} of the baseline: {self.baseline:.3f}, mean of {self.splits} splits. Differences, with 95 % intervals:"
        lines = [f"  {row.remedy:<{width}}  {_shown(row)}" for row in sorted(self.rows, key=lambda row: -_known(row.difference.mean))]
        finest = min((row.difference.detectable for row in self.rows), default=float("inf"))
        tail = f"The smallest effect that these splits would have shown four times in five: {finest:.3f}."
        return "\n".join([head, *lines, tail])


def remedies(asked: str, train: Dataset, baseline: Recipe) -> list[str]:
    """The remedies that a user asked for.

    Args:
        asked: ``all`` that apply to the data, or names separated by commas, ``focal``, ``loss=focal``, ``smote+focal``.
        train: Training rows.
        baseline: What they are added to; what it holds already is no remedy.

    Raises:
        DataError: There is no such remedy for this kind of data.
    """
    held = {(slot, type(method).name) for slot, method in baseline.methods()}
    known = [(slot, name) for slot in SLOTS for name in methods.names(slot, train.kind)]
    if asked == "all":
        applying = {(found.slot, found.method) for found in applicable_methods(train)}
        return [
            f"{slot}={name}" for slot, name in known if (slot, name) in applying and (slot, name) not in held and _stands_alone(slot, name)
        ]
    return [TOGETHER.join(_named(part.strip(), known) for part in remedy.split(TOGETHER)) for remedy in asked.split(",")]


def compare(
    baseline: Recipe,
    train: Dataset,
    wanted: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 3,
    metric: str | None = None,
    positive: str | None = None,
    deadline: float | None = None,
    device: str = "cpu",
    tell: Tell = lambda progress, what: False,
) -> Comparison:
    """Judge each remedy beside the baseline.

    Args:
        baseline: The recipe without remedies.
        train: Training rows; no test row is among them.
        wanted: Remedies as `remedies` gives them.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds.
        metric: What is compared; None: the recipe's.
        positive: Of two classes, the one that precision and recall speak of.
        deadline: When all should be done, on the scale of `time.monotonic`; None: the recipe's own steps or epochs.
        device: A torch device.
        tell: Told of the progress; True from it ends the comparison with the splits that are done.

    Raises:
        DataError: The baseline cannot be trained on these rows.
    """
    metric = metric or baseline.metric
    sign = 1.0 if names.metric(metric, train.classes).larger_is_better else -1.0
    recipes = {remedy: with_remedy(baseline, remedy) for remedy in wanted}
    total = repeats * (1 + len(wanted))
    scores: dict[str, list[np.ndarray]] = {remedy: [] for remedy in ("", *wanted)}
    failed: dict[str, str] = {}
    done, stopped = 0, False
    for repeat in range(repeats):
        seed = baseline.seed + repeat
        parts: Parts = split.parts(train, split.decide(train, folds=folds), seed)
        if repeat == 0 and deadline is not None:
            baseline = _laid_out(baseline, train, parts, deadline, total, device)
        for remedy in ("", *wanted):
            stopped = stopped or tell(done / total, f"split {repeat + 1} of {repeats}, {remedy or 'baseline'}")
            if stopped:
                break
            done += 1
            if remedy in failed:
                continue
            recipe = (recipes[remedy] if remedy else baseline).updated(seed=seed, steps=baseline.steps, precision=baseline.precision)
            try:
                judged = cross_validate.judge(recipe, train, parts, positive=positive, device=device)
            except DataError as error:
                if not remedy:
                    raise
                failed[remedy] = str(error)
                continue
            scores[remedy].append(sign * judged.values(metric, train, positive))
    return _compared(metric, sign, scores, wanted, failed, folds, baseline)


def with_remedy(baseline: Recipe, remedy: str) -> Recipe:
    """The baseline with one remedy, or several joined by ``+``: lists grow, and other slots change their method."""
    recipe = baseline
    for part in remedy.split(TOGETHER):
        slot, _, name = part.partition("=")
        method = methods.build(slot, {"name": name})
        standing = getattr(recipe, slot)
        recipe = recipe.updated(**{slot: (*standing, method) if isinstance(standing, tuple) else method})
    return recipe


def _compared(
    metric: str,
    sign: float,
    scores: Mapping[str, Sequence[np.ndarray]],
    wanted: Sequence[str],
    failed: Mapping[str, str],
    folds: int,
    baseline: Recipe,
) -> Comparison:
    first = np.concatenate(scores[""]) if scores[""] else np.zeros(0)
    differences = []
    for remedy in wanted:
        own = np.concatenate(scores[remedy]) if scores[remedy] and remedy not in failed else np.zeros(0)
        n = min(len(own), len(first))
        differences.append(paired.corrected(own[:n] - first[:n], 1 / (folds - 1)))
    rows = [
        Row(remedy, sign * _mean(scores[remedy]), difference, verdict, failed.get(remedy, ""))
        for remedy, difference, verdict in zip(wanted, differences, paired.verdicts(differences), strict=True)
    ]
    return Comparison(metric, sign * _mean(scores[""]), rows, len(first), baseline)


def _laid_out(baseline: Recipe, train: Dataset, parts: Parts, deadline: float, total: int, device: str) -> Recipe:
    """The baseline with as many steps as let all trainings end in time, measured on it."""
    fit, held = parts[0]
    bench = bench_of(baseline, train.take(fit), train.take(held), 0, device)
    left = max(deadline - time.monotonic(), 0.0)
    return bench.lay_out(time.monotonic() + left / total, len(parts))


def _named(part: str, known: Sequence[tuple[str, str]]) -> str:
    slot, equals, name = part.partition("=")
    serving = [(one, method) for one, method in known if (method == name and one == slot if equals else method == part)]
    if not serving:
        raise DataError(f"There is no remedy {part!r} for this data; {nearest(name if equals else part, [method for _, method in known])}")
    return f"{serving[0][0]}={serving[0][1]}"


def _stands_alone(slot: str, name: str) -> bool:
    """Whether a method is a remedy by itself: it has defaults for every setting, and needs no stage of its own."""
    method = methods.load(slot, name)
    return all(not field.is_required() for field in method.model_fields.values()) and not getattr(method, "on_features", False)


def _mean(values: Sequence[np.ndarray]) -> float:
    known = np.concatenate(values) if values else np.zeros(0)
    return float(np.nanmean(known)) if np.isfinite(known).any() else float("nan")


def _plain(row: Row) -> dict[str, Any]:
    difference = row.difference
    figures = {"difference": difference.mean, "low": difference.low, "high": difference.high, "detectable": difference.detectable}
    plain = {name: value if np.isfinite(value) else None for name, value in figures.items()}
    return {**plain, "verdict": row.verdict, **({"why": row.why} if row.why else {})}


def _known(value: float) -> float:
    return value if np.isfinite(value) else float("-inf")


def _shown(row: Row) -> str:
    if row.why:
        return f"not judged: {row.why}"
    return f"{row.difference.mean:+.3f} [{row.difference.low:+.3f}, {row.difference.high:+.3f}]  {row.verdict}"
