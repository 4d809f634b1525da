"""A model under other class frequencies than those of its training rows: stated by the user, or estimated from rows
without labels.

Only the frequencies change; rows of one class look as they did. So probabilities are multiplied by the ratio of the
frequencies, and held-out rows count as many times as their class is more frequent: the decision is fitted to these, and
figures are weighted in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError, nearest, some
from rarebird.evaluation.held_out import decide
from rarebird.metrics import label_shift
from rarebird.metrics.uncertainty import wilson
from rarebird.model.chain import apply_to_mean
from rarebird.model.coverage import compared_outputs
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.model.model import Model
from rarebird.slots import methods

# Sums of stated priors may differ from 1 by rounding.
ROUNDING = 1e-3
# Classes whose mean probabilities are told apart by less than this are confused too much to count them.
LEAST_SEPARATION = 0.05
# An interval that is wider than this tells nothing.
WIDEST = 0.5
REPLICATES, MOST_ROWS = 80, 4000
# Rows that the training rows' frequencies count for in an estimate.
PRIOR_ROWS = 10.0


def stated_prior(given: Mapping[str, float], classes: Sequence[str], natural: np.ndarray) -> np.ndarray:
    """``(n_classes,)`` the prior that a user states; classes that are not named share the rest as they did.

    Args:
        given: Class -> frequency.
        classes: The class labels.
        natural: ``(n_classes,)`` frequencies of the training rows.

    Raises:
        DataError: A class does not exist, a frequency is not between 0 and 1, or they do not sum to 1.
    """
    for label, value in given.items():
        if label not in classes:
            raise DataError(f"The prior names the class {label!r}, which does not exist; {nearest(label, classes)}")
        if not 0 < value < 1:
            raise DataError(f"A prior is between 0 and 1, but that of {label!r} is {value!r}.")
    prior: np.ndarray = np.array([given.get(label, 0.0) for label in classes])
    rest: np.ndarray = np.array([label not in given for label in classes]) * natural
    total = float(prior.sum())
    if rest.sum() > 0 and total < 1:
        filled: np.ndarray = prior + rest / rest.sum() * (1 - total)
        return filled
    if abs(total - 1) > ROUNDING or rest.any():
        named = some(f"{label} = {value:g}" for label, value in given.items())
        raise DataError(f"A prior sums to 1 over all classes, but {named} sums to {total:g}; state each class once.")
    absent = [label for label, share in zip(classes, natural, strict=True) if share <= 0 and label in given]
    if absent:
        raise DataError(f"The class {absent[0]!r} has no training row, so that no prior can be stated for it.")
    return prior / total


def under_prior(model: Model, prior: np.ndarray) -> Model:
    """The model under another prior: probabilities, decision and held-out rows follow.

    Raises:
        DataError: The model keeps no held-out rows to fit its decision to.
    """
    if model.held_out is None:
        raise DataError(
            "The model was saved by a version that kept no held-out rows, so that its decision cannot follow a prior; "
            "train it again."
        )
    factor = np.divide(prior, model.prior, out=np.ones(len(prior)), where=model.prior > 0)
    correction: Any = methods.load("calibration", "prior_correction")
    step = ("prior_correction", correction.fitted(shift=tuple(np.log(np.maximum(factor, 1e-300)).tolist())))
    held = shifted(model.held_out, [step], factor)
    decision = decide(model.recipe, held, prior, model.classes, model.positive)
    return replace(model, calibrations=(*model.calibrations, step), prior=prior, decision=decision, held_out=held)


def shifted(rows: HeldOutRows, chain: Sequence[tuple[str, Any]], factor: np.ndarray) -> HeldOutRows:
    """Held-out rows whose probabilities and weights follow a change of the class frequencies."""
    outputs = apply_to_mean(rows.outputs, chain)
    return replace(rows, outputs=outputs, weight=rows.weight * factor[rows.y])


@dataclass(frozen=True, eq=False)
class PriorEstimate:
    """Class frequencies of rows without labels, each ``(n_classes,)``.

    Attributes:
        prior: By EM.
        low, high: The ends of the 95 % interval.
        check: The same by black-box shift estimation.
    """

    prior: np.ndarray
    low: np.ndarray
    high: np.ndarray
    check: np.ndarray

    @property
    def agrees(self) -> bool:
        """Whether the check is in the interval, widened by half and by .01."""
        low, high = (1.5 * end - 0.5 * self.prior for end in (self.low, self.high))
        return bool(((low - 0.01 <= self.check) & (self.check <= high + 0.01)).all())


def estimated_prior(model: Model, each: Sequence[np.ndarray]) -> PriorEstimate:
    """The class frequencies of rows without labels, with intervals.

    With folds, each member estimates them from its own probabilities, which held-out rows have calibrated, and the mean
    counts: the mean of probabilities is less extreme than held-out ones are. An estimate is pulled to the training
    rows' frequencies with the weight of `PRIOR_ROWS` rows, so that no class is taken to be impossible.

    The interval has two parts: that of the new rows, by resampling them, and that of how rows of each class look, by
    resampling the held-out rows class by class, weighted to the estimate.

    Args:
        model: It keeps held-out rows.
        each: ``(n, n_classes)`` probabilities of the rows, of each member.

    Raises:
        DataError: The model keeps no held-out rows, it confuses classes too much, or the rows are too few.
    """
    held = model.held_out
    if held is None:
        raise DataError("The model was saved by a version that kept no held-out rows; train it again.")
    means = label_shift.mean_probabilities(held.outputs, held.y, held.weight)
    known = np.bincount(held.y, held.weight, len(model.prior)) > 0
    apart = label_shift.separation(means[:, known])
    if apart < LEAST_SEPARATION or not known.all():
        raise DataError(
            f"The model confuses classes too much to estimate their frequencies (held-out rows tell them apart by "
            f"{apart:.2f} of 1, and {LEAST_SEPARATION:g} is needed); state the prior with --prior CLASS=SHARE."
        )
    compared = compared_outputs(model, each)
    prior = np.mean([_pulled(one, model.prior) for one in compared], axis=0)
    outputs = compared[0]
    low, high = wilson(prior, _effective_rows(outputs, held, model.prior, prior, model.recipe.seed))
    widest = int((high - low).argmax())
    if high[widest] - low[widest] > WIDEST:
        raise DataError(
            f"{len(outputs)} rows are too few to estimate the frequency of {model.classes[widest]!r} (between "
            f"{low[widest]:.2g} and {high[widest]:.2g}); give more rows, or state the prior with --prior CLASS=SHARE."
        )
    observed = np.mean([one.mean(axis=0) for one in compared], axis=0)
    return PriorEstimate(prior, low, high, label_shift.black_box(means, observed))


def _pulled(outputs: np.ndarray, natural: np.ndarray) -> np.ndarray:
    """The frequencies by EM, with rows of certain class added in the proportions of the training rows."""
    certain = np.eye(len(natural))
    weight = np.concatenate([np.ones(len(outputs)), PRIOR_ROWS * natural])
    return label_shift.em(np.vstack([outputs, certain]), natural, weight)


def _effective_rows(
    outputs: np.ndarray, held: HeldOutRows, natural: np.ndarray, prior: np.ndarray, seed: int
) -> np.ndarray:
    """``(n_classes,)`` the number of labelled rows that would tell each frequency as precisely, 1 at least."""
    generator = rng.stream(seed, "prior")
    n = min(len(outputs), MOST_ROWS)
    drawn = outputs[generator.choice(len(outputs), n, replace=False)]
    counts = generator.multinomial(n, np.full(n, 1 / n), size=REPLICATES).T.astype(float)
    of_new = label_shift.em(drawn, natural, counts).var(axis=0) * n / len(outputs)
    kept = np.concatenate(
        [generator.permutation(np.flatnonzero(held.y == code))[:MOST_ROWS] for code in range(len(natural))]
    )
    weights = np.empty((len(kept), REPLICATES))
    for code in range(len(natural)):
        mine = held.y[kept] == code
        m = int(mine.sum())
        weights[mine] = prior[code] * generator.multinomial(m, np.full(m, 1 / m), size=REPLICATES).T / m
    variance = of_new + label_shift.em(held.outputs[kept], natural, weights).var(axis=0)
    # An estimate of 0 is as sure as one of a standard error.
    error = np.minimum(np.sqrt(variance), 0.5)
    exact = np.clip(prior, error, 1 - error) * (1 - np.clip(prior, error, 1 - error))
    # No probabilities tell a frequency better than labels would.
    rows: np.ndarray = np.clip(exact / np.maximum(variance, 1e-300), 1.0, float(len(outputs)))
    return rows
