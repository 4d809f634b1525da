"""The training loop: draws a batch, augments it, computes the loss, takes an optimizer step; until the plan is done."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.protocols import Inputs
from rarebird.slots.sampling_state import SamplingState
from rarebird.training.batches import Batch, Rows, weighted_by_class
from rarebird.training.device import Placement, is_out_of_memory
from rarebird.training.layer_rates import with_decay
from rarebird.training.stage import StageParts, normalize_head, trainable_parameters
from rarebird.training.step_plan import StepPlan

# Name -> score of a network on rows that it does not learn from.
Scores = Callable[[nn.Module], dict[str, float]]
EVALUATIONS = 12
DIVERGED = "the training diverged; lower the learning rate with --set optimizer.learning_rate=RATE."


@dataclass(frozen=True)
class BatchRows:
    """Rows of one batch, or of a part of it, on the device."""

    index: np.ndarray
    x: Inputs
    y: Tensor
    weight: Tensor


@dataclass
class Training:
    """One network's training: its rows, its stages, how it computes, and the functions that it calls while it runs.

    Attributes:
        rng: Draws batches.
        generator: Draws augmentations.
        hooks: The regularizers.
        fold: The number of the part whose network is trained.
        validation: Scores a network on rows that it does not learn from; called about `EVALUATIONS` times. None: no
            scores.
        on_step: Called with the progress 0..1 after every step; if it returns True, that step is the last.
        history: One entry per evaluation.
        parts: A batch is computed in this number of parts; doubled where memory runs out.
        mean_weight: Mean weight of the rows.
        last_loss: ``(n,)`` each row's loss when it was last in a batch, NaN before; None where no stage's batch
            sampling reads it.
        stage: The place of the stage of the last step.
        kept_stage: After the training, the place of the stage whose weights the network has.
    """

    network: nn.Module
    rows: Rows
    stages: Sequence[StageParts]
    placement: Placement
    batch_size: int
    rng: np.random.Generator
    generator: torch.Generator
    hooks: Sequence[Hook] = ()
    fold: int = 0
    validation: Scores | None = None
    on_step: Callable[[float], bool] = lambda progress: False
    history: list[dict[str, float]] = field(default_factory=list)
    parts: int = 1
    mean_weight: float = field(init=False)
    last_loss: Tensor | None = field(init=False)
    stage: int = field(default=0, init=False)
    kept_stage: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.mean_weight = float(self.rows.weight.mean())
        # Recorded from the first stage on, so that a later stage that reads it begins with the losses so far.
        is_read = any(getattr(stage.sampling, "reads_last_loss", False) for stage in self.stages)
        self.last_loss = torch.full((len(self.rows),), torch.nan, device=self.placement.device) if is_read else None

    def run(self, plan: StepPlan) -> list[dict[str, float]]:
        """Train until the plan is done.

        Returns:
            The history: one entry per evaluation, ``step, progress, learning_rate, train_loss`` and the validation's
                scores.

        Raises:
            DataError: The loss is infinite or NaN: the training has diverged.
        """
        state = TrainState(self.network, 0, plan.steps)
        optimizer: torch.optim.Optimizer | None = None
        restarts = True
        losses: list[Tensor] = []
        next_evaluation = 1 / EVALUATIONS
        for place, stage in enumerate(self.stages):
            restarts = restarts or stage.restarts
            if plan.done or plan.progress >= stage.until:
                continue  # a stage without a step changes nothing
            self.stage = state.stage = place
            if optimizer is None or restarts:
                _switch_weights(optimizer, "eval")
                schedule_start, first_entry = self.stages[place - 1].until if place else 0.0, len(self.history)
                optimizer, restarts = self._build_optimizer(stage), False
            self._set_modes(stage, optimizer)
            for batch in self._batches(stage, plan):
                progress = (plan.progress - schedule_start) / (self._schedule_end(place) - schedule_start)
                rate = _set_rate(stage, optimizer, progress, self.history[first_entry:])
                losses.append(self._step(stage, optimizer, batch, state))
                plan.advance()
                state.step, state.steps, state.learning_rate = plan.step, plan.steps, rate
                for hook in self.hooks:
                    hook.after_step(state)
                # Called before the evaluation, so that a training that is ended early is evaluated at its last step, as
                # its replay is.
                ending = self.on_step(plan.progress) or state.stop
                if plan.progress >= next_evaluation or plan.done or ending:
                    next_evaluation = plan.progress + 1 / EVALUATIONS
                    _switch_weights(optimizer, "eval")
                    self._evaluate(state, plan, losses)
                    self._set_modes(stage, optimizer)
                if ending or state.stop:
                    plan.stop()
        _switch_weights(optimizer, "eval")
        for hook in self.hooks:
            hook.after_fit(state)
        self.kept_stage = state.stage
        if (power := self.stages[self.kept_stage].normalize_head) is not None:
            normalize_head(self.network, power)
        return self.history

    def _schedule_end(self, place: int) -> float:
        """The progress at which a stage's schedule ends: that of the last stage with the same optimizer."""
        end = self.stages[place].until
        for later in self.stages[place + 1 :]:
            if later.restarts:
                break
            end = later.until
        return end

    def _build_optimizer(self, stage: StageParts) -> torch.optim.Optimizer:
        if stage.reset_head:
            for module in self.network.head.modules():  # type: ignore[union-attr]
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()  # type: ignore[operator]
        trained = trainable_parameters(self.network, stage.trainable)
        for parameter in self.network.parameters():
            parameter.requires_grad_(id(parameter) in trained)
        optimizer = stage.optimizer.build(self.network)
        with_decay(optimizer, self.network, stage.layer_decay)
        for hook in self.hooks:
            optimizer = hook.around(optimizer)
        return optimizer

    def _set_modes(self, stage: StageParts, optimizer: torch.optim.Optimizer) -> None:
        """Put network and optimizer into training mode; frozen layers also keep their batch statistics."""
        self.network.train()
        _switch_weights(optimizer, "train")
        if stage.trainable == "all":
            return
        for module in self.network.modules():
            parameters = list(module.parameters(recurse=False))
            if (
                isinstance(module, nn.modules.batchnorm._BatchNorm)
                and parameters
                and not any(one.requires_grad for one in parameters)
            ):
                module.eval()

    def _batches(self, stage: StageParts, plan: StepPlan) -> Iterator[np.ndarray]:
        """The batches of the stage, epoch after epoch."""
        y = self.rows.y.argmax(dim=1).cpu().numpy() if self.rows.y.shape[1] > 1 else self.rows.y[:, 0].cpu().numpy()
        while plan.progress < stage.until and not plan.done:
            read = self.last_loss
            last_loss = None if read is None or read.isnan().all() else read.double().cpu().numpy()
            state = SamplingState(progress=plan.progress, fold=self.fold, rows=self.rows.counts, last_loss=last_loss)
            for batch in stage.sampling(y, self.batch_size, self.rng, state):
                yield batch
                if plan.progress >= stage.until or plan.done:
                    return

    def _step(
        self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState
    ) -> Tensor:
        """One optimizer step; where memory runs out, this batch and all later ones are computed in more parts."""
        while True:
            try:
                return self._try_step(stage, optimizer, batch, state)
            except RuntimeError as error:
                if not is_out_of_memory(error) or len(batch) // self.parts < 4:
                    raise
            # Outside the except block, so that the tensors of the failed step are freed before the next try.
            self.parts *= 2
            optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _try_step(
        self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState
    ) -> Tensor:
        drawn = [self._draw(stage, part) for part in np.array_split(batch, self.parts)]
        # An optimizer may compute a step more than once (sharpness-aware ones do): each time with the same draws.
        random_state = None if stage.augment_features is None else self.generator.get_state()
        passes = itertools.count()

        def closure() -> Tensor:
            is_first = next(passes) == 0
            optimizer.zero_grad(set_to_none=True)
            mean = torch.zeros((), device=self.placement.device)
            if random_state is not None:
                self.generator.set_state(random_state)
            for rows in drawn:
                part = self._loss(stage, rows, len(batch), is_first)
                mean = mean + part.detach()
                part.backward()  # type: ignore[no-untyped-call]
            penalties = [penalty for hook in self.hooks if (penalty := hook.penalty(self.network)) is not None]
            if penalties:
                torch.stack(penalties).sum().backward()  # type: ignore[no-untyped-call]
            for hook in self.hooks:
                hook.after_backward(state)
            return mean

        return optimizer.step(closure)  # type: ignore[arg-type, return-value]

    def _draw(self, stage: StageParts, index: np.ndarray) -> BatchRows:
        def augment(x: Inputs, y: Tensor, weight: Tensor) -> Batch:
            return (x, y, weight) if stage.augment is None else stage.augment(x, y, weight, self.generator)

        weighted = not getattr(stage.sampling, "draws_by_weight", False)
        return BatchRows(index, *self.rows.batch(index, self.placement, augment, weighted))

    def _loss(self, stage: StageParts, rows: BatchRows, batch: int, is_first: bool) -> Tensor:
        """The part of the batch's mean loss that comes from these rows; the first pass of a step, with the network's
        own weights, gives the rows' last losses."""
        y, weight = rows.y, rows.weight
        with self.placement.autocast():
            if stage.augment_features is None:
                logits = self.network(rows.x)
            else:
                features, y, weight = stage.augment_features(self.network.features(rows.x), y, weight, self.generator)  # type: ignore[operator]
                logits = self.network.head(features)  # type: ignore[operator]
        logits = logits.float()
        if stage.class_weight is not None:
            y, weight = weighted_by_class(y, weight, stage.class_weight)
        if y.shape[1] > 1:
            for hook in self.hooks:
                y = hook.targets(y)
        if not stage.per_row:
            return stage.loss_of_pairs(logits, y, weight) * (len(y) / batch)
        per_row = stage.loss_per_row(logits, y)
        if self.last_loss is not None and is_first:
            self.last_loss[torch.from_numpy(rows.index).to(per_row.device)] = per_row.detach()
        # Divided by the mean weight of a batch, not by the weight of this batch. A heavy row makes the weight of its
        # batch large, and would therefore count too little: this would bend the prior (by .3 in the log-odds at batches
        # of 16 with rows of weight 9).
        return (per_row * weight).sum() / (batch * self.mean_weight)

    def _evaluate(self, state: TrainState, plan: StepPlan, losses: list[Tensor]) -> None:
        entry = {"step": float(plan.step), "progress": plan.progress, "learning_rate": state.learning_rate}
        entry["train_loss"] = float(torch.stack(losses).mean())
        if not math.isfinite(entry["train_loss"]):
            raise DataError(f"The loss at step {plan.step} is no number: {DIVERGED}")
        losses.clear()
        if self.validation is not None:
            evaluated = next(
                (net for hook in reversed(self.hooks) if (net := hook.before_evaluation(state)) is not None),
                self.network,
            )
            state.judged = evaluated
            state.scores = self.validation(evaluated)
            entry |= {f"val_{name}": value for name, value in state.scores.items()}
            for hook in self.hooks:
                hook.after_evaluation(state)
        self.history.append(entry)


def _switch_weights(optimizer: torch.optim.Optimizer | None, mode: str) -> None:
    """Put the weights for ``train`` or ``eval`` into the network, where the optimizer keeps different ones for each."""
    change = getattr(optimizer, mode, None)
    if change is not None:
        change()


def _set_rate(
    stage: StageParts, optimizer: torch.optim.Optimizer, progress: float, entries: Sequence[dict[str, float]]
) -> float:
    """Put the learning rate of the schedule's `progress` into the optimizer, given the evaluations since its start."""
    rate = stage.optimizer.learning_rate * stage.schedule(progress, [_schedule_loss(entry) for entry in entries])
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)
    return rate


def _schedule_loss(entry: dict[str, float]) -> float:
    """The loss that a schedule reads: that of the rows not learned from, where they are scored."""
    return entry.get("val_loss", entry["train_loss"])
