"""The training loop, as a story: batches are drawn, augmented, judged by the loss, and the optimizer steps, until the course is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rarebird.checks import DataError
from rarebird.protocols import BatchSampling, Hook, Inputs, Optimizer, SamplingState, Schedule, TrainState
from rarebird.training.batches import Rows
from rarebird.training.course import Course
from rarebird.training.device import Placement, is_out_of_memory

Augment = Callable[[Inputs, Tensor, Tensor, torch.Generator], tuple[Inputs, Tensor, Tensor]]
Judge = Callable[[nn.Module], dict[str, float]]
EVALUATIONS = 12
DIVERGED = "the training diverged; lower the learning rate with --set optimizer.learning_rate=RATE."


@dataclass(frozen=True)
class StageParts:
    """What one stage trains with.

    Attributes:
        until: Progress of the whole course at which the stage ends.
        restarts: Whether the stage begins with a fresh optimizer and its own schedule from 0 to 1.
    """

    loss: nn.Module
    sampling: BatchSampling
    optimizer: Optimizer
    schedule: Schedule
    augment: Augment | None = None
    trainable: str = "all"
    until: float = 1.0
    restarts: bool = False


@dataclass
class Training:
    """One network's training: what it learns from, in which stages, how it is computed, and who looks on.

    Attributes:
        judge: Scores of a network on held-out rows, or None; called about `EVALUATIONS` times.
        report: Told of the progress 0..1 after every step; True from it makes that step the last.
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
    judge: Judge | None = None
    report: Callable[[float], bool] = lambda progress: False
    history: list[dict[str, float]] = field(default_factory=list)
    parts: int = 1
    mean_weight: float = field(init=False)

    def __post_init__(self) -> None:
        self.mean_weight = float(self.rows.weight.mean())

    def run(self, course: Course) -> list[dict[str, float]]:
        """Train until the course is done.

        Returns:
            The history: one entry per evaluation, ``step, progress, learning_rate, train_loss`` and the judge's scores.

        Raises:
            DataError: The loss is no number any more: the training has diverged.
        """
        self.network.train()
        state = TrainState(self.network, 0, course.steps)
        begin, optimizer = 0.0, None
        losses: list[Tensor] = []
        next_evaluation = 1 / EVALUATIONS
        for stage in self.stages:
            if optimizer is None or stage.restarts:
                optimizer, since = self._optimizer(stage), begin
            for batch in self._batches(stage, course):
                rate = stage.optimizer.learning_rate * stage.schedule((course.progress - since) / (self._end(stage) - since))
                for group in optimizer.param_groups:
                    group["lr"] = rate * group.get("rate_factor", 1.0)
                losses.append(self._step(stage, optimizer, batch, state))
                course.advance()
                state.step, state.steps, state.learning_rate = course.step, course.steps, rate
                for hook in self.hooks:
                    hook.after_step(state)
                # Asked before the evaluation, so that a training that is ended early is judged where it ends, as its replay is.
                ending = self.report(course.progress) or state.stop
                if course.progress >= next_evaluation or course.done or ending:
                    next_evaluation = course.progress + 1 / EVALUATIONS
                    self._evaluate(state, course, losses)
                if ending or state.stop:
                    course.stop()
            begin = stage.until
        for hook in self.hooks:
            hook.after_fit(state)
        return self.history

    def _end(self, stage: StageParts) -> float:
        """Where a stage's schedule ends: with the last stage that shares its optimizer."""
        later = self.stages[self.stages.index(stage) + 1 :]
        ends = [stage.until]
        for other in later:
            if other.restarts:
                break
            ends.append(other.until)
        return ends[-1]

    def _optimizer(self, stage: StageParts) -> torch.optim.Optimizer:
        head = set(self.network.head.parameters())  # type: ignore[union-attr]
        for parameter in self.network.parameters():
            parameter.requires_grad_(stage.trainable == "all" or parameter in head)
        return stage.optimizer.build(self.network)

    def _batches(self, stage: StageParts, course: Course) -> Iterator[np.ndarray]:
        """Batches of one epoch after the other until the stage ends."""
        y = self.rows.y.argmax(dim=1).cpu().numpy() if self.rows.y.shape[1] > 1 else self.rows.y[:, 0].cpu().numpy()
        while course.progress < stage.until and not course.done:
            state = SamplingState(progress=course.progress, fold=self.fold)
            for batch in stage.sampling(y, self.batch_size, self.rng, state):
                yield batch
                if course.progress >= stage.until or course.done:
                    return

    def _step(self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState) -> Tensor:
        """One optimizer step; where memory runs out, the batch is computed in halves, from then on."""
        while True:
            try:
                return self._stepped(stage, optimizer, batch, state)
            except RuntimeError as error:
                if not is_out_of_memory(error) or len(batch) // self.parts < 4:
                    raise
            # Outside of the except block, so that the failed step's tensors are gone before the next try.
            self.parts *= 2
            optimizer.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _stepped(self, stage: StageParts, optimizer: torch.optim.Optimizer, batch: np.ndarray, state: TrainState) -> Tensor:
        drawn = [self._drawn(stage, part) for part in np.array_split(batch, self.parts)]
        # By what a batch weighs on average, not by what this one does: dividing by a sum that a heavy row itself makes large would make
        # heavy rows count too little, and bend the prior (by .3 in the log-odds at batches of 16 with rows of weight 9).
        total = len(batch) * self.mean_weight

        def closure() -> Tensor:
            optimizer.zero_grad(set_to_none=True)
            mean = torch.zeros((), device=self.placement.device)
            for x, y, weight in drawn:
                with self.placement.autocast():
                    logits = self.network(x)
                per_row = stage.loss(logits.float(), y)
                part = (per_row * weight).sum() / total
                mean = mean + part.detach()
                part.backward()
            penalties = [penalty for hook in self.hooks if (penalty := hook.penalty(self.network)) is not None]
            if penalties:
                torch.stack(penalties).sum().backward()  # type: ignore[no-untyped-call]
            for hook in self.hooks:
                hook.after_backward(state)
            return mean

        return optimizer.step(closure)  # type: ignore[arg-type, return-value]

    def _drawn(self, stage: StageParts, index: np.ndarray) -> tuple[Inputs, Tensor, Tensor]:
        x, y, weight = self.rows.batch(index, self.placement)
        return (x, y, weight) if stage.augment is None else stage.augment(x, y, weight, self.generator)

    def _evaluate(self, state: TrainState, course: Course, losses: list[Tensor]) -> None:
        entry = {"step": float(course.step), "progress": course.progress, "learning_rate": state.learning_rate}
        entry["train_loss"] = float(torch.stack(losses).mean())
        if not math.isfinite(entry["train_loss"]):
            raise DataError(f"The loss at step {course.step} is no number: {DIVERGED}")
        losses.clear()
        if self.judge is not None:
            judged = next((net for hook in reversed(self.hooks) if (net := hook.before_evaluation(state)) is not None), self.network)
            state.judged = judged
            state.scores = self.judge(judged)
            entry |= {f"val_{name}": value for name, value in state.scores.items()}
            for hook in self.hooks:
                hook.after_evaluation(state)
        self.history.append(entry)
