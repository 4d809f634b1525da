"""Label issues: rows whose out-of-fold probabilities contradict the given label, and how many labels of each class may
be wrong.

`find` needs only rows and probabilities, so it works for every run with out-of-fold probabilities. The method is
`rarebird.diagnostics.label_issues.confident_learning`. An issue is a row for a person to look at, not a label to change
unseen: where classes overlap, a right label may be the less probable one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, require, some
from rarebird.data.dataset import Dataset
from rarebird.diagnostics.label_issues import confident_learning
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.scoring import score
from rarebird.report.language.chosen import told
from rarebird.report.profile_text import aligned
from rarebird.report.wording import interval_text, value_text

# With fewer held-out rows of a class, networks cannot learn it, and their probabilities tell nothing about its labels.
FEW = 5
SHOWN = 10
# Balanced accuracy of the networks below which many suggestions are their own mistakes.
TRUSTED = 0.75


@dataclass(frozen=True)
class Row:
    """One row and its label.

    Attributes:
        place: Its position among the rows that were checked.
        given, suggested: Labels; the suggested one is the class that contradicts the given label, or else the most
            probable class.
        given_probability, suggested_probability: NaN if the row was never held out.
        score: How well the given label agrees with the prediction, 0..1; NaN if the label could not be judged.
        is_issue: Whether a person should look at the row.
    """

    place: int
    id: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float
    score: float
    is_issue: bool


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """The labels of a data set, ranked by how doubtful they are.

    Attributes:
        name: The data set's name.
        classes: Labels in the order of `counts`, `thresholds` and `estimated`.
        counts: ``(n_classes,)`` number of rows with each label.
        judged: ``(n_classes,)`` number of those rows whose label could be judged.
        thresholds: ``(n_classes,)`` mean probability of a label among the rows that have it; infinity for a class
            without judged rows.
        estimated: ``(n_classes, n_classes)`` estimated weight (number, without sample weights) of the judged rows of
            each given (row) and true (column) class.
        rows: All rows, the most doubtful first; those that could not be judged come last.
        notes: Sentences on how good the networks were, and on what was left out.
        balanced_accuracy: How well the networks find the given labels of the judged rows, classes counting alike.
    """

    name: str
    classes: tuple[str, ...]
    counts: np.ndarray
    judged: np.ndarray
    thresholds: np.ndarray
    estimated: np.ndarray
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    balanced_accuracy: Estimate = field(default_factory=lambda: Estimate(value=None))

    @property
    def issues(self) -> tuple[Row, ...]:
        """The rows to look at, the most doubtful first."""
        return tuple(row for row in self.rows if row.is_issue)

    @property
    def wrong(self) -> np.ndarray:
        """``(n_classes,)`` estimated weight of the rows of each given class whose label is wrong."""
        return np.asarray(self.estimated.sum(axis=1) - np.diag(self.estimated))

    def for_machines(self) -> dict[str, Any]:
        """Counts per class and per pair of classes, and every issue, as JSON holds them."""
        found = [row.given for row in self.issues]
        per_class = [
            {
                "class": label,
                "rows": int(n),
                "judged": int(judged),
                "issues": found.count(label),
                "estimated_wrong": round(float(wrong), 3),
            }
            for label, n, judged, wrong in zip(self.classes, self.counts, self.judged, self.wrong, strict=True)
        ]
        pairs = [
            {
                "given": self.classes[given],
                "true": self.classes[true],
                "estimated": round(float(self.estimated[given, true]), 3),
            }
            for given, true in np.argwhere(self.estimated > 0)
            if given != true
        ]
        return {
            "name": self.name,
            "n": len(self.rows),
            "n_judged": int(self.judged.sum()),
            "n_issues": len(found),
            "estimated_wrong": round(float(self.wrong.sum()), 3),
            "balanced_accuracy": self.balanced_accuracy.model_dump(mode="json"),
            "per_class": per_class,
            "pairs": pairs,
            "issues": [_plain(row) for row in self.issues],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """A table of the classes, and the most doubtful rows, for a person."""
        issues = self.issues
        found = [row.given for row in issues]
        table = [[told(head) for head in ("class", "rows", "issues", "estimated wrong")]]
        for label, n, wrong in zip(self.classes, self.counts, self.wrong, strict=True):
            table.append([label, str(n), str(found.count(label)), f"{wrong:.1f}"])
        lines = [f"Label issues in {self.name}: {len(issues)} of {int(self.judged.sum())} rows."]
        lines += [f"  {line}" for line in aligned(table)]
        if issues:
            lines.append("The most doubtful:" if len(issues) > SHOWN else "They are:")
        lines += [
            f"  {row.id}: given {row.given} ({row.given_probability:.3f}), rather {row.suggested} "
            f"({row.suggested_probability:.3f})"
            for row in issues[:SHOWN]
        ]
        return "\n".join(lines + [f"Note: {note}" for note in self.notes])


def find(train: Dataset, probabilities: np.ndarray) -> LabelIssues:
    """Rank rows by how doubtful their given labels are.

    Args:
        train: Rows with classes.
        probabilities: ``(n, n_classes)`` under the natural prior (the class frequencies of the data), each row's from a
            network that was not trained on it; NaN for rows that were never held out. Left out are these rows, and the
            rows of a class with fewer than `FEW` held-out ones.

    Raises:
        DataError: The target holds numbers, or no label can be judged.
    """
    check_task(train)
    shape = (len(train), train.n_classes)
    require(
        probabilities.shape == shape,
        "a probability per row and class",
        given=probabilities.shape,
        rows_and_classes=shape,
    )
    y, held = train.codes, np.isfinite(probabilities).all(axis=1) & (train.weights > 0)
    known = held & (np.bincount(y[held], minlength=train.n_classes) >= FEW)[y]
    if not known.any():
        raise DataError(
            f"{train.name} has no class with {FEW} rows or more that were held out; its labels cannot be judged."
        )
    p, own, weight = probabilities[known], y[known], train.weights[known]
    threshold = confident_learning.thresholds(p, own, weight)
    indicated = confident_learning.indicated_classes(p, own, threshold)
    joint = confident_learning.confident_joint(indicated, own, weight, train.n_classes)
    counts = confident_learning.estimated_counts(joint, own, weight)
    suggested, score, issue = np.array(y), np.full(len(y), np.nan), np.zeros(len(y), dtype=bool)
    suggested[held] = probabilities[held].argmax(axis=1)
    suggested[known] = np.where((indicated >= 0) & (indicated != own), indicated, suggested[known])
    issue[known] = confident_learning.issues(p, own, weight, threshold, counts)
    score[known] = confident_learning.agreement(p, own, weight)
    quality = networks_quality(train.take(known), p)
    return LabelIssues(
        name=train.name,
        classes=train.classes,
        counts=np.bincount(y, minlength=train.n_classes),
        judged=np.bincount(own, minlength=train.n_classes),
        thresholds=threshold,
        estimated=counts,
        rows=_ranked(train, probabilities, suggested, score, issue),
        notes=(_on_quality(quality, len(np.unique(own))), *_left_out(train, held, known)),
        balanced_accuracy=quality,
    )


def networks_quality(rows: Dataset, probabilities: np.ndarray) -> Estimate:
    """Balanced accuracy of held-out predictions against the given labels, with a 95 % interval: of the class whose
    probability is largest in proportion to its frequency."""
    counts = np.bincount(rows.codes, weights=rows.weights, minlength=rows.n_classes)
    predicted = (probabilities / np.maximum(counts, counts[counts > 0].min())).argmax(axis=1)
    found = score(rows.codes, probabilities, predicted, rows.classes, weight=rows.weight, group=rows.group)
    return found.metrics["balanced_accuracy"]


def _on_quality(quality: Estimate, n_classes: int) -> str:
    """A sentence on how far the networks' suggestions can be trusted."""
    guessing = 1 / max(n_classes, 2)
    figures = f"{value_text(quality)} {interval_text(quality)}"
    known = (
        f"The networks find the given labels with a balanced accuracy of {figures} on rows that they were not trained "
        f"on; guessing would reach {guessing:.2f}."
    )
    if quality.value is None or quality.low is None or quality.low <= guessing:
        return f"{known} They are not shown to be better than guessing, so the list below tells little."
    if quality.value < TRUSTED:
        return f"{known} At this level, many of the listed rows are mistakes of the networks and not of the labels."
    return known


def check_task(train: Dataset) -> None:
    """Check that the target holds classes.

    Raises:
        DataError: It holds numbers.
    """
    if train.task == "regression":
        raise DataError(f"Only labels of classes can be checked, but the target of {train.name} holds numbers.")


def _ranked(
    train: Dataset, probabilities: np.ndarray, suggested: np.ndarray, score: np.ndarray, issue: np.ndarray
) -> tuple[Row, ...]:
    """All rows, the lowest score first and NaN last; rows with equal scores keep their order."""
    y, order = train.codes, np.argsort(score, kind="stable")
    return tuple(
        Row(
            int(place),
            str(train.ids[place]),
            train.classes[y[place]],
            train.classes[suggested[place]],
            float(probabilities[place, y[place]]),
            float(probabilities[place, suggested[place]]),
            float(score[place]),
            bool(issue[place]),
        )
        for place in order
    )


def _left_out(train: Dataset, held: np.ndarray, known: np.ndarray) -> list[str]:
    """Sentences on rows whose labels could not be judged."""
    never_held, of_few = int((~held).sum()), held & ~known
    notes = []
    if never_held:
        notes.append(f"Rows that no network held out, so their labels could not be judged: {never_held}.")
    if of_few.any():
        labels = some(repr(train.classes[code]) for code in np.unique(train.codes[of_few]))
        notes.append(f"Classes with fewer than {FEW} held-out rows, too few to judge their labels: {labels}.")
    return notes


def _plain(row: Row) -> dict[str, Any]:
    figures = {
        name: float(f"{getattr(row, name):.6g}") for name in ("given_probability", "suggested_probability", "score")
    }
    return {"id": row.id, "given": row.given, "suggested": row.suggested, **figures}
