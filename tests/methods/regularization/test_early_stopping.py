"""Early stopping: stops after its patience, and hands back the weights that were judged best, with EMA in either
order."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rarebird.core.checks import DataError
from rarebird.methods.regularization.early_stopping import EarlyStopping
from rarebird.methods.regularization.ema import Ema
from rarebird.slots.hooks import Hook, TrainState


def run(hooks: list[Hook], net: nn.Module, scores: list[float], name: str = "loss") -> tuple[int, list[torch.Tensor]]:
    """Weights are 0, 1, 2, ... at each evaluation; gives the number of evaluations and the judged weights."""
    state = TrainState(net, 0, len(scores))
    judged_weights = []
    for step, score in enumerate(scores):
        with torch.no_grad():
            net.weight.fill_(float(step))  # type: ignore[operator, union-attr]
        for hook in hooks:
            hook.after_step(state)
        state.judged = next(
            (judged for hook in reversed(hooks) if (judged := hook.before_evaluation(state)) is not None), net
        )
        judged_weights.append(state.judged.weight.detach().clone())  # type: ignore[operator, union-attr]
        state.scores = {name: score}
        for hook in hooks:
            hook.after_evaluation(state)
        if state.stop:
            break
    for hook in hooks:
        hook.after_fit(state)
    return len(judged_weights), judged_weights


@pytest.mark.parametrize(
    ("metric", "sign"), [("loss", 1), ("brier_score", 1), ("mean_squared_error", 1), ("balanced_accuracy", -1)]
)
def test_stops_after_its_patience_and_restores_the_best(metric: str, sign: int) -> None:
    net = nn.Linear(1, 1)
    scores = [sign * value for value in (0.9, 0.5, 0.6, 0.4, 0.7, 0.7, 0.7, 0.1)]
    n, _ = run([EarlyStopping(patience=3, metric=metric).attach(net)], net, scores, metric)
    assert n == 7
    assert net.weight.item() == 3


def test_best_is_restored_where_patience_never_ends() -> None:
    net = nn.Linear(1, 1)
    assert run([EarlyStopping(patience=20).attach(net)], net, [0.9, 0.1, 0.5, math.nan])[0] == 4
    assert net.weight.item() == 1


@pytest.mark.parametrize("ema_first", [True, False])
def test_with_ema_the_judged_mean_is_restored(ema_first: bool) -> None:
    net = nn.Linear(1, 1)
    hooks = [Ema(half_life=0.2).attach(net), EarlyStopping(patience=2).attach(net)]
    _, judged = run(hooks if ema_first else hooks[::-1], net, [0.9, 0.8, 0.2, 0.5, 0.6])
    torch.testing.assert_close(net.weight.detach(), judged[2])
    assert not torch.equal(judged[2], torch.full((1, 1), 2.0))


def test_a_score_that_no_evaluation_gives_is_named() -> None:
    net = nn.Linear(1, 1)
    with pytest.raises(DataError, match="cannot use 'los', which is not evaluated; did you mean 'loss'"):
        run([EarlyStopping(metric="los").attach(net)], net, [1.0])
