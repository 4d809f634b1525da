"""A deployment prior as users state it: ``ill=.02``, or ``estimate``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.data.dataset import Dataset
from rarebird.evaluation.deployment_prior import PriorEstimate, estimated_prior, stated_prior, under_prior
from rarebird.model.model import Model
from rarebird.report.wording import number

ESTIMATE = "estimate"
# Classes that a sentence names.
MOST_NAMED = 6


def stated(given: Sequence[str]) -> dict[str, float]:
    """Class -> frequency, of texts such as ``ill=.02`` or ``ill=.02,well=.98``.

    Raises:
        DataError: A text has another form, or a class is stated twice.
    """
    found: dict[str, float] = {}
    for part in (part for text in given for part in text.split(",")):
        label, equals, text = part.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            equals = ""
        if not equals or not label.strip() or label.strip() in found:
            raise DataError(f"--prior takes CLASS=SHARE, each class once, such as ill=.02, but got {part!r}.")
        found[label.strip()] = value
    return found


def under_asked_prior(model: Model, asked: Sequence[str], rows: Dataset) -> tuple[Model, list[str]]:
    """The model under the prior that is asked for, and sentences about it.

    Args:
        model: A model of classes.
        asked: As after ``--prior``.
        rows: The rows to predict, from which a prior may be estimated.

    Raises:
        DataError: The prior cannot be used, or not be estimated.
    """
    if not model.classes:
        raise DataError("A prior is for classes, but the model predicts a number; leave out --prior.")
    if list(asked) != [ESTIMATE]:
        prior = stated_prior(stated(asked), model.classes, model.prior)
        said = f"Probabilities and labels are for the stated prior: {_listed(model, prior)}."
        return under_prior(model, prior), [said]
    if not len(rows):
        raise DataError("There are no rows to estimate a prior from.")
    found = estimated_prior(model, model.member_outputs(rows))
    return under_prior(model, found.prior), _sentences(model, found, len(rows))


def _sentences(model: Model, found: PriorEstimate, n: int) -> list[str]:
    """What was estimated, beside the training rows' frequencies, and whether the check agrees."""
    columns = zip(model.classes, found.prior, found.low, found.high, model.prior, strict=True)
    shares = [
        f"“{label}” {share:.3g} [{low:.3g}, {high:.3g}] (training rows: {natural:.3g})"
        for label, share, low, high, natural in columns
    ]
    sentences = [f"Prior estimated from these {n} rows: {some(shares, MOST_NAMED)}."]
    if not found.agrees:
        sentences.append(
            "Note: black-box shift estimation, the check, differs: "
            f"{_listed(model, found.check)}. The rows may differ from the training rows in more than class frequencies."
        )
    return sentences


def _listed(model: Model, prior: np.ndarray) -> str:
    named = [f"“{label}” {number(float(share))}" for label, share in zip(model.classes, prior, strict=True)]
    return some(named, MOST_NAMED)
