"""Which stages act: a stage that trains other parts than the one before gets an optimizer for them; a stage without
steps changes nothing, and the prior factor is that of the stage whose weights are kept."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rarebird.methods.regularization.early_stopping import EarlyStopping
from rarebird.slots.hooks import Hook, TrainState
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.step_plan import StepPlan
from rarebird.training.trainer import Trained, TrainingPlan
from tests.training.made_rows import recipe, rows
from tests.training.test_loop import recorder, some_rows, stage, training

CRT = [{"share": 0.75}, {"share": 0.25, "trainable": "head", "reset_head": True}]


def trainer(**changes: object) -> NetworkTrainer:
    return NetworkTrainer(recipe(steps=20, **changes), rows(), rows(seed=1), 0, "cpu")


def trained(steps: int | None = None, **changes: object) -> Trained:
    """A training of 20 steps that ends after `steps` of them."""
    made, calls = trainer(**changes), itertools.count(1)
    return made.run(TrainingPlan(made.plan(None, 1)), lambda progress: steps is not None and next(calls) >= steps)


def moving_parts(stages: object) -> list[set[str]]:
    """For each step of a training, the names of the parameters that it changed."""
    deep = {"name": "mlp", "width": 8, "depth": 3}
    made = trainer(stages=stages, network=deep, optimizer={"name": "sgd", "momentum": 0}, schedule="constant")
    run = made.training(made._placements()[0])
    before = {name: value.detach().clone() for name, value in run.network.named_parameters()}
    moved: list[set[str]] = []

    def look(state: TrainState) -> None:
        now = {name: value.detach().clone() for name, value in state.network.named_parameters()}
        moved.append({name for name, value in now.items() if not torch.equal(value, before[name])})
        before.update(now)

    run.hooks = [recorder(look)]
    run.run(StepPlan(20))
    return moved


def test_a_part_that_is_frozen_first_is_trained_later() -> None:
    moved = moving_parts("gradual_unfreezing")
    body = {name for name in moved[-1] if not name.startswith("head")}
    assert not moved[0] & body
    assert moved[2] < moved[6] < moved[10] < moved[-1]
    assert len(moved[-1]) == 10


@pytest.mark.parametrize("first", ["head", 0.5])
def test_a_stage_that_trains_other_parts_than_the_one_before_gets_them(first: object) -> None:
    moved = moving_parts([{"trainable": first}, {"trainable": "all"}])
    assert moved[8] < moved[12]


def test_a_stage_without_an_override_gets_the_recipes_own_optimizer_back() -> None:
    made = trainer(stages=[{"overrides": {"optimizer": "sgd"}}, {}, {}], optimizer="adamw")
    run = made.training(made._placements()[0])
    assert [one.restarts for one in run.stages] == [False, True, False]


def test_a_stage_after_one_without_steps_still_gets_its_own_optimizer() -> None:
    """Two steps leave no step for the short stage in between, whose optimizer the last stage would have shared."""
    built: list[str] = []

    class Method:
        learning_rate = 0.1

        def __init__(self, name: str) -> None:
            self.name = name

        def build(self, network: nn.Module) -> torch.optim.Optimizer:
            built.append(self.name)
            return torch.optim.SGD(network.parameters(), lr=0.1)

    own, recipes = Method("own"), Method("recipe's")
    stages = [
        stage(optimizer=own, until=0.5),
        stage(optimizer=recipes, until=0.5, restarts=True),
        stage(optimizer=recipes),
    ]
    training(some_rows(), stages).run(StepPlan(2))
    assert built == ["own", "recipe's"]


def test_a_head_is_not_drawn_anew_once_the_training_has_ended() -> None:
    whole, ended = (trained(10, stages=stages, schedule="constant") for stages in ([{}], CRT))
    for one, other in zip(whole.network.state_dict().values(), ended.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_stage_that_never_ran_does_not_normalize_the_head() -> None:
    whole, ended = (trained(10, stages=stages) for stages in ([{}], [{}, {"normalize_head": 1.0}]))
    for one, other in zip(whole.network.state_dict().values(), ended.network.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    np.testing.assert_allclose(ended.prior_factor, [0.5, 0.5])
    assert trained(15, stages=[{}, {"normalize_head": 1.0}]).prior_factor is None


@pytest.mark.parametrize(
    "second",
    [
        {"overrides": {"loss": "logit_adjusted"}},
        {"overrides": {"batch_sampling": "class_balanced"}},
        {"class_weight": "balanced"},
    ],
)
def test_the_prior_factor_is_of_the_stage_that_the_training_ended_in(second: dict[str, Any]) -> None:
    counts = rows().class_counts
    assert counts is not None
    inverse = 1 / counts
    np.testing.assert_allclose(trained(8, stages=[{}, second]).prior_factor, [0.5, 0.5])
    np.testing.assert_allclose(trained(12, stages=[{}, second]).prior_factor, inverse / inverse.sum())
    np.testing.assert_allclose(trained(stages=[{}, second]).prior_factor, inverse / inverse.sum())
    np.testing.assert_allclose(trained(stages=[second, {}]).prior_factor, [0.5, 0.5])


@pytest.mark.parametrize("resampling", [None, "random_over"])
def test_a_prior_factor_is_the_product_of_all_that_bends_the_prior(resampling: str | None) -> None:
    counts = rows().class_counts
    assert counts is not None
    inverse = 1 / counts
    bending = {"class_weight": "balanced", "overrides": {"loss": "logit_adjusted"}}
    # Resampled rows are balanced: nothing else then has classes to weigh.
    expected = inverse if resampling else inverse**2.5
    made = trained(resampling=resampling, batch_sampling="square_root", stages=[bending])
    np.testing.assert_allclose(made.prior_factor, expected / expected.sum())


def test_an_augmentation_that_bends_the_prior_leaves_it_unknown_in_its_own_stage_alone() -> None:
    bent = {"overrides": {"augmentation": ["remix"]}}
    assert trained(stages=[{}, bent]).prior_factor is None
    np.testing.assert_allclose(trained(10, stages=[{}, bent]).prior_factor, [0.5, 0.5])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothed_labels_have_no_prior_factor_by_the_loss_or_by_the_regularizer(smoothing: float) -> None:
    by_loss = trained(loss={"name": "cross_entropy", "label_smoothing": smoothing}).prior_factor
    by_hook = trained(regularization=[{"name": "label_smoothing", "smoothing": smoothing}]).prior_factor
    if smoothing:
        assert by_loss is None
        assert by_hook is None
    else:
        np.testing.assert_allclose([by_loss, by_hook], 0.5)


def test_the_weights_of_an_earlier_stage_keep_the_factor_of_that_stage() -> None:
    """Early stopping puts the best weights back; here the first evaluation is the best one."""

    class Worse(Hook):
        calls = itertools.count()

        def after_evaluation(self, state: TrainState) -> None:
            assert state.scores is not None
            state.scores["loss"] = float(next(self.calls))

    stages = [stage(until=0.5, normalize_head=None), stage(normalize_head=1.0)]
    run = training(some_rows(), stages, validation=lambda network: {"loss": 1.0})
    run.hooks = [Worse(), EarlyStopping(patience=50).attach(run.network)]
    run.run(StepPlan(24))
    assert (run.stage, run.kept_stage) == (1, 0)
    assert run.network.head.bias.any()  # type: ignore[union-attr]
    run.hooks = []
    run.run(StepPlan(24))
    assert run.kept_stage == 1


def test_the_learning_curve_is_corrected_by_the_factor_of_its_own_stage() -> None:
    plain, second = (
        trained(stages=stages).history
        for stages in ([{}], [{"share": 0.5}, {"share": 0.5, "overrides": {"loss": "logit_adjusted"}}])
    )
    first_half = [entry for entry in plain if entry["progress"] < 0.5]
    assert len(first_half) >= 3
    assert second[: len(first_half)] == first_half
    assert second[-1] != plain[-1]


def test_the_user_is_told_of_stages_that_never_ran() -> None:
    assert any("stage 1 of 2" in note for note in trained(10, stages=CRT).notes)
    assert not any("stage" in note for note in trained(stages=CRT).notes)


def test_a_replay_of_an_early_end_ends_in_the_same_stage() -> None:
    made = trainer(stages=CRT)
    calls = itertools.count(1)
    one = made.run(TrainingPlan(made.plan(None, 1)), lambda progress: next(calls) >= 10)
    two = made.run(TrainingPlan(made.plan(None, 1), changes=one.changes), lambda progress: False)
    assert one.changes == [(10, 10)]
    for first, again in zip(one.network.state_dict().values(), two.network.state_dict().values(), strict=True):
        assert torch.equal(first, again)
