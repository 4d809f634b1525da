"""What a stage may ask of the loop: parts of the network, class weights, losses of pairs, members, features, a new or
normalized head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.batch_sampling.by_loss import ByLoss, expected_draws
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.stage import normalize_head, trainable_parameters
from rarebird.training.step_plan import StepPlan
from tests.training.test_loop import (
    CrossEntropy,
    Descent,
    InOrder,
    Linear,
    recorder,
    some_rows,
    stage,
    training,
    weights_after,
)


def ids(*modules: nn.Module) -> set[int]:
    return {id(parameter) for module in modules for parameter in module.parameters()}


def test_a_share_of_the_layers_is_counted_from_the_head() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    network.head = nn.Linear(2, 2)
    one, two, three, head = network
    assert trainable_parameters(network, "all") == ids(one, two, three, head)
    assert trainable_parameters(network, "head") == ids(head)
    assert trainable_parameters(network, 0.25) == ids(head)
    assert trainable_parameters(network, 0.3) == ids(three, head)
    assert trainable_parameters(network, 1.0) == ids(one, two, three, head)


def test_normalized_heads_have_rows_of_one_length_and_no_bias() -> None:
    network = Linear()
    direction = nn.functional.normalize(network.head.weight.detach(), dim=1)
    half = Linear()
    half.load_state_dict(network.state_dict())
    normalize_head(half, 0.5)
    torch.testing.assert_close(half.head.weight.norm(dim=1), network.head.weight.norm(dim=1).sqrt())
    normalize_head(network, 1.0)
    torch.testing.assert_close(network.head.weight.detach(), direction)
    assert not network.head.bias.any()


def test_a_head_that_is_not_linear_is_refused() -> None:
    network = nn.Module()
    network.head = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(DataError, match="head is linear"):
        normalize_head(network, 1.0)


def test_the_head_is_normalized_when_training_is_over() -> None:
    trained = training(some_rows(), [stage(normalize_head=1.0)])
    trained.run(StepPlan(5))
    torch.testing.assert_close(trained.network.head.weight.norm(dim=1), torch.ones(2))  # type: ignore[union-attr]


def test_class_weights_of_a_stage_equal_row_weights() -> None:
    rows = some_rows()
    by_class = torch.tensor([0.5, 2.0])
    weighted = some_rows(weight=(rows.y @ by_class).numpy())
    scale = float(weighted.weight.mean())
    by_row = weights_after(training(weighted, [stage(optimizer=scaled(scale))]))
    torch.testing.assert_close(weights_after(training(rows, [stage(class_weight=by_class)])), by_row)


def scaled(factor: float) -> Descent:
    descent = Descent()
    descent.learning_rate *= factor
    return descent


def test_a_head_that_starts_anew_forgets() -> None:
    class Reset(Linear):
        resets = 0

        def __init__(self) -> None:
            super().__init__()
            self.head.reset_parameters = self.count  # type: ignore[method-assign]

        def count(self) -> None:
            Reset.resets += 1

    trained = training(some_rows(), [stage(until=0.5), stage(trainable="head", restarts=True, reset_head=True)])
    trained.network = Reset()
    trained.run(StepPlan(10))
    assert Reset.resets == 1


def test_a_loss_of_pairs_gets_the_weights_and_the_step_follows_its_mean() -> None:
    class Mean(nn.Module):
        def forward(self, logits: Tensor, y: Tensor, weight: Tensor) -> Tensor:
            return (CrossEntropy()(logits, y) * weight).sum() / len(y)

    rows = some_rows(weight=np.linspace(0.5, 1.5, 12))
    torch.testing.assert_close(
        weights_after(training(rows, [stage(loss=Mean(), per_row=False)])), weights_after(training(rows))
    )


def test_members_learn_each_from_their_own_loss() -> None:
    class Twice(Linear):
        def forward(self, x: dict[str, Tensor]) -> Tensor:
            logits = super().forward(x)
            return torch.stack([logits, logits], dim=1) if self.training else logits

    trained = training(some_rows())
    torch.manual_seed(0)
    trained.network = Twice()
    torch.testing.assert_close(weights_after(trained), weights_after(training(some_rows())))


def test_features_are_augmented_between_body_and_head() -> None:
    class Bodied(Linear):
        def features(self, x: dict[str, Tensor]) -> Tensor:
            return torch.tanh(self.body(x["numbers"]))

    def dropped(
        features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        return 0 * features, y, weight

    trained = training(some_rows(), [stage(augment_features=dropped)])
    trained.network = Bodied()
    before = trained.network.body.weight.detach().clone()
    bias = trained.network.head.bias.detach().clone()
    trained.run(StepPlan(3))
    assert torch.equal(trained.network.body.weight, before)
    assert not torch.equal(trained.network.head.bias, bias)


@pytest.mark.parametrize("second", [{"trainable": "head"}, {"frozen_statistics": True}])
def test_batch_norms_keep_their_statistics_where_frozen_or_asked_for(second: dict[str, Any]) -> None:
    class Normed(Linear):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x: dict[str, Tensor]) -> Tensor:
            return super().forward({"numbers": self.norm(x["numbers"])})

    means: list[Tensor] = []
    trained = training(
        some_rows(),
        [stage(until=0.5), stage(restarts=True, **second)],
        validation=lambda network: {"loss": 1.0},
    )
    trained.network = Normed()
    trained.hooks = [recorder(lambda state: means.append(state.network.norm.running_mean.clone()))]  # type: ignore[union-attr,operator]
    scales: list[Tensor] = []
    trained.hooks += [recorder(lambda state: scales.append(state.network.norm.weight.detach().clone()))]  # type: ignore[union-attr,operator]
    trained.run(StepPlan(10))
    assert [torch.equal(one, means[4]) for one in means] == [False] * 4 + [True] * 6
    assert torch.equal(scales[-1], scales[4]) == ("trainable" in second)


def test_schedules_see_the_held_out_losses_of_their_own_course() -> None:
    seen: list[tuple[float, ...]] = []

    def schedule(progress: float, losses: Any = ()) -> float:
        seen.append(tuple(losses))
        return 1.0

    values = iter(range(100))
    trained = training(some_rows(), [stage(schedule=schedule, until=0.5), stage(schedule=schedule, restarts=True)])
    trained.validation = lambda network: {"loss": float(next(values))}
    trained.run(StepPlan(24))
    assert seen[0] == ()
    assert seen[11] == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert seen[12] == ()
    assert seen[23][0] >= 5


def test_hooks_may_wrap_the_optimizer_and_change_the_targets() -> None:
    class Both(Hook):
        wrapped = 0

        def around(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
            Both.wrapped += 1
            return optimizer

        def targets(self, y: Tensor) -> Tensor:
            return torch.full_like(y, 0.5)

    trained = training(some_rows(), [stage(optimizer=scaled(4))], hooks=[Both()])
    trained.run(StepPlan(400))
    logits = trained.network({"numbers": trained.rows.inputs["numbers"]})
    assert Both.wrapped == 1
    torch.testing.assert_close(logits[:, 0], logits[:, 1], atol=0.05, rtol=0)


def test_an_averaging_optimizer_is_asked_for_the_weights_of_each_purpose() -> None:
    calls: list[str] = []

    class Averaging(torch.optim.SGD):
        def train(self) -> None:
            calls.append("train")

        def eval(self) -> None:
            calls.append("eval")

    class Method(Descent):
        def build(self, network: nn.Module) -> torch.optim.Optimizer:
            return Averaging(network.parameters(), lr=0.1)

    def validate(network: nn.Module) -> dict[str, float]:
        calls.append("judged")
        return {"loss": 1.0}

    class Last(Hook):
        def after_fit(self, state: TrainState) -> None:
            calls.append("over")

    training(some_rows(), [stage(optimizer=Method())], validation=validate, hooks=[Last()]).run(StepPlan(2))
    assert calls == ["train", "eval", "judged", "train", "eval", "judged", "train", "eval", "over"]


def test_samplers_see_each_rows_last_loss() -> None:
    seen: list[np.ndarray | None] = []

    class Looking:
        reads_last_loss = True

        def __call__(self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: Any) -> Any:
            seen.append(state.last_loss)
            yield np.arange(6)

    rows = some_rows()
    training(rows, [stage(sampling=Looking(), optimizer=scaled(0))]).run(StepPlan(2))
    assert seen[0] is None
    torch.manual_seed(0)
    expected = CrossEntropy()(Linear()({"numbers": rows.inputs["numbers"]}), rows.y).detach().double().numpy()
    np.testing.assert_allclose(seen[1][:6], expected[:6], rtol=1e-5)  # type: ignore[index]
    assert np.isnan(seen[1][6:]).all()  # type: ignore[index]


def test_last_losses_are_recorded_only_if_a_sampling_reads_them_and_change_nothing() -> None:
    class Asking(InOrder):
        reads_last_loss = True

    plain, asking = (training(some_rows(), [stage(sampling=sampling)]) for sampling in (InOrder(), Asking()))
    assert torch.equal(weights_after(plain), weights_after(asking))
    assert plain.last_loss is None
    assert asking.last_loss is not None
    assert asking.last_loss.isfinite().all()


def test_a_later_stage_by_loss_begins_with_the_losses_of_the_first() -> None:
    drawn: list[np.ndarray] = []
    rows = some_rows(60)

    class Recorded(ByLoss):
        def __call__(self, y: np.ndarray, batch_size: int, rng: np.random.Generator, state: Any) -> Any:
            for batch in super().__call__(y, batch_size, rng, state):
                drawn.append(batch)
                yield batch

    by_loss = Recorded(uniform=0, most=10)
    trained = training(
        rows, [stage(until=0.5, optimizer=scaled(0)), stage(sampling=by_loss, optimizer=scaled(0))], batch_size=30
    )
    trained.network.head.weight.data.mul_(20)  # so that losses differ
    trained.run(StepPlan(4))
    losses = CrossEntropy()(trained.network({"numbers": rows.inputs["numbers"]}), rows.y).detach().double().numpy()
    times = np.bincount(np.concatenate(drawn), minlength=60)
    # Each row as often as its share of the losses says, up to the rounding to whole draws.
    assert (np.abs(times - expected_draws(losses, np.ones(len(losses)), 0, 10)) < 1).all()
    assert times.max() > 1
