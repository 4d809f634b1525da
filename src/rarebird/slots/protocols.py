"""One protocol per slot, with the shapes of its inputs and outputs.

A method is a `Method`, a value of frozen settings, whose class also satisfies its slot's protocol.

Inputs are a dict of tensors: ``pixels (batch, channels, height, width)`` float in 0..1 (uint8 at rest; the network
standardizes them); ``values (batch, channels, length)`` standardized, 0 where missing or padded, with ``lengths
(batch,)``; for tables ``numbers (batch, n_numbers)`` standardized, 0 where missing, ``missing (batch, n_numbers)`` 1.0
where missing, and ``categories (batch, n_categories)`` int64 codes. Targets are soft, ``(batch, n_outputs)``:
probabilities over classes, or the standardized value for regression.

The protocols of the slots `external`, `synthesis` and `decision` are in `rarebird.slots.external_rows`,
`rarebird.slots.synthetic_rows` and `rarebird.slots.decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.data.spec import InputSpec
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Fitted, Method
from rarebird.slots.sampling_state import SamplingState
from rarebird.slots.solved_head import HeadRows, SolvedHead

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Inputs = dict[str, Tensor]
    Batch = tuple[Inputs, Tensor, Tensor]
else:
    Inputs = dict


@runtime_checkable
class Resampling(Protocol):
    """Raw training rows in, raw training rows out, categories and missing values intact."""

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset: ...


Sampling = Literal["over-sampling", "under-sampling", "clean-sampling", "combined"]


@runtime_checkable
class PlannedResampling(Protocol):
    """A resampling that can be told what becomes of each class; `rarebird.sampling` has a sampler for each such method.

    What `wanted` ``(n_classes,)`` says depends on `sampling`: the rows to add to each class (for ``combined``, too,
    which removes rows after that), the rows to keep of it, or whether rows are removed from it. With a false
    `makes_rows`, each row of the result is one of the given rows.
    """

    sampling: ClassVar[Sampling]

    @property
    def makes_rows(self) -> bool: ...

    def resampled(self, train: Dataset, wanted: np.ndarray, rng: np.random.Generator) -> Dataset: ...


@runtime_checkable
class BatchSampling(Protocol):
    """Rows of the next epoch's batches, each an int64 array of positions into the training rows.

    A class that reads `SamplingState.last_loss` has ``reads_last_loss = True``; otherwise it is not recorded. One that
    draws by `SamplingState.rows` has ``draws_by_weight = True``: the loss then weighs its draws equally.
    """

    def __call__(
        self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: SamplingState
    ) -> Iterator[np.ndarray]: ...

    def prior_factor(self, class_counts: np.ndarray) -> np.ndarray | None: ...


@dataclass(frozen=True)
class TrainStatistics:
    """What an augmentation may know about the training rows.

    Attributes:
        spec: Shapes and, for pictures, mean and std per channel in 0..1.
        class_counts: Rows per class, a row of weight k counting for k; None for regression.
    """

    spec: InputSpec
    class_counts: np.ndarray | None = None


class BoundAugmentation(Protocol):
    """An augmentation for batches on any device: it returns new tensors and does not change `x`, `y` and `weight`."""

    def __call__(self, x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> Batch: ...


class FeatureAugmentation(Protocol):
    """A bound augmentation of features ``(batch, width)``, between the network's body and its head."""

    def __call__(
        self, features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]: ...


class GeometricAugmentation(BoundAugmentation, Protocol):
    """A bound picture augmentation that is an affine map; neighboring ones are composed into one resampling.

    `matrix` gives ``(batch, 3, 3)`` maps from output to input coordinates, in units of half the picture's sides
    (-1..1), before the correction for pictures that are not square.
    """

    def matrix(self, batch: int, generator: torch.Generator) -> Tensor: ...


@runtime_checkable
class Augmentation(Protocol):
    """Settings of an augmentation. `bind` is called once per training.

    A class with ``on_features = True`` binds to a `FeatureAugmentation`. With ``test_time = True`` it shows a row from
    another view, by one draw for all channels, and may be used for prediction, too: see
    `rarebird.training.test_time_views`. With ``bends_prior = True`` it changes the targets' class frequencies, and the
    prior of the logits is unknown.
    """

    def bind(self, statistics: TrainStatistics) -> BoundAugmentation: ...


@dataclass(frozen=True)
class TargetStatistics:
    """What a loss may know about the targets of the training rows.

    Attributes:
        class_counts: ``(n_classes,)`` training rows of each class, weight k counting for k; None for regression.
        classes: Class labels, for settings that are keyed by label.
        values: ``(n,)`` standardized training targets; None for classification.
        rows: ``(n,)`` how many rows each of `values` counts for; None where each counts for one.
    """

    class_counts: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    values: np.ndarray | None = None
    rows: np.ndarray | None = None


@runtime_checkable
class Loss(Protocol):
    """Builds a module ``forward(logits (batch, n_outputs), y (batch, n_outputs)) -> (batch,)``; the loop averages.

    For classes it is linear in y. `tasks` has the tasks that it serves, ``classification`` or ``regression``. A loss of
    pairs of rows has ``per_row = False``; its module is ``forward(logits, y, weight (batch,)) -> ()``, the weighted
    mean.
    """

    tasks: ClassVar[tuple[str, ...]]
    per_row: ClassVar[bool]

    def build(self, targets: TargetStatistics) -> nn.Module: ...

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """``(n_classes,)`` factors of the loss on the prior of the logits, scaled to mean 1 over the training rows as
        in every slot; None if that prior is unknown."""
        ...


@runtime_checkable
class Network(Protocol):
    """Builds a module ``forward(x: Inputs) -> logits (batch, n_outputs)``.

    The module has `features(x) -> (batch, width)` and `head`, its last linear layer, with ``forward(x) ==
    head(features(x))``, so that stages can freeze or re-train the head and remedies can work between features.

    A module of several members may return ``(batch, members, n_outputs)`` in training: each learns from its own loss.
    One with a part that can be frozen has `embed(x) -> Inputs`, which `forward` takes for `x`: computed once, if
    nothing augments and only the head learns. One that enlarges its rows has their size in `cells_per_row`.
    If that part takes scales from the training rows, `fit_frozen(x, counts) -> Inputs` does so and embeds the rows.
    """

    def build(self, spec: InputSpec) -> nn.Module: ...


@runtime_checkable
class Transfer(Protocol):
    """Gives a network its initial weights, the same for the same rows and seed; its head stays newly drawn.

    `recorded` gives the settings that a run records, with the fingerprint of a file that they name. One that reads
    weights is a `GivenWeights`, one that learns them a `LearnedWeights` (`rarebird.slots.starting_weights`).
    """

    def recorded(self, network: Method) -> Method: ...


# Called with the share done, 0..1, after each round of a reference; True from it ends the training.
RoundProgress = Callable[[float], bool]


@runtime_checkable
class Reference(Protocol):
    """A model that a user would choose instead of a network, with the same splits.

    `fit` returns a module ``forward(x: Inputs) -> logits (batch, n_outputs)``, which is saved as a `TextModule` or an
    `ArrayModule` (`slots/stored_modules.py`). One that reads a file has `recorded() -> Method`, the settings with the
    file's fingerprint; one of which the user must know something has `notes() -> list[str]`; one that first computes
    something from its inputs has `prepared(x, spec) -> Inputs`, which `fit` takes, too: several fits compute it once;
    one whose settings depend on how many of its own rounds there is time for has `in_fewer_rounds(own, rounds)`.
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
        progress: RoundProgress,
    ) -> nn.Module: ...


@runtime_checkable
class Head(Protocol):
    """Solves a network's linear head in closed form, in place of a training by steps; all else of it is frozen.

    ``solutions`` are how many decompositions of the features it computes, and how many solutions it tries in all.
    """

    @property
    def solutions(self) -> tuple[int, int]: ...

    def solve(self, rows: HeadRows) -> SolvedHead: ...


@runtime_checkable
class Optimizer(Protocol):
    """Builds a torch optimizer; the loop always calls ``step(closure)``.

    An optimizer whose weights for evaluation differ from those for training (a schedule-free one) has `eval()` and
    `train()`, which put the one or the other into the network.
    """

    learning_rate: float

    def build(self, network: nn.Module) -> torch.optim.Optimizer: ...


@runtime_checkable
class Schedule(Protocol):
    """Share done of the planned steps, 0..1 -> factor of the learning rate.

    `losses` are the losses of held-out rows at the evaluations so far; the training loss if no rows are held out.
    """

    def __call__(self, progress: float, losses: Sequence[float] = ()) -> float: ...


@runtime_checkable
class Regularization(Protocol):
    """Settings of a regularizer that acts in training; early stopping and averages of weights are regularizers, too.

    If it has a strength, `strength_field` is the name of that setting, as in ``strength_field = "rate"``; larger values
    regularize more. One with a true `bends_prior` changes the targets, as an augmentation with it does.
    """

    def attach(self, network: nn.Module) -> Hook: ...


class FittedCalibration(Protocol):
    """A frozen value that can be saved as JSON: ``logits (n, n_classes) -> logits (n, n_classes)``, whose softmax gives
    the probabilities. `on_tensors` is the same map in torch operations, from which an exported graph is made."""

    def __call__(self, logits: np.ndarray) -> np.ndarray: ...

    def on_tensors(self, logits: Tensor) -> Tensor: ...


@runtime_checkable
class Calibration(Protocol):
    """Learns from logits of held-out rows, never from those of training rows.

    `prior_factor` has the factor per class by which training multiplied the natural prior; None if it is unknown. If
    `per_network`, it is fitted for each network with the factor of that training, otherwise once on all held-out rows.
    """

    per_network: ClassVar[bool]
    fitted: ClassVar[type[Fitted]]

    def fit(
        self, logits: np.ndarray, y: np.ndarray, weight: np.ndarray, prior_factor: np.ndarray | None
    ) -> FittedCalibration: ...
