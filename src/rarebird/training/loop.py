"""The training loop: draws a batch, augments it, computes the loss, takes an optimizer step; until the plan is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import TrainState
from rarebird.slots.sampling_state import SamplingState
from rarebird.training import distributed
from rarebird.training.batch_statistics import shared_statistics
from rarebird.training.batch_step import BatchStep
from rarebird.training.layer_rates import with_decay
from rarebird.training.optimizer_state import set_rate, use_weights
from rarebird.training.stage import StageParts, normalize_head, trainable_parameters
from rarebird.training.step_plan import StepPlan

# Name -> score of a network on rows that it does not learn from.
Scores = Callable[[nn.Module], dict[str, float]]
EVALUATIONS = 12
DIVERGED = "the training diverged; lower the learning rate with --set optimizer.learning_rate=RATE."


@dataclass(kw_only=True)
class Training(BatchStep):
    """One network's training: its rows, its stages, how it computes, and the functions that it calls while it runs.

    Attributes:
        rng: Draws batches.
        fold: The number of the part whose network is trained.
        validation: Scores a network on rows that it does not learn from; called about `EVALUATIONS` times. None: no
            scores.
        on_step: Called with the progress 0..1 after every step; if it returns True, that step is the last.
        history: One entry per evaluation.
        stage: The place of the stage of the last step.
        kept_stage: After the training, the place of the stage whose weights the network has.
    """

    stages: Sequence[StageParts]
    batch_size: int
    rng: np.random.Generator
    fold: int = 0
    validation: Scores | None = None
    on_step: Callable[[float], bool] = lambda progress: False
    history: list[dict[str, float]] = field(default_factory=list)
    stage: int = field(default=0, init=False)
    kept_stage: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Recorded from the first stage on, so that a later stage that reads it begins with the losses so far.
        is_read = any(getattr(stage.sampling, "reads_last_loss", False) for stage in self.stages)
        if is_read:
            self.last_loss = torch.full((len(self.rows),), torch.nan, device=self.placement.device)

    def run(self, plan: StepPlan) -> list[dict[str, float]]:
        """Train until the plan is done; of several ranks, all together.

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
                use_weights(optimizer, "eval")
                schedule_start, first_entry = self.stages[place - 1].until if place else 0.0, len(self.history)
                optimizer, restarts = self._build_optimizer(stage), False
            self._set_modes(stage, optimizer)
            for batch in self._batches(stage, plan):
                progress = (plan.progress - schedule_start) / (self._schedule_end(place) - schedule_start)
                rate = set_rate(stage, optimizer, progress, self.history[first_entry:])
                losses.append(self._step(stage, optimizer, batch, state))
                plan.advance()
                state.step, state.steps, state.learning_rate = plan.step, plan.steps, rate
                for hook in self.hooks:
                    hook.after_step(state)
                # Called before the evaluation, so that a training that is ended early is evaluated at its last step, as
                # its replay is.
                ending = bool(distributed.decided(self.on_step(plan.progress))) or state.stop
                if plan.progress >= next_evaluation or plan.done or ending:
                    next_evaluation = plan.progress + 1 / EVALUATIONS
                    use_weights(optimizer, "eval")
                    self._evaluate(state, plan, losses)
                    self._set_modes(stage, optimizer)
                if ending or state.stop:
                    plan.stop()
        use_weights(optimizer, "eval")
        self._finish(state)
        return self.history

    def _finish(self, state: TrainState) -> None:
        """Give the network the weights that are kept."""
        with shared_statistics(self.network):
            for hook in self.hooks:
                hook.after_fit(state)
        self.kept_stage = state.stage
        if (power := self.stages[self.kept_stage].normalize_head) is not None:
            normalize_head(self.network, power)

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
        use_weights(optimizer, "train")
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

    def _evaluate(self, state: TrainState, plan: StepPlan, losses: list[Tensor]) -> None:
        entry = {"step": float(plan.step), "progress": plan.progress, "learning_rate": state.learning_rate}
        entry["train_loss"] = float(distributed.total(torch.stack(losses).mean()))
        if not math.isfinite(entry["train_loss"]):
            raise DataError(f"The loss at step {plan.step} is no number: {DIVERGED}")
        losses.clear()
        if self.validation is not None:
            with shared_statistics(self.network):
                judged = (net for hook in reversed(self.hooks) if (net := hook.before_evaluation(state)) is not None)
                evaluated = next(judged, self.network)
            state.judged = evaluated
            state.scores = self.validation(evaluated)
            entry |= {f"val_{name}": value for name, value in state.scores.items()}
            for hook in self.hooks:
                hook.after_evaluation(state)
        self.history.append(entry)
