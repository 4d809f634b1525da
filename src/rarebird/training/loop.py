"""The training loop: draws a batch, augments it, computes the loss, takes an optimizer step; until the plan is done."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import TrainState
from rarebird.slots.sampling_state import SamplingState
from rarebird.training import distributed
from rarebird.training.batch_statistics import shared_statistics
from rarebird.training.batch_step import BatchStep
from rarebird.training.checkpoint import Checkpoint
from rarebird.training.fake_quantization import fake_quantization, freeze_statistics
from rarebird.training.layer_rates import with_decay
from rarebird.training.loss_scale import OVERFLOWS, LossScale
from rarebird.training.nearby_rows import replaced
from rarebird.training.optimizer_state import restore, saved, set_rate, use_weights
from rarebird.training.position import Epoch, Position
from rarebird.training.sharding import Sharding
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
        checkpoint: Where the state of the training is written from time to time, and from where it goes on.
        position: Where it is.
        stage: The place of the stage of the last step.
        sharding: Its network, divided among the ranks and whole; None where it is not divided.
        kept_stage: After the training, the place of the stage whose weights the network has.
    """

    stages: Sequence[StageParts]
    batch_size: int
    rng: np.random.Generator
    fold: int = 0
    validation: Scores | None = None
    on_step: Callable[[float], bool] = lambda progress: False
    history: list[dict[str, float]] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    position: Position = field(init=False)
    sharding: Sharding | None = field(default=None, init=False)
    stage: int = field(default=0, init=False)
    kept_stage: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.position = Position(next_evaluation=1 / EVALUATIONS)
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
        kept = None if self.checkpoint is None else self.checkpoint.read()
        if kept is not None:
            self.network.load_state_dict(kept["network"])
        if self.is_sharded:
            self.sharding = Sharding(self.network, self.placement.device)
        state = TrainState(self.network, 0, plan.steps)
        optimizer = None if kept is None else self._resumed(kept, state, plan)
        at, restarts = self.position, optimizer is None
        for place, stage in enumerate(self.stages):
            if place < at.place:
                continue
            restarts = restarts or (stage.restarts and place > at.place)
            if plan.done or plan.progress >= stage.until:
                continue  # a stage without a step changes nothing
            if place > at.place:
                at.place, at.epoch = place, None
            self.stage = state.stage = place
            if optimizer is None or restarts:
                use_weights(optimizer, "eval")
                at.schedule_start, at.first_entry = self.stages[place - 1].until if place else 0.0, len(self.history)
                optimizer, restarts = self._build_optimizer(stage), False
            self._set_modes(stage, optimizer)
            for batch in self._batches(stage, plan):
                self._step_and_evaluate(stage, optimizer, batch, state, plan)
        use_weights(optimizer, "eval")
        if self.checkpoint is not None and distributed.decided(self.checkpoint.is_due):
            self._save(self.checkpoint, None, state, plan)
        self._finish(state)
        return self.history

    def _step_and_evaluate(
        self,
        stage: StageParts,
        optimizer: torch.optim.Optimizer,
        batch: np.ndarray,
        state: TrainState,
        plan: StepPlan,
    ) -> None:
        at = self.position
        progress = (plan.progress - at.schedule_start) / (self._schedule_end(at.place) - at.schedule_start)
        rate = set_rate(stage, optimizer, progress, self.history[at.first_entry :])
        at.losses.append(self._step(stage, optimizer, batch, state))
        plan.advance()
        state.step, state.steps, state.learning_rate = plan.step, plan.steps, rate
        for hook in self.hooks:
            hook.after_step(state)
        # Called before the evaluation, so that a training that is ended early is evaluated at its last step, as its
        # replay is.
        is_due = self.checkpoint is not None and self.checkpoint.is_due
        decided = int(distributed.decided(self.on_step(plan.progress) + 2 * is_due))
        ending = bool(decided % 2) or state.stop
        if plan.progress >= at.next_evaluation or plan.done or ending:
            at.next_evaluation = plan.progress + 1 / EVALUATIONS
            use_weights(optimizer, "eval")
            self._evaluate(state, plan, at.losses)
            self._set_modes(stage, optimizer)
        if ending or state.stop:
            plan.stop()
        if self.checkpoint is not None and decided >= 2:
            self._save(self.checkpoint, optimizer, state, plan)

    def _save(
        self, checkpoint: Checkpoint, optimizer: torch.optim.Optimizer | None, state: TrainState, plan: StepPlan
    ) -> None:
        """Write a checkpoint; without an optimizer, of a training that needs no more steps."""
        kept = {
            "network": self._whole().state_dict(),
            "ranges": fake_quantization(self.network).saved(),
            "optimizer": None if optimizer is None else saved(optimizer),
            "hooks": [hook.saved() for hook in self.hooks],
            "position": asdict(self.position),
            "plan": {name: getattr(plan, name) for name in ("step", "steps", "progress", "changes")},
            "state": {name: getattr(state, name) for name in ("learning_rate", "scores", "stop", "stage")},
            "judged": state.judged is not None,
            "history": self.history,
            "last_loss": self.last_loss,
            "loss_scale": None if self.loss_scale is None else asdict(self.loss_scale),
            "draws": [self.rng.bit_generator.state, self.generator.get_state(), torch.get_rng_state()],
        }
        checkpoint.write(plan.step, kept)

    def _resumed(self, kept: dict[str, Any], state: TrainState, plan: StepPlan) -> torch.optim.Optimizer:
        """Put a checkpoint into this training, whose network has its weights already; its optimizer."""
        epoch = kept["position"].pop("epoch")
        self.position = Position(**kept["position"], epoch=None if epoch is None else Epoch(**epoch))
        self.stage = self.position.place
        stage = replace(self.stages[self.stage], reset_head=False)
        optimizer = self._build_optimizer(stage)
        if kept["optimizer"] is not None:
            restore(optimizer, kept["optimizer"])
        vars(plan).update(kept["plan"], changes=[(step, steps) for step, steps in kept["plan"]["changes"]])
        vars(state).update(kept["state"], step=plan.step, steps=plan.steps)
        for hook, values in zip(self.hooks, kept["hooks"], strict=True):
            hook.restore(values, state)
        if kept["judged"]:
            state.judged = next((hook.mean for hook in reversed(self.hooks) if hook.mean is not None), None)
        self.history[:] = kept["history"]
        self.last_loss = kept["last_loss"]
        fake_quantization(self.network).restore(kept.get("ranges", []))
        if self.loss_scale is not None and (scale := kept.get("loss_scale")) is not None:
            self.loss_scale = LossScale(**scale)
        self.rng.bit_generator.state, augmentation, others = kept["draws"]
        self.generator.set_state(augmentation)
        torch.set_rng_state(others)
        return optimizer

    def _finish(self, state: TrainState) -> None:
        """Give the network the weights that are kept."""
        self.network = state.network = self._whole()
        with shared_statistics(self.network):
            for hook in self.hooks:
                hook.after_fit(state)
        self.kept_stage = state.stage
        if (power := self.stages[self.kept_stage].normalize_head) is not None:
            normalize_head(self.network, power)

    def _whole(self) -> nn.Module:
        """The network with all of its weights on this rank."""
        return self.network if self.sharding is None else self.sharding.gathered()

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
        if stage.quantization_aware or stage.frozen_statistics:
            freeze_statistics(self.network)
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

    def _new_epoch(self, plan: StepPlan) -> Epoch:
        read = self.last_loss
        last_loss = None if read is None or read.isnan().all() else read.double().cpu().numpy()
        return Epoch(self.rng.bit_generator.state, plan.progress, last_loss)  # type: ignore[arg-type]

    def _batches(self, stage: StageParts, plan: StepPlan) -> Iterator[np.ndarray]:
        """The batches of the stage, epoch after epoch."""
        y = self.rows.y.argmax(dim=1).cpu().numpy() if self.rows.y.shape[1] > 1 else self.rows.y[:, 0].cpu().numpy()
        while plan.progress < stage.until and not plan.done:
            epoch = self.position.epoch or self._new_epoch(plan)
            self.position.epoch, self.rng.bit_generator.state = epoch, epoch.draws
            state = SamplingState(epoch.progress, self.fold, self.rows.counts, epoch.last_loss)
            drawn = stage.sampling(y, self.batch_size, self.rng, state)
            batches = replaced(drawn, self.rows, y, stage.sampling, self.rng)
            for batch in itertools.islice(batches, epoch.taken, None):
                epoch.taken += 1
                yield batch
                if plan.progress >= stage.until or plan.done:
                    return
            self.position.epoch = None

    def _evaluate(self, state: TrainState, plan: StepPlan, losses: list[Tensor]) -> None:
        entry = {"step": float(plan.step), "progress": plan.progress, "learning_rate": state.learning_rate}
        taken = torch.stack(losses)
        if self.loss_scale is not None:
            taken = taken[taken.isfinite()]  # steps whose outputs overflowed were skipped
            if not len(taken):
                raise DataError(OVERFLOWS)
        entry["train_loss"] = float(distributed.total(taken.mean()))
        if not math.isfinite(entry["train_loss"]):
            raise DataError(f"The loss at step {plan.step} is no number: {DIVERGED}")
        losses.clear()
        if self.validation is not None:
            with shared_statistics(self.network):
                judged = (net for hook in reversed(self.hooks) if (net := hook.before_evaluation(state)) is not None)
                evaluated = next(judged, None) or self._whole()
            state.judged = evaluated
            state.scores = self.validation(evaluated)
            entry |= {f"val_{name}": value for name, value in state.scores.items()}
            for hook in self.hooks:
                hook.after_evaluation(state)
            if self.sharding is not None:
                self.sharding.release()
        self.history.append(entry)
