"""Rows of other sources join the training rows, weighted by how plausible they are among these.

Each source is compared with the training rows of the part. Rows are weighted by a clipped density ratio (covariate
shift: Shimodaira, "Improving predictive inference under covariate shift", JSPI 2000) that a cross-fitted classifier
gives (Bickel, Brückner and Scheffer, "Discriminative learning under covariate shift", JMLR 2009), and by how well their
labels agree with those that own rows teach. With own frequencies ``p(y)``: ``w(x, y) = min(1, p_own(x) / p(x)) a(y)``.

*Helps when* another hospital, machine or year has rows of the same classes, most of all of the rare ones.

*Does not help when* labels mean something else there, or values are measured otherwise: such sources are refused with a
sentence that names the column or the labels.

Cost: two linear classifiers on plain features for each source and training.

NOTE[DIFF]: classes are weighted to the same frequencies before the ratio is taken, so that a source with more rows of a
rare class is not punished for it; the change of frequencies is corrected as that of a resampling is. Ratios are at most
1, and all sources together have at most `share` of the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from rarebird.data.dataset import Dataset, Outside
from rarebird.data.plain_features import plain_features
from rarebird.data.prepare import Prepared
from rarebird.data.row_counts import counted
from rarebird.methods.external import _label_agreement
from rarebird.methods.external._density_ratio import density_ratio
from rarebird.methods.external._label_agreement import Agreement
from rarebird.methods.external._value_shift import value_shift
from rarebird.slots.external_rows import Joining, SourceClass, SourceReport
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")
# Own rows that a source is compared with, at most.
MOST_OWN = 5_000
# A source is refused if its labels surely agree less than this, or if its rows have a smaller mean weight.
LEAST_AGREEMENT, LEAST_WEIGHT = 0.5, 0.05


class OutsideRows(Method):
    """Settings of the joining.

    Attributes:
        share: Largest share of the total weight that rows of other sources get together.
        fingerprints: Of the sources that the recipe was trained with; recorded by a run.
    """

    share: Annotated[float, Float(0.2, 0.9)] = Field(default=0.8, gt=0, lt=1)
    fingerprints: tuple[str, ...] = ()

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(share=0.3)]

    def fit(
        self, train: Dataset, outside: Sequence[Outside], prepared: Prepared, rng: np.random.Generator
    ) -> list[Joining]:
        """The weights of the rows of each source."""
        own = train if len(train) <= MOST_OWN else train.take(np.sort(rng.choice(len(train), MOST_OWN, replace=False)))
        weights, reports = [], []
        for source in outside:
            weight, report = _weighed(own, source, prepared, rng)
            weights.append(weight)
            reports.append(report)
        most = self.share / (1 - self.share) * float(counted(train).weights.sum())
        factor = min(1.0, most / max(sum(weight.sum() for weight in weights), 1e-12))
        return [
            Joining(weight * factor, _with_counts(report, source.rows, train, weight * factor))
            for weight, report, source in zip(weights, reports, outside, strict=True)
        ]


def _weighed(
    own: Dataset, source: Outside, prepared: Prepared, rng: np.random.Generator
) -> tuple[np.ndarray, SourceReport]:
    """The weights of a source's rows before all sources are bounded, and what was found."""
    rows = source.rows
    report = SourceReport(
        name=rows.name,
        given=source.n_given,
        judged_copies=source.judged_copies,
        own_copies=source.own_copies,
        findings=source.findings,
    )
    none = np.zeros(len(rows))
    if not len(rows):
        return none, report.model_copy(update={"refused": "no row is left"})
    shift = value_shift(own, rows, prepared, source.absent)
    report = report.model_copy(update={"columns": shift.columns, "findings": (*report.findings, *shift.findings)})
    if shift.units:
        return none, report.model_copy(update={"refused": "; ".join(shift.units)})
    features = plain_features((own, rows), prepared, source.absent)
    unit = _units(own)
    agreement = _agreement(own, features[0], unit, rows, features[1])
    report = report.model_copy(update={"agreement": None if agreement is None else round(agreement.value, 4)})
    if agreement is not None and agreement.high < LEAST_AGREEMENT:
        return none, report.model_copy(update={"refused": _disagreement(agreement)})
    ratio, area = density_ratio(features[0], _as_other(own, rows), unit, features[1], _as_own(own, rows), rng)
    report = report.model_copy(update={"auc": round(area, 4)})
    if ratio.mean() < LEAST_WEIGHT:
        named = "".join(f"; {one.name} differs by {one.distance:.2f} of 1" for one in shift.columns[:1])
        return none, report.model_copy(
            update={
                "refused": "its rows hardly resemble the training rows: a classifier tells them apart with an area "
                f"under the ROC curve of {area:.2f}{named}"
            }
        )
    weight = ratio * (rows.weights / max(rows.weights.mean(), 1e-12))
    if agreement is not None:
        weight = weight * (agreement.factor[rows.codes] if own.task == "classification" else agreement.factor[0])
        report = report.model_copy(update={"classes": _classes(own, agreement)})
    return weight, report


def _units(own: Dataset) -> np.ndarray:
    """``(n,)`` codes of rows that stay together."""
    together = np.arange(len(own)) if own.together is None else own.together
    return np.asarray(np.unique(together, return_inverse=True)[1])


def _agreement(
    own: Dataset, features: np.ndarray, unit: np.ndarray, rows: Dataset, others: np.ndarray
) -> Agreement | None:
    if own.task == "regression":
        assert own.y is not None
        assert rows.y is not None
        return _label_agreement.of_numbers(features, own.y, unit, others, rows.y)
    return _label_agreement.of_classes(features, own.codes, unit, others, rows.codes, own.n_classes)


def _disagreement(agreement: Agreement) -> str:
    return (
        f"its labels agree with what own rows teach only {max(agreement.value, 0):.0%} as well as own labels do (at "
        f"most {max(agreement.high, 0):.0%}); check that they mean the same, and belong to their rows"
    )


def _as_other(own: Dataset, rows: Dataset) -> np.ndarray:
    """``(n,)`` weights of own rows: those of classes that the source lacks are not compared."""
    if own.task == "regression":
        return np.asarray(own.weights, dtype=float)
    present = (np.bincount(rows.codes, minlength=own.n_classes) > 0)[own.codes]
    return np.where(present, own.weights, 0.0) if present.any() else np.asarray(own.weights, dtype=float)


def _as_own(own: Dataset, rows: Dataset) -> np.ndarray:
    """``(m,)`` weights with which the source's classes have the frequencies of the own ones."""
    if own.task == "regression":
        return np.ones(len(rows))
    counts = np.bincount(rows.codes, minlength=own.n_classes)
    weight = np.asarray((own.weighted_counts / np.maximum(counts, 1))[rows.codes])
    return weight if weight.any() else np.ones(len(rows))


def _classes(own: Dataset, agreement: Agreement) -> tuple[SourceClass, ...]:
    return tuple(
        SourceClass(label=label, own=0, given=0, agreement=round(float(factor), 4))
        for label, factor in zip(own.classes or ("",), agreement.factor, strict=True)
    )


def _with_counts(report: SourceReport, rows: Dataset, train: Dataset, weight: np.ndarray) -> SourceReport:
    """The report with the numbers of rows of each class."""
    codes, own = (
        (part.codes if part.task == "classification" else np.zeros(len(part), np.int64)) for part in (rows, train)
    )
    labels = train.classes or ("",)
    joined = weight > 0
    counts = [np.bincount(part, minlength=len(labels)).tolist() for part in (own, codes, codes[joined])]
    totals = np.bincount(codes, weight, minlength=len(labels))
    agreed = {one.label: one.agreement for one in report.classes}
    classes = tuple(
        SourceClass(
            label=label,
            own=counts[0][code],
            given=counts[1][code],
            joined=counts[2][code],
            weight=round(float(totals[code]), 2),
            agreement=agreed.get(label),
        )
        for code, label in enumerate(labels)
    )
    return report.model_copy(
        update={"classes": classes, "joined": int(joined.sum()), "weight": round(float(weight.sum()), 2)}
    )
