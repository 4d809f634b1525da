"""SWA: numpy's mean of the last weights, statistics of the mean's own activations, and no mean before its time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.methods.regularization.swa import BATCHES, Swa, estimate_statistics, normalizations
from rarebird.slots.hooks import TrainState


def wander(net: nn.Module, state: TrainState, hooks: list, steps: int, after: int = 0) -> list[np.ndarray]:
    """Steps that put the first layer's weights somewhere at random, with a forward pass before each; the weights after
    each."""
    seen = []
    for step in range(after, after + steps):
        generator = torch.Generator().manual_seed(step)
        net.train()(torch.randn(64, 3, generator=generator))
        with torch.no_grad():
            net[0].weight.normal_(generator=generator)  # type: ignore[index,operator,union-attr]
        state.step = step + 1
        for hook in hooks:
            hook.after_step(state)
        seen.append(net[0].weight.detach().numpy().copy())  # type: ignore[index,operator,union-attr]
    return seen


def network(norm: bool) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4) if norm else nn.Tanh(), nn.Linear(4, 2))


@pytest.mark.parametrize(("share", "averaged"), [(0.25, 11), (0.5, 21), (1.0, 40)])
def test_equals_numpys_mean_of_the_last_weights(share: float, averaged: int) -> None:
    net = network(norm=False)
    hook, state = Swa(share=share).attach(net), TrainState(net, 0, 40)
    seen = wander(net, state, [hook], 40)
    expected = np.mean(seen[-averaged:], axis=0)
    judged = hook.before_evaluation(state)
    assert judged is not None
    np.testing.assert_allclose(judged[0].weight.numpy(), expected, rtol=1e-5, atol=1e-6)  # type: ignore[index,union-attr]
    hook.after_fit(state)
    np.testing.assert_allclose(net[0].weight.detach().numpy(), expected, rtol=1e-5, atol=1e-6)  # type: ignore[index,operator,union-attr]


def test_nothing_is_judged_before_the_mean_begins() -> None:
    net = network(norm=True)
    hook, state = Swa(share=0.5).attach(net), TrainState(net, 0, 100)
    seen = wander(net, state, [hook], 49)
    assert hook.before_evaluation(state) is None
    hook.after_fit(state)
    np.testing.assert_array_equal(net[0].weight.detach().numpy(), seen[-1])  # type: ignore[index,operator,union-attr]


def test_statistics_are_the_means_own() -> None:
    net = network(norm=True)
    hook, state = Swa(share=0.5).attach(net), TrainState(net, 0, 60)
    wander(net, state, [hook], 60)
    mean = hook.before_evaluation(state)
    assert mean is not None
    batches = [torch.randn(64, 3, generator=torch.Generator().manual_seed(step)) for step in range(60 - BATCHES, 60)]
    activations = [mean[0](batch).detach() for batch in batches]  # type: ignore[index,operator]
    torch.testing.assert_close(mean[1].running_mean, torch.stack([a.mean(dim=0) for a in activations]).mean(dim=0))  # type: ignore[index,union-attr]
    torch.testing.assert_close(mean[1].running_var, torch.stack([a.var(dim=0) for a in activations]).mean(dim=0))  # type: ignore[index,union-attr]
    # The trained network's own statistics are far off: its weights are larger than their mean.
    assert net[1].running_var.mean() > 2 * mean[1].running_var.mean()  # type: ignore[index,union-attr,operator]


def test_a_frozen_normalization_keeps_its_statistics_and_nobody_listens_afterwards() -> None:
    net = network(norm=True)
    hook, state = Swa(share=1.0).attach(net), TrainState(net, 0, 4)
    wander(net, state, [hook], 4)
    net[1].eval()  # type: ignore[index]
    hook.after_fit(state)
    torch.testing.assert_close(net[1].running_mean, _replayed_mean(4))  # type: ignore[index]
    assert not net._forward_pre_hooks


def _replayed_mean(steps: int) -> Tensor:
    """The average over all steps of the running means that a training leaves."""
    net, means = network(norm=True), []
    state = TrainState(net, 0, steps)

    class Look:
        def after_step(self, state: TrainState) -> None:
            means.append(net[1].running_mean.clone())  # type: ignore[index,operator,union-attr]

    wander(net, state, [Look()], steps)
    return torch.stack(means).mean(dim=0)


def test_estimate_equals_torchs_update_bn() -> None:
    ours, theirs = network(norm=True), network(norm=True)
    batches = [torch.randn(16, 3) for _ in range(5)]
    estimate_statistics(ours, normalizations(ours), batches)
    torch.optim.swa_utils.update_bn(batches, theirs)
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    assert not any(module.training for module in ours.modules())
    assert ours[1].momentum == 0.1  # type: ignore[index,union-attr]
