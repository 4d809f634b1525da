"""Prior correction: remove from the logits the known change of the class frequencies in training.

Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", Neural
Computation 2002 (its equation 4); King and Zeng 2001 for logistic regression. Resampling, class weights and logit
adjustment multiply the prior by a known factor per class; so ``logits - log factor`` have the natural prior again.

*Helps when* a remedy changed the prior by a known factor: it needs no rows, as nothing is estimated.

*Does not help when* the loss has no known prior (focal): see `class_scale_bias`. It does not correct overconfidence:
`temperature` does.

Cost: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rarebird.core.checks import require
from rarebird.slots.methods import Fitted, Method

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("image", "table", "series")


class FittedPriorCorrection(Fitted):
    """``logits + shift``, one number per class."""

    shift: tuple[float, ...]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Corrected logits, ``(n, n_classes) -> (n, n_classes)``."""
        require(
            logits.shape[1] == len(self.shift), "one shift per class", classes=logits.shape[1], shifts=len(self.shift)
        )
        shifted: np.ndarray = logits + np.array(self.shift)
        return shifted

    def on_tensors(self, logits: Tensor) -> Tensor:
        """The same map in torch, for an exported graph."""
        return logits + logits.new_tensor(self.shift)


class PriorCorrection(Method):
    """The correction by a known factor; it has no settings."""

    per_network: ClassVar[bool] = True
    fitted: ClassVar[type[Fitted]] = FittedPriorCorrection

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedPriorCorrection:
        """The correction for a known `prior_factor (n_classes,)`; the identity where it is None. The rows are not
        used."""
        factor = np.ones(logits.shape[1]) if prior_factor is None else np.asarray(prior_factor, dtype=np.float64)
        return FittedPriorCorrection(shift=tuple(shift(factor).tolist()))


def shift(prior_factor: np.ndarray) -> np.ndarray:
    """``-log prior_factor``, ``(n_classes,)``; zeros where all classes have the same factor, which changes no
    probability."""
    require(
        bool(np.all(np.isfinite(prior_factor) & (prior_factor > 0))),
        "0 < prior_factor < inf",
        prior_factor=prior_factor.tolist(),
    )
    logs = np.log(prior_factor)
    return np.zeros(len(logs)) if np.ptp(logs) < 1e-12 else -logs
