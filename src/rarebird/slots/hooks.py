"""Hooks: how a regularizer acts on a training, at each step, at each evaluation and at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass
class TrainState:
    """The state of a training, which hooks read and may change.

    Attributes:
        network: The network that is trained.
        step: Steps taken so far.
        steps: Steps planned in all.
        learning_rate: Learning rate of the last step.
        scores: Name -> score of the last evaluation; ``loss`` is one of the names.
        judged: The network of the last evaluation, as a hook's `before_evaluation` returned it; None for `network`
            itself.
        stop: A hook sets it to end the training before the next step.
        stage: The place of the stage that the last step was in. A hook that puts the weights of an earlier stage into
            the network at the end sets it to that stage.
    """

    network: nn.Module
    step: int
    steps: int
    learning_rate: float = 0.0
    scores: dict[str, float] | None = None
    judged: nn.Module | None = None
    stop: bool = False
    stage: int = 0


class Hook:
    """Calls around a training step; every method does nothing, so that a hook overrides only those it needs.

    Attributes:
        mean: The network that is evaluated in place of the trained one, for a hook that keeps one; None for others, and
            before the first step that counts.
    """

    mean: nn.Module | None = None

    def around(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """The optimizer, or one that wraps it: its ``step(closure)`` may compute the loss more than once."""
        return optimizer

    def targets(self, y: Tensor) -> Tensor:
        """``(batch, n_classes)`` soft targets that the loss gets in place of `y`; not called for regression."""
        return y

    def penalty(self, network: nn.Module) -> Tensor | None:
        """A scalar added to the mean loss, or None."""
        return None

    def after_backward(self, state: TrainState) -> None:
        """Called when the gradients are computed and the optimizer has not stepped yet."""

    def after_step(self, state: TrainState) -> None:
        """Called after the optimizer has stepped."""

    def before_evaluation(self, state: TrainState) -> nn.Module | None:
        """The network to evaluate in place of the trained one, or None."""
        return None

    def after_evaluation(self, state: TrainState) -> None:
        """Called with the scores of the held-out rows in `state.scores`; it may set `state.stop`."""

    def saved(self) -> dict[str, Any]:
        """What a checkpoint must keep of the hook: numbers, texts and tensors, in dictionaries and lists."""
        return {}

    def restore(self, saved: dict[str, Any], state: TrainState) -> None:
        """Put back what `saved` gave, in the training of a network whose weights are back already."""

    def after_fit(self, state: TrainState) -> None:
        """Called at the end of the training; it may load other weights into `state.network`."""


@runtime_checkable
class SkippableBranch(Protocol):
    """A module at the end of a residual branch that skips a row's branch with this probability in training."""

    skip_rate: float
