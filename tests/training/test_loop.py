"""The loop against plain torch: weights and parts change nothing they should not, stages and hooks come in their
order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.batches import Rows
from rarebird.training.device import Placement
from rarebird.training.loop import Training
from rarebird.training.stage import StageParts
from rarebird.training.step_plan import StepPlan


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return self.head(torch.tanh(self.body(x["numbers"])))


class CrossEntropy(nn.Module):
    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        return -(y * logits.log_softmax(dim=1)).sum(dim=1)


class Descent:
    """Plain gradient descent as an optimizer method."""

    learning_rate = 0.5

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=self.learning_rate)


class InOrder:
    """All rows in order, in batches."""

    def __call__(self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: object) -> Iterator[np.ndarray]:
        yield from np.array_split(np.arange(len(y)), max(1, len(y) // batch_size))


def constant(progress: float, losses: object = ()) -> float:
    return 1.0


def stage(**changes: Any) -> StageParts:
    parts: dict[str, Any] = {
        "loss": CrossEntropy(),
        "sampling": InOrder(),
        "optimizer": Descent(),
        "schedule": constant,
    }
    return StageParts(**(parts | changes))


def training(rows: Rows, stages: list[StageParts] | None = None, **changes: Any) -> Training:
    torch.manual_seed(0)
    return Training(
        network=Linear(),
        rows=rows,
        stages=stages or [stage()],
        placement=changes.pop("placement", Placement()),
        batch_size=changes.pop("batch_size", len(rows)),
        rng=np.random.default_rng(0),
        generator=torch.Generator(),
        **changes,
    )


def some_rows(n: int = 12, weight: np.ndarray | None = None) -> Rows:
    rng = np.random.default_rng(1)
    y = torch.eye(2)[torch.from_numpy(rng.integers(0, 2, n))]
    weight = np.ones(n) if weight is None else weight
    return Rows(
        {"numbers": torch.from_numpy(rng.normal(size=(n, 3)).astype(np.float32))},
        y,
        torch.from_numpy(weight.astype(np.float32)),
    )


def repeated(rows: Rows, times: list[int]) -> Rows:
    at = torch.from_numpy(np.repeat(np.arange(len(rows)), times))
    return Rows({"numbers": rows.inputs["numbers"][at]}, rows.y[at], torch.ones(len(at)))


def weights_after(trained: Training, steps: int = 5) -> Tensor:
    trained.run(StepPlan(steps))
    return torch.cat([p.detach().flatten() for p in trained.network.parameters()])


def test_weight_two_equals_the_row_twice() -> None:
    times = [1, 2, 1, 3, 1, 1, 2, 1, 1, 1, 1, 2]
    weighted = some_rows(weight=np.array(times))
    torch.testing.assert_close(weights_after(training(weighted)), weights_after(training(repeated(some_rows(), times))))


def test_the_scale_of_all_weights_does_not_matter() -> None:
    heavy = some_rows(weight=np.full(12, 7.0))
    torch.testing.assert_close(weights_after(training(heavy)), weights_after(training(some_rows())))


def test_a_batch_in_parts_takes_the_same_step() -> None:
    rows = some_rows(weight=np.linspace(0.5, 2, 12))
    torch.testing.assert_close(weights_after(training(rows, parts=3)), weights_after(training(rows)))


def test_running_out_of_memory_halves_the_batch_and_goes_on() -> None:
    class Greedy(Linear):
        largest = 0

        def forward(self, x: dict[str, Tensor]) -> Tensor:
            if len(x["numbers"]) > 6:
                raise torch.OutOfMemoryError("out of memory")
            Greedy.largest = max(Greedy.largest, len(x["numbers"]))
            return super().forward(x)

    rows = some_rows()
    plain = weights_after(training(rows))
    greedy = training(rows)
    torch.manual_seed(0)
    greedy.network = Greedy()
    torch.testing.assert_close(weights_after(greedy), plain)
    assert greedy.parts == 2
    assert Greedy.largest == 6


def test_another_error_is_not_taken_for_memory() -> None:
    broken = training(some_rows())
    broken.network.forward = lambda x: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        broken.run(StepPlan(3))


def test_stages_take_their_share_and_the_head_alone_learns_where_asked() -> None:
    trained = training(some_rows(), [stage(until=0.5), stage(until=1.0, trainable="head", restarts=True)])
    snapshots: list[Tensor] = []
    trained.hooks = [recorder(lambda state: snapshots.append(state.network.body.weight.detach().clone()))]  # type: ignore[union-attr]
    trained.run(StepPlan(10))
    moved = [not torch.equal(before, after) for before, after in itertools.pairwise(snapshots)]
    assert moved == [True] * 4 + [False] * 5


def test_each_schedule_runs_from_zero_to_one_of_its_own_stages() -> None:
    seen: dict[str, list[float]] = {"one": [], "two": []}

    def follow(name: str) -> Callable[[float], float]:
        return lambda progress, losses=(): seen[name].append(progress) or 1.0  # type: ignore[func-returns-value]

    stages = [
        stage(until=0.25, schedule=follow("one")),
        stage(until=0.5, schedule=follow("one")),
        stage(schedule=follow("two"), restarts=True),
    ]
    training(some_rows(), stages).run(StepPlan(16))
    assert seen["one"] == pytest.approx([step / 8 for step in range(8)])
    assert seen["two"] == pytest.approx([step / 8 for step in range(8)])


def recorder(record: Callable[[TrainState], object]) -> Hook:
    class Recorder(Hook):
        def after_step(self, state: TrainState) -> None:
            record(state)

    return Recorder()


def test_a_hook_may_stop_the_training_and_a_penalty_is_felt() -> None:
    class Stop(Hook):
        def after_evaluation(self, state: TrainState) -> None:
            state.stop = state.step >= 20

    stopped = training(some_rows(), validation=lambda network: {"loss": 1.0}, hooks=[Stop()])
    plan = StepPlan(120)
    history = stopped.run(plan)
    assert plan.step == 20
    assert history[-1]["step"] == 20
    assert history[-1]["val_loss"] == 1.0

    class Shrink(Hook):
        def penalty(self, network: nn.Module) -> Tensor:
            return 10 * torch.stack([p.square().sum() for p in network.parameters()]).sum()

    shrunk = training(some_rows(), hooks=[Shrink()])
    shrunk.stages = [stage(optimizer=slow())]
    assert weights_after(shrunk, 50).norm() < weights_after(training(some_rows()), 50).norm() / 10


def slow() -> Descent:
    descent = Descent()
    descent.learning_rate = 0.02
    return descent


def test_the_history_has_about_twelve_entries_and_falls() -> None:
    rows = some_rows(40)
    history = training(rows, batch_size=8).run(StepPlan(240))
    assert 11 <= len(history) <= 13
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["progress"] == 1


def weighted_prior(batch_size: int) -> float:
    """The log-odds that rows without features teach, 200 of weight 9 among 1800 of weight 1: the classes weigh the
    same."""

    class Shuffled(InOrder):
        def __call__(
            self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: object
        ) -> Iterator[np.ndarray]:
            yield from np.array_split(rng.permutation(len(y)), len(y) // batch_size)

    rare = torch.arange(2000) < 200
    rows = Rows({"numbers": torch.zeros(2000, 3)}, torch.eye(2)[rare.long()], torch.where(rare, 9.0, 1.0))
    seen: list[float] = []

    def look(state: TrainState) -> None:
        if state.step > 400:
            logits = state.network.head(torch.tanh(state.network.body.bias))  # type: ignore[union-attr,operator]
            seen.append(float((logits[1] - logits[0]).detach()))

    trained = training(
        rows, [stage(sampling=Shuffled(), optimizer=slow())], batch_size=batch_size, hooks=[recorder(look)]
    )
    trained.run(StepPlan(1500))
    return float(np.mean(seen))


def test_heavy_rows_count_in_full_however_small_the_batch() -> None:
    # Divided by its own sum of weights, a batch of 16 would teach log-odds of -0.3.
    assert weighted_prior(16) == pytest.approx(0, abs=0.1)


def test_a_batch_of_weightless_rows_changes_nothing() -> None:
    weight = np.ones(12)
    weight[:6] = 0
    trained = training(some_rows(weight=weight), batch_size=6)
    before = [parameter.detach().clone() for parameter in trained.network.parameters()]
    trained.run(StepPlan(1))
    assert all(torch.equal(one, two) for one, two in zip(before, trained.network.parameters(), strict=True))


def test_a_training_that_diverges_says_so() -> None:
    lost = training(some_rows(), [stage(loss=Broken())])
    with pytest.raises(DataError, match=r"step 1 is no number.*lower the learning rate"):
        lost.run(StepPlan(3))


class Broken(nn.Module):
    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        return logits.sum(dim=1) * torch.inf


@pytest.mark.parametrize("by_user", [True, False], ids=["user", "hook"])
def test_a_training_that_was_ended_early_replays_to_the_same_history_and_weights(by_user: bool) -> None:
    class Stop(Hook):
        def after_step(self, state: TrainState) -> None:
            state.stop = not by_user and state.step >= 7

    def run(plan: StepPlan, ends: bool) -> tuple[list[dict[str, float]], Tensor, list[tuple[int, int]]]:
        calls = itertools.count(1)
        trained = training(
            some_rows(), validation=lambda network: {"loss": float(next(network.parameters()).detach().sum())}
        )
        trained.hooks = [Stop()] if ends else []
        trained.on_step = lambda progress: ends and by_user and next(calls) >= 7
        trained.run(plan)
        return trained.history, torch.cat([p.detach().flatten() for p in trained.network.parameters()]), plan.changes

    history, weights, changes = run(StepPlan(100), ends=True)
    assert changes == [(7, 7)]
    assert history[-1]["step"] == 7
    for ends in (True, False):
        again = run(StepPlan(100, changes=changes), ends)
        assert again[0] == history
        torch.testing.assert_close(again[1], weights, rtol=0, atol=0)
        assert again[2] == changes
