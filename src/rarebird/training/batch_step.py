"""One optimizer step on a batch: draws and augments its rows, computes the loss, and lets the optimizer step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.protocols import Inputs
from rarebird.training import distributed
from rarebird.training.batch_statistics import shared_statistics
from rarebird.training.batches import Batch, Rows, weighted_by_class
from rarebird.training.device import Placement, is_out_of_memory
from rarebird.training.fake_quantization import fake_quantization
from rarebird.training.loss_scale import GradientOverflowError, LossScale
from rarebird.training.recomputation import recomputed
from rarebird.training.stage import StageParts

# Rows of a part that each rank has at least: batch normalization needs two.
FEWEST_ROWS = 2


@dataclass(frozen=True)
class BatchRows:
    """Rows of one batch, or of a part of it, on the device."""

    index: np.ndarray
    x: Inputs
    y: Tensor
    weight: Tensor

    def parts(self, count: int) -> list[BatchRows]:
        """The rows in parts of about one size, in their order."""
        if count == 1:
            return [self]
        edges = [0, *np.cumsum([len(part) for part in np.array_split(self.index, count)]).tolist()]
        places = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
        return [
            BatchRows(
                self.index[one], {name: part[one] for name, part in self.x.items()}, self.y[one], self.weight[one]
            )
            for one in places
        ]


@dataclass(kw_only=True)
class BatchStep:
    """The steps of one network on its rows.

    Of several processes that train together (`training/distributed.py`), each draws the whole batch and computes its
    own share of it.

    Attributes:
        generator: Draws augmentations.
        hooks: The regularizers.
        parts: A batch is computed in this number of parts, whose gradients add up; doubled where memory runs out.
        is_sharded: The network is divided among the ranks (`training/sharding.py`).
        recomputes: Blocks of the network are computed again in the backward pass (`training/recomputation.py`).
        mean_weight: Mean weight of the rows.
        last_loss: ``(n,)`` each row's loss when it was last in a batch, NaN before; None where no stage's batch
            sampling reads it.
        loss_scale: The scale of the loss, for float16 alone.
    """

    network: nn.Module
    rows: Rows
    placement: Placement
    generator: torch.Generator
    hooks: Sequence[Hook] = ()
    parts: int = 1
    recomputes: bool = False
    is_sharded: bool = False
    mean_weight: float = field(init=False)
    last_loss: Tensor | None = field(init=False, default=None)
    loss_scale: LossScale | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.mean_weight = float(self.rows.weight.mean())
        self.loss_scale = LossScale() if self.placement.precision == "float16" else None

    def _step(
        self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState
    ) -> Tensor:
        """One optimizer step; where memory runs out, this batch and all later ones are computed in more parts.

        Returns:
            The mean loss of the batch; of several ranks, this one's part of it.
        """
        while True:
            try:
                return self._try_step(stage, optimizer, batch, state)
            except RuntimeError as error:
                # Several ranks would have to change their parts together.
                if not is_out_of_memory(error) or len(batch) // self.parts < 4 or distributed.count() > 1:
                    raise
            # Outside the except block, so that the tensors of the failed step are freed before the next try.
            self.parts *= 2
            optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _try_step(
        self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState
    ) -> Tensor:
        drawn = self._draw(stage, batch).parts(self._parts_of(len(batch)))
        # An optimizer may compute a step more than once (sharpness-aware ones do): each time with the same draws.
        random_state = None if stage.augment_features is None else self.generator.get_state()
        passes = itertools.count()

        def closure() -> Tensor:
            is_first = next(passes) == 0
            optimizer.zero_grad(set_to_none=True)
            mean = torch.zeros((), device=self.placement.device)
            if random_state is not None:
                self.generator.set_state(random_state)
            each_row = []
            for rows in drawn:
                part, per_row = self._loss(stage, rows, len(batch))
                mean = mean + part.detach()
                self._backward(part)
                each_row.append(per_row)
            if is_first:
                self._keep_losses(drawn, each_row, len(batch))
            if not self.is_sharded:  # there, the backward pass sums them
                distributed.sum_gradients(self.network)
            if self.loss_scale is not None and not self.loss_scale.unscale(self.network.parameters()):
                raise GradientOverflowError(mean)
            # Of the weights, which all ranks have: added after the sum.
            penalties = [penalty for hook in self.hooks if (penalty := hook.penalty(self.network)) is not None]
            if penalties:
                torch.stack(penalties).sum().backward()  # type: ignore[no-untyped-call]
            for hook in self.hooks:
                hook.after_backward(state)
            return mean

        return self._stepped(optimizer, closure)

    def _stepped(self, optimizer: torch.optim.Optimizer, closure: Callable[[], Tensor]) -> Tensor:
        """The mean loss of a step; where a gradient overflows, the optimizer sees none and the step is skipped."""
        try:
            mean: Tensor = optimizer.step(closure)  # type: ignore[arg-type, assignment]
        except GradientOverflowError as overflow:
            assert self.loss_scale is not None
            self.loss_scale.shrink()
            return overflow.loss
        if self.loss_scale is not None:
            self.loss_scale.grow()
        return mean

    def _backward(self, loss: Tensor) -> None:
        scaled = loss if self.loss_scale is None else loss * self.loss_scale.value
        scaled.backward()  # type: ignore[no-untyped-call]

    def _parts_of(self, batch: int) -> int:
        """In how many parts a batch is computed: of each, every rank has at least two rows."""
        return max(1, min(self.parts, batch // (FEWEST_ROWS * distributed.count())))

    def _draw(self, stage: StageParts, index: np.ndarray) -> BatchRows:
        """This rank's rows of a batch; augmentations draw for the whole batch."""
        weighted = not getattr(stage.sampling, "draws_by_weight", False)
        own = distributed.own_share(len(index))
        change = stage.augment
        if change is None:
            return BatchRows(index[own], *self.rows.batch(index[own], self.placement, None, weighted))
        share = () if distributed.count() == 1 else (own,)

        def augment(x: Inputs, y: Tensor, weight: Tensor) -> Batch:
            return change(x, y, weight, self.generator, *share)

        return BatchRows(index[own], *self.rows.batch(index, self.placement, augment, weighted))

    def _loss(self, stage: StageParts, rows: BatchRows, batch: int) -> tuple[Tensor, Tensor | None]:
        """The part of the batch's mean loss that comes from these rows, and the loss of each row; None of pairs."""
        y, weight = rows.y, rows.weight
        with self._forward_pass(stage):
            if stage.augment_features is None:
                logits = self.network(rows.x)
            else:
                features = self.network.features(rows.x)  # type: ignore[operator]
                features, y, weight = self._augmented(stage, features, y, weight, batch)
                logits = self.network.head(features)  # type: ignore[operator]
        logits = logits.float()
        if stage.class_weight is not None:
            y, weight = weighted_by_class(y, weight, stage.class_weight)
        if y.shape[1] > 1:
            for hook in self.hooks:
                y = hook.targets(y)
        if not stage.per_row:
            # Each rank compares all pairs of the batch, so that each has its share of the loss.
            logits, y, weight = (distributed.gathered(part, batch) for part in (logits, y, weight))
            return stage.loss_of_pairs(logits, y, weight) * (len(y) / batch / distributed.count()), None
        per_row = stage.loss_per_row(logits, y)
        # Divided by the mean weight of a batch, not by the weight of this batch. A heavy row makes the weight of its
        # batch large, and would therefore count too little: this would bend the prior (by .3 in the log-odds at batches
        # of 16 with rows of weight 9).
        return (per_row * weight).sum() / (batch * self.mean_weight), per_row.detach()

    @contextmanager
    def _forward_pass(self, stage: StageParts) -> Iterator[None]:
        """The contexts of a forward pass of the training."""
        with shared_statistics(self.network), recomputed(self.network, self.recomputes):
            # A half precision has no more digits than the 8 bits that are rounded to.
            is_rounded = stage.quantization_aware
            with fake_quantization(self.network)() if is_rounded else self.placement.autocast():
                yield

    def _keep_losses(self, drawn: Sequence[BatchRows], each_row: Sequence[Tensor | None], batch: int) -> None:
        """Record the rows' last losses: of the first pass of a step, with the network's own weights."""
        known = [losses for losses in each_row if losses is not None]
        if self.last_loss is None or not known:
            return
        index = torch.from_numpy(np.concatenate([rows.index for rows in drawn])).to(self.last_loss.device)
        self.last_loss[distributed.gathered(index, batch)] = distributed.gathered(torch.cat(known), batch)

    def _augmented(
        self, stage: StageParts, features: Tensor, y: Tensor, weight: Tensor, batch: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The stage's augmentation of features, whose partners are rows of the whole batch."""
        change = stage.augment_features
        assert change is not None
        if distributed.count() == 1:
            return change(features, y, weight, self.generator)
        features, y, weight = (distributed.gathered(part, batch) for part in (features, y, weight))
        features, y, weight = change(features, y, weight, self.generator)
        own = distributed.own_share(batch)
        return features[own], y[own], weight[own]
