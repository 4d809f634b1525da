"""A classifier whose probabilities are under the natural class frequencies again, or under others that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rarebird.core.checks import DataError, require
from rarebird.decide.around import AroundClassifier
from rarebird.decide.held_out import HeldOutputs
from rarebird.model.chain import probabilities
from rarebird.readers.targets import label
from rarebird.slots import methods


class PriorCorrected(AroundClassifier):
    """Probabilities under the natural class frequencies, of a classifier that was trained under others.

    Resampling and class weights make a classifier learn other class frequencies than the data have, so that its
    probabilities for rare classes are too large. Where the frequencies that it learned are known, ``p_k`` is multiplied
    by their ratio to the natural ones (Saerens, Latinne and Decaestecker, Neural Computation 2002); otherwise a scale
    and a bias per class are fitted on held-out rows (`rarebird.decide.ClassScaleBiasCalibrated`).

    Args:
        estimator: Any classifier of scikit-learn's form, such as one with ``class_weight="balanced"``, or a pipeline
            of imbalanced-learn that resamples.
        trained_prior: The class frequencies that the classifier learned under: ``balanced`` for equal classes, label ->
            share, or ``(n_classes,)`` in the order of `classes_`. None: unknown, and fitted on held-out rows.
        prior: Where the model is used: label -> share, or ``(n_classes,)``. None: as in the rows given to `fit`.
        cv: A number of folds, a splitter of scikit-learn, or ``prefit``: `estimator` is fitted already, and the rows
            given to `fit` are rows that it has not seen. None: five stratified folds, of whole groups where `groups`
            are given.
        random_state: Seed of the folds that `cv` leaves open.

    Attributes:
        fitted_: The correction: a frozen value, which ``fitted_.model_dump()`` shows.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        trained_prior: Mapping[Any, float] | Sequence[float] | str | None = None,
        prior: Mapping[Any, float] | Sequence[float] | None = None,
        cv: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.trained_prior = trained_prior
        self.prior = prior
        self.cv = cv
        self.random_state = random_state

    def _fit_around(self, held: HeldOutputs, codes: np.ndarray, weight: np.ndarray, groups: Any) -> None:
        if not self.prior_.all():
            gone = label(self.classes_[int(self.prior_.argmin())])
            raise DataError(
                f"sample_weight is zero in every row of class {gone!r}; give it some weight, or remove them."
            )
        learned = self._frequencies(self.trained_prior, "trained_prior")
        name = "prior_correction" if learned is not None else "class_scale_bias"
        method: Any = methods.build("calibration", {"name": name})
        factor = None if learned is None else learned / self.prior_
        self.fitted_ = method.fit(held.logits, codes[held.row], weight[held.row], factor)
        used = self._frequencies(self.prior, "prior")
        factors = np.ones(len(self.prior_)) if used is None else self.prior_ / used
        correction: Any = methods.build("calibration", {"name": "prior_correction"})
        self.deployment_ = correction.fit(held.logits[:0], codes[:0], weight[:0], factors)

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        return probabilities(logits, [("trained", self.fitted_), ("prior", self.deployment_)])

    def _frequencies(self, given: Any, name: str) -> np.ndarray | None:
        """``(n_classes,)`` positive shares that sum to 1.

        Raises:
            DataError: A class has no share.
        """
        n_classes = len(self.classes_)
        if given is None:
            return None
        if isinstance(given, str):
            require(given == "balanced" and name == "trained_prior", f"{name} is balanced, or shares", given=given)
            return np.full(n_classes, 1 / n_classes)
        if isinstance(given, Mapping):
            by_label = {label(key): share for key, share in given.items()}
            classes = list(map(label, self.classes_))
            if set(by_label) != set(classes):
                raise DataError(
                    f"{name} has shares of {sorted(by_label)}, but the classes are {classes}; give a share of each."
                )
            given = [by_label[one] for one in classes]
        shares = np.asarray(given, dtype=np.float64)
        require(shares.shape == (n_classes,), f"{name} has one share per class", shares=shares.tolist())
        require(bool((shares > 0).all()), f"each share of {name} is above 0", shares=shares.tolist())
        frequencies: np.ndarray = shares / shares.sum()
        return frequencies
