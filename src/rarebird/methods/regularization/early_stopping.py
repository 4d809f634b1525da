"""Early stopping: training ends when held-out rows stop gaining, and the best weights are kept.

Prechelt, "Early stopping - but when?", 1998 (its UP criterion, counted in evaluations).

*Helps when* held-out rows are enough for reliable evaluations, and the budget would allow far more steps than the data
need.

*Does not help when* held-out rows are few: then the best evaluation is mostly luck. Nor with a schedule that ends at 0:
most of the gain comes at its end.

Cost: a copy of the weights at each new best; it saves steps.

NOTE: the weights that are kept are those of the evaluated network, so with `ema` they are the mean's, in any order of
the two.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import DataError, nearest
from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Int

KINDS = ("image", "table", "series")


class EarlyStopping(Method):
    """When training stops.

    Attributes:
        patience: Evaluations in a row without a new best after which training stops.
        metric: Score that decides; lower is better for names that end in ``loss``, ``error`` or ``brier_score``, and
            higher for all others.
    """

    patience: Annotated[int, Int(2, 20)] = Field(default=5, ge=1)
    metric: str = Field(default="loss", min_length=1)

    def attach(self, network: nn.Module) -> Hook:
        """The hook that watches the evaluations."""
        return _Watch(self.patience, self.metric)


def smaller_is_better(metric: str) -> bool:
    """Whether lower values of `metric` are better."""
    return metric.endswith(("loss", "error", "brier_score"))


class _Watch(Hook):
    """Keeps the best weights, and stops after `patience` evaluations without a new best."""

    def __init__(self, patience: int, metric: str) -> None:
        self.patience, self.metric = patience, metric
        self.best = -math.inf
        self.without_gain = 0
        self.kept: dict[str, Tensor] = {}
        self.stage = 0

    def after_evaluation(self, state: TrainState) -> None:
        scores = state.scores or {}
        if self.metric not in scores:
            raise DataError(
                f"early_stopping cannot use {self.metric!r}, which is not evaluated; {nearest(self.metric, scores)}"
            )
        value = -scores[self.metric] if smaller_is_better(self.metric) else scores[self.metric]
        if value > self.best:
            self.best, self.without_gain, self.stage = value, 0, state.stage
            evaluated = state.network if state.judged is None else state.judged
            self.kept = {name: tensor.detach().to("cpu", copy=True) for name, tensor in evaluated.state_dict().items()}
        else:
            self.without_gain += 1
            state.stop = state.stop or self.without_gain >= self.patience

    def saved(self) -> dict[str, Any]:
        return {"best": self.best, "without_gain": self.without_gain, "kept": self.kept, "stage": self.stage}

    def restore(self, saved: dict[str, Any], state: TrainState) -> None:
        vars(self).update(saved)

    def after_fit(self, state: TrainState) -> None:
        # The evaluated network gets the best weights, too: a hook that averages copies it into the trained network
        # afterwards.
        if self.kept:
            state.stage = self.stage
        for network in [state.network] if state.judged is None else [state.network, state.judged]:
            if self.kept:
                network.load_state_dict(self.kept)
