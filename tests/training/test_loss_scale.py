"""Loss scaling: an overflow skips the step and halves the scale, good steps double it; the step itself is the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.core.checks import DataError
from rarebird.training import loss_scale
from rarebird.training.device import Placement
from rarebird.training.fine_tuning import on_one_cpu
from rarebird.training.network_trainer import NetworkTrainer
from rarebird.training.step_plan import StepPlan
from rarebird.training.trainer import TrainingPlan
from tests.training import made_rows
from tests.training.test_loop import Descent, some_rows, stage, training, weights_after


class Momentum(Descent):
    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=0.05, fused=True)


def test_a_step_in_float16_is_that_in_float32_but_for_rounding() -> None:
    half = training(some_rows(60), [stage(optimizer=Momentum())], placement=Placement(precision="float16"))
    assert half.loss_scale is not None
    half.loss_scale.value = 2.0**10
    plain = weights_after(training(some_rows(60), [stage(optimizer=Momentum())]))
    torch.testing.assert_close(weights_after(half), plain, atol=5e-3, rtol=0)
    assert half.loss_scale.good_steps == 5


def test_an_overflow_skips_the_step_and_halves_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    half = training(some_rows(60), [stage(optimizer=Momentum())], placement=Placement(precision="float16"))
    before = torch.cat([one.detach().flatten().clone() for one in half.network.parameters()])
    assert half.loss_scale is not None
    half.loss_scale.value = 2.0**30
    torch.testing.assert_close(weights_after(half, steps=3), before, atol=0, rtol=0)
    assert (half.loss_scale.value, half.loss_scale.good_steps) == (2.0**27, 0)
    assert half.history[-1]["train_loss"] > 0
    half.loss_scale.value = 2.0**8
    monkeypatch.setattr(loss_scale, "GROWTH_STEPS", 2)
    half.run(StepPlan(5))
    assert (half.loss_scale.value, half.loss_scale.good_steps) == (2.0**10, 1)


def test_a_network_without_numbers_ends_with_a_sentence() -> None:
    half = training(some_rows(60), placement=Placement(precision="float16"))
    with torch.no_grad():
        next(half.network.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="give --set precision=bfloat16"):
        half.run(StepPlan(40))


def test_only_gpus_compute_in_float16() -> None:
    recorded = made_rows.recipe(precision="float16", sharded=True)
    assert (on_one_cpu(recorded).precision, on_one_cpu(recorded).sharded) == ("float32", False)
    rows = made_rows.rows(60)
    trainer = NetworkTrainer(made_rows.recipe(precision="float16"), rows, rows, 0, "cpu")
    with pytest.raises(DataError, match="precision=float16 is for GPUs; on a CPU, give"):
        trainer.plan(None, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 is computed by GPUs")
def test_a_gpu_learns_in_float16() -> None:
    rows = made_rows.rows()
    trainer = NetworkTrainer(made_rows.recipe(precision="float16", steps=60), rows, rows, 0, "cuda")
    history = trainer.run(TrainingPlan(trainer.plan(None, 1)), lambda share: False).history
    assert history[-1]["train_loss"] < history[0]["train_loss"]
