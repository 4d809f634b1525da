"""The slots, one Protocol each, with shapes: the architecture on one page.

A method is a frozen `Method` (settings) whose class also satisfies its slot's protocol. Everywhere `batch` is the first
axis.

Inputs are a dict of tensors: ``pixels (batch, channels, height, width)`` float in 0..1 (uint8 at rest; the network
standardizes them); ``values (batch, channels, length)`` standardized, 0 where missing or padded, with ``lengths
(batch,)``; for tables ``numbers (batch, n_numbers)`` standardized, 0 where missing, ``missing (batch, n_numbers)`` 1.0
where missing, and ``categories (batch, n_categories)`` int64 codes.
Targets are soft, ``(batch, n_outputs)``: probabilities over classes, or the standardized value for regression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.data.spec import InputSpec
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Fitted

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Inputs = dict[str, Tensor]
else:
    Inputs = dict


@runtime_checkable
class Resampling(Protocol):
    """Raw training rows in, raw training rows out, categories and missing values intact."""

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset: ...


@dataclass
class SamplingState:
    """What a batch sampler may look at when it lays out an epoch.

    Attributes:
        progress: 0..1 of the whole training.
        fold: Which part of a cross-fitting is trained.
        last_loss: ``(n,)`` each training row's loss when it was last in a batch, NaN for a row that has not been; None
            before any, and where no stage's sampling reads it.
    """

    progress: float = 0.0
    fold: int = 0
    rank: int = 0
    world_size: int = 1
    last_loss: np.ndarray | None = None


@runtime_checkable
class BatchSampling(Protocol):
    """Rows of the next epoch's batches, each an int64 array of positions into the training rows.

    One that looks at `SamplingState.last_loss` says ``reads_last_loss = True``; the loop records it for nobody else.
    """

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]: ...

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray | None: ...


@dataclass(frozen=True)
class TrainStatistics:
    """What an augmentation may know of the training rows.

    Attributes:
        spec: Shapes and, for pictures, mean and std per channel in 0..1.
        class_counts: Rows per class, None for regression.
    """

    spec: InputSpec
    class_counts: np.ndarray | None = None


class BoundAugmentation(Protocol):
    """One augmentation, ready for batches on any device: new tensors out, `x`, `y` and `weight` untouched."""

    def __call__(
        self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Inputs, Tensor, Tensor]: ...


class FeatureAugmentation(Protocol):
    """A bound augmentation of features ``(batch, width)``, between the network's body and its head."""

    def __call__(
        self, features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]: ...


class GeometricAugmentation(BoundAugmentation, Protocol):
    """A bound picture augmentation that is an affine map; neighbours are composed into one resampling.

    `matrix` gives ``(batch, 3, 3)``, output -> input coordinates in units of half the picture's sides (-1..1), before
    aspect correction.
    """

    def matrix(self, batch: int, generator: torch.Generator) -> Tensor: ...


@runtime_checkable
class Augmentation(Protocol):
    """Settings of an augmentation. `bind` is called once per training.

    A class with ``on_features = True`` gives a `FeatureAugmentation`. One with ``test_time = True`` only shows a row
    from elsewhere, by one draw for all channels alike, and so may serve at prediction too
    (`rarebird.training.test_time_views`). One that changes how often classes are named says ``bends_prior = True``: the
    logits then answer to no known prior.
    """

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation: ...


@dataclass(frozen=True)
class TargetStatistics:
    """What a loss may know of the training rows' targets.

    Attributes:
        class_counts: ``(n_classes,)`` training rows of each class; None for regression.
        classes: Class labels, for settings that are keyed by label.
        values: ``(n,)`` standardized training targets, for regression alone.
    """

    class_counts: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    values: np.ndarray | None = None


@runtime_checkable
class Loss(Protocol):
    """Builds a module ``forward(logits (batch, n_outputs), y (batch, n_outputs)) -> (batch,)``; the loop weights and
    averages.

    For classes it is linear in y. `tasks` says which of ``classification`` and ``regression`` it serves. A loss of
    pairs of rows says ``per_row = False``; its module is ``forward(logits, y, weight (batch,)) -> ()``, the weighted
    mean.
    """

    tasks: ClassVar[tuple[str, ...]]
    per_row: ClassVar[bool]

    def build(self, targets: TargetStatistics) -> nn.Module: ...

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """``(n_classes,)`` by which the loss multiplies the prior its logits answer to; None where they answer to no
        prior.

        Scaled, as every slot's factor, so that the factor's mean over the training rows is 1.
        """
        ...


@runtime_checkable
class Network(Protocol):
    """Builds a module ``forward(x: Inputs) -> logits (batch, n_outputs)``.

    The module has `features(x) -> (batch, width)` and `head`, its last linear layer, with ``forward(x) ==
    head(features(x))``, so that stages can freeze or re-train the head and remedies can work between features.

    A module of several members may give ``(batch, members, n_outputs)`` while it trains: each member learns from its
    own loss. One with a frozen part has `embed(x) -> Inputs`, whose result `forward` takes in place of `x`: where no
    augmentation changes the rows, it is computed once.
    """

    def build(self, spec: InputSpec) -> nn.Module: ...


@runtime_checkable
class SkippableBranch(Protocol):
    """A module at the end of a residual branch that, while it trains, skips the branch of a row with this probability."""

    skip_rate: float


@runtime_checkable
class TextModule(Protocol):
    """A fitted module that is kept as a text instead of tensors."""

    def to_text(self) -> str: ...


@runtime_checkable
class Reference(Protocol):
    """What a user would pick instead of a network, on the same splits.

    `fit` trains on prepared rows and gives a module ``forward(x: Inputs) -> logits (batch, n_outputs)`` with nothing
    left to train; it is a `TextModule`, whose text `from_text` takes. `progress` is called with the share done,
    0..1, after each of the `rounds`; True from it ends the training.
    """

    rounds: int

    def fit(
        self,
        x: Inputs,
        y: Tensor,
        weight: Tensor,
        spec: InputSpec,
        *,
        rounds: int,
        seed: int,
        threads: int,
        progress: Callable[[float], bool],
    ) -> nn.Module: ...

    def from_text(self, text: str, spec: InputSpec) -> nn.Module: ...


@runtime_checkable
class Optimizer(Protocol):
    """Builds a torch optimizer; the loop always calls ``step(closure)``.

    An optimizer that keeps other weights for use than for training (schedule-free ones do) has `eval()` and `train()`,
    which put the one or the other into the network.
    """

    learning_rate: float

    def build(self, network: nn.Module) -> torch.optim.Optimizer: ...


@runtime_checkable
class Schedule(Protocol):
    """Progress 0..1 of the laid-out steps -> factor on the learning rate.

    `losses` are the held-out rows' losses (the training loss, where none are held out) at the evaluations since
    progress 0.
    """

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float: ...


@runtime_checkable
class Regularization(Protocol):
    """Settings of a regularizer that acts while training; early stopping and weight averages among them.

    One that has a strength names the setting that holds it, ``strength_field = "rate"``: larger values regularize more.
    """

    def attach(self, network: nn.Module) -> Hook: ...


class FittedCalibration(Protocol):
    """A frozen value that JSON can hold: ``logits (n, n_classes) -> logits (n, n_classes)``; their softmax are
    probabilities."""

    def __call__(self, logits: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Calibration(Protocol):
    """Learns from out-of-fold or hold-out logits, never from training rows' own.

    `prior_factor` is what the training multiplied the natural prior by, per class; None where it is unknown. A method
    that is `per_network` is fitted for each network with that training's own factor; the others once, on all held-out
    rows.
    """

    per_network: ClassVar[bool]
    fitted: ClassVar[type[Fitted]]

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedCalibration: ...


class FittedDecision(Protocol):
    """A frozen value that JSON can hold: ``probabilities (n, n_classes) -> codes (n,)``."""

    def __call__(self, probabilities: np.ndarray) -> np.ndarray: ...


Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], float]


@runtime_checkable
class Decision(Protocol):
    """Learns from out-of-fold or hold-out probabilities under the natural prior.

    `metric(y, predicted, weight)` is to be made large; `prior (n_classes,)` is the natural prior of the training rows.
    """

    fitted: ClassVar[type[Fitted]]

    def fit(
        self, probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, prior: np.ndarray
    ) -> FittedDecision: ...
