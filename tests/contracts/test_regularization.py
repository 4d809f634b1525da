"""The contract of regularization: a hook that lives through a training, leaves the network usable, and can be copied
before it starts."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from rarebird.methods.network._layers import DropPath
from rarebird.slots import methods
from rarebird.slots.hooks import Hook, TrainState

CASES = [
    pytest.param(value, id=f"{name}-{place}")
    for name in methods.names("regularization")
    for place, value in enumerate(methods.load("regularization", name).examples())
]
every_regularizer = pytest.mark.parametrize("regularizer", CASES)


class Residual(nn.Module):
    """A branch that may be skipped, with batch normalization and dropout inside."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1))
        self.drop_path = DropPath(0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop_path(self.branch(x))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), Residual(), Residual(), nn.Linear(8, 3))


def train(net: nn.Module, hooks: list[Hook], steps: int = 20, losses: list[float] | None = None) -> TrainState:
    """The loop's calls of hooks in their order, with evaluations that score `losses`."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(2)
    optimizer: torch.optim.Optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for hook in hooks:
        optimizer = hook.around(optimizer)
    state = TrainState(net, 0, steps)
    for step in range(steps):
        net.train()
        x, y = torch.randn(8, 4, generator=generator), torch.eye(3)[torch.randint(3, (8,), generator=generator)]
        for hook in hooks:
            y = hook.targets(y)

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            for penalty in [value for hook in hooks if (value := hook.penalty(net)) is not None]:
                penalty.backward()
            for hook in hooks:
                hook.after_backward(state)
            return loss.detach()

        assert torch.isfinite(optimizer.step(closure))  # type: ignore[arg-type]
        state.step, state.learning_rate = step + 1, 0.1
        for hook in hooks:
            hook.after_step(state)
        state.judged = next(
            (judged for hook in reversed(hooks) if (judged := hook.before_evaluation(state)) is not None), net
        )
        state.scores = {"loss": losses[step] if losses else 1 / (1 + step)}
        for hook in hooks:
            hook.after_evaluation(state)
        if state.stop:
            break
    for hook in hooks:
        hook.after_fit(state)
    return state


@every_regularizer
def test_attach_gives_a_hook_and_leaves_the_network(regularizer: Any) -> None:
    net = network()
    before = copy.deepcopy(net.state_dict())
    assert isinstance(regularizer.attach(net), Hook)
    torch.testing.assert_close(dict(net.state_dict()), dict(before), rtol=0, atol=0)


@every_regularizer
def test_network_is_finite_and_trainable_after_a_training(regularizer: Any) -> None:
    net = network()
    state = train(net, [regularizer.attach(net)])
    assert state.network is net
    assert all(torch.isfinite(tensor).all() for tensor in net.state_dict().values())
    assert all(parameter.requires_grad for parameter in net.parameters())


@every_regularizer
def test_targets_stay_distributions_and_what_is_given_is_untouched(regularizer: Any) -> None:
    y = torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    before = y.clone()
    given = regularizer.attach(network()).targets(y)
    torch.testing.assert_close(given.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(y, before, rtol=0, atol=0)


@every_regularizer
def test_what_is_judged_last_is_what_is_kept(regularizer: Any) -> None:
    net = network()
    state = train(net, [regularizer.attach(net)])
    assert state.judged is not None
    torch.testing.assert_close(dict(net.state_dict()), dict(state.judged.state_dict()), rtol=0, atol=0)


@every_regularizer
def test_training_is_repeatable_and_a_copied_hook_does_the_same(regularizer: Any) -> None:
    first, second = network(), network()
    train(first, [regularizer.attach(first)])
    train(second, [copy.deepcopy(regularizer.attach(second))])
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)


@every_regularizer
def test_two_trainings_share_nothing(regularizer: Any) -> None:
    alone = network()
    train(alone, [regularizer.attach(alone)])
    other, beside = network(), network()
    hooks = regularizer.attach(other), regularizer.attach(beside)
    train(other, [hooks[0]], steps=7)
    train(beside, [hooks[1]])
    torch.testing.assert_close(dict(beside.state_dict()), dict(alone.state_dict()), rtol=0, atol=0)
