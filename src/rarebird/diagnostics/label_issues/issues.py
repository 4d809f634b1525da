"""Label issues: rows whose given label their own out-of-fold probabilities contradict, and how many labels of each
class may be wrong.

`find` asks for nothing but rows and probabilities, so that every run with out-of-fold probabilities can tell. The
method is `rarebird.diagnostics.label_issues.confident_learning`. An issue is a row for a person to look at, not a label
to change unseen: where classes overlap, a right label may be the less probable one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, require, some
from rarebird.data.dataset import Dataset
from rarebird.diagnostics.label_issues import confident_learning

# Networks learned a class of fewer judged rows from next to nothing: what they say of its labels is no evidence.
FEW = 5
SHOWN = 10


@dataclass(frozen=True)
class Row:
    """One row and its label.

    Attributes:
        place: Its position among the rows that were looked through.
        given, suggested: Labels; the suggested one is that which the row speaks for against its label, else the most
            probable one.
        given_probability, suggested_probability: NaN where the row was never held out.
        score: How well the given label agrees with the prediction, 0..1; NaN where it could not be judged.
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
    """What was found.

    Attributes:
        name: Of the data set.
        classes: Labels in the order of `counts`, `thresholds` and `estimated`.
        counts: ``(n_classes,)`` rows that bear each label.
        judged: ``(n_classes,)`` how many of them could be judged.
        thresholds: ``(n_classes,)`` mean probability of a label among the rows that bear it; infinity for a class
            without judged rows.
        estimated: ``(n_classes, n_classes)`` estimated weight (number, without sample weights) of the judged rows of
            each given (row) and true (column) class.
        rows: All rows, the most doubtful first; those that could not be judged come last.
        notes: Sentences on what was left out.
    """

    name: str
    classes: tuple[str, ...]
    counts: np.ndarray
    judged: np.ndarray
    thresholds: np.ndarray
    estimated: np.ndarray
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def issues(self) -> tuple[Row, ...]:
        """The rows to look at, the most doubtful first."""
        return tuple(row for row in self.rows if row.is_issue)

    @property
    def wrong(self) -> np.ndarray:
        """``(n_classes,)`` estimated weight of the rows that bear each label wrongly."""
        return np.asarray(self.estimated.sum(axis=1) - np.diag(self.estimated))

    def for_machines(self) -> dict[str, Any]:
        """Counts per class and pair of classes, and every issue."""
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
            "per_class": per_class,
            "pairs": pairs,
            "issues": [_plain(row) for row in self.issues],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """The classes in a table, and the most doubtful rows, for a person."""
        issues, width = self.issues, max(map(len, ("class", *self.classes)))
        found = [row.given for row in issues]
        lines = [
            f"Label issues in {self.name}: {len(issues)} of {int(self.judged.sum())} rows.",
            f"  {'class':<{width}}  {'rows':>7}  {'issues':>7}  {'estimated wrong':>15}",
        ]
        for label, n, wrong in zip(self.classes, self.counts, self.wrong, strict=True):
            lines.append(f"  {label:<{width}}  {n:>7}  {found.count(label):>7}  {wrong:>15.1f}")
        if issues:
            lines.append("The most doubtful:" if len(issues) > SHOWN else "They are:")
        lines += [
            f"  {row.id}: given {row.given} ({row.given_probability:.3f}), rather {row.suggested} ({row.suggested_probability:.3f})"
            for row in issues[:SHOWN]
        ]
        return "\n".join(lines + [f"Note: {note}" for note in self.notes])


def find(train: Dataset, probabilities: np.ndarray) -> LabelIssues:
    """Rank rows by how doubtful their given labels are.

    Args:
        train: Rows with classes.
        probabilities: ``(n, n_classes)`` under the natural prior, each row's from a network that did not train on it;
            NaN for rows that were never held out. They are left out, and so are the rows of a class with fewer than
            `FEW` others.

    Raises:
        DataError: The target holds numbers, or no row can be judged.
    """
    if train.task == "regression":
        raise DataError(f"Label issues are looked for among classes, but the target of {train.name} holds numbers.")
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
    spoken = confident_learning.spoken_for(p, own, threshold)
    counts = confident_learning.estimated_counts(
        confident_learning.confident_joint(spoken, own, weight, train.n_classes), own, weight
    )
    suggested, score, issue = np.array(y), np.full(len(y), np.nan), np.zeros(len(y), dtype=bool)
    suggested[held] = probabilities[held].argmax(axis=1)
    suggested[known] = np.where((spoken >= 0) & (spoken != own), spoken, suggested[known])
    issue[known] = confident_learning.issues(p, own, weight, threshold, counts)
    score[known] = confident_learning.agreement(p, own, weight)
    return LabelIssues(
        name=train.name,
        classes=train.classes,
        counts=np.bincount(y, minlength=train.n_classes),
        judged=np.bincount(own, minlength=train.n_classes),
        thresholds=threshold,
        estimated=counts,
        rows=_ranked(train, probabilities, suggested, score, issue),
        notes=tuple(_left_out(train, held, known)),
    )


def _ranked(
    train: Dataset, probabilities: np.ndarray, suggested: np.ndarray, score: np.ndarray, issue: np.ndarray
) -> tuple[Row, ...]:
    """All rows by their score; the sort puts NaN last, and keeps the order of equal ones."""
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
    """Sentences on rows that could not be judged."""
    never, few = int((~held).sum()), held & ~known
    labels = some(repr(train.classes[code]) for code in np.unique(train.codes[few]))
    notes = [f"Rows that no network held out, which could not be judged: {never}."] * (never > 0)
    return notes + [f"Classes with fewer than {FEW} held-out rows, too few to judge their labels: {labels}."] * bool(
        few.any()
    )


def _plain(row: Row) -> dict[str, Any]:
    figures = {
        name: float(f"{getattr(row, name):.6g}") for name in ("given_probability", "suggested_probability", "score")
    }
    return {"id": row.id, "given": row.given, "suggested": row.suggested, **figures}
