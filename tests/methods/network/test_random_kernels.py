"""Random kernels: their statistics step by step in numpy, and a head that trains to the optimum scikit-learn finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.network.random_kernels import (
    FAINT,
    NOISE_SPREAD,
    KernelBank,
    RandomKernels,
    RunningStandardize,
    convolved,
)
from rarebird.slots import methods


def series(length: int, channels: int = 1) -> InputSpec:
    return InputSpec(kind="series", task="classification", n_outputs=2, channels=channels, length=length)


def waves(n: int, length: int = 60) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Noisy waves at random phases; the class is the frequency."""
    source = torch.Generator().manual_seed(0)
    y = torch.arange(n) % 2
    phase, step = 6.28 * torch.rand(n, 1, generator=source), torch.arange(length)
    values = torch.sin(step * (0.5 + 0.15 * y[:, None]) + phase) + 0.7 * torch.randn(n, length, generator=source)
    return {"values": values[:, None], "lengths": torch.full((n,), length)}, y


@pytest.mark.parametrize("dilation", [1, 2, 8])
def test_convolved_is_the_dilated_convolution_of_torch(dilation: int) -> None:
    mixed, weights = torch.randn(3, 5, 40), torch.randn(3, 4, 9)
    expected = functional.conv1d(
        mixed.transpose(0, 1), weights.view(12, 1, 9), dilation=dilation, padding=4 * dilation, groups=3
    )
    torch.testing.assert_close(convolved(mixed, weights, dilation), expected.view(5, 3, 4, 40).permute(1, 2, 0, 3))


def test_kernels_have_mean_zero_and_absolute_sum_one() -> None:
    bank = KernelBank(channels=4, length=200, groups=16, kernels=8)
    assert bank.dilations == [1, 2, 4, 8, 16]
    torch.testing.assert_close(bank.weights.mean(dim=3), torch.zeros(5, 16, 8), atol=1e-6, rtol=0)
    torch.testing.assert_close(bank.weights.abs().sum(dim=3), torch.ones(5, 16, 8))
    mixed = bank.channels.sum(dim=2)
    assert set(mixed.unique().tolist()) == {1.0, 2.0, 3.0, 4.0}
    assert (mixed == 1).sum() > (mixed == 4).sum()
    assert KernelBank(1, 1, 2, 3).dilations == [1]
    # White noise of deviation 1 comes out at the spread that the absolute thresholds are in units of.
    assert bank.weights.square().sum(dim=3).sqrt().mean().item() == pytest.approx(NOISE_SPREAD, abs=0.02)


def test_statistics_step_by_step() -> None:
    groups, kernels, length = 3, 4, 17
    bank = KernelBank(channels=2, length=20, groups=groups, kernels=kernels)
    values = torch.randn(2, 2, 20, generator=torch.Generator().manual_seed(3))
    found = bank(values, torch.tensor([20, length]))[1].view(len(bank.dilations), 5, groups, kernels).double().numpy()
    thresholds = bank.thresholds.view(groups, kernels).double().numpy()
    assert len(bank.dilations) >= 2
    for place, dilation in enumerate(bank.dilations):
        out = np.zeros((groups, kernels, length))
        for group in range(groups):
            row = (bank.channels[place, group].double().numpy()[:, None] * values[1, :, :length].double().numpy()).sum(
                0
            )
            padded = np.pad(row, 4 * dilation)
            for step in range(length):
                out[group, :, step] = (
                    bank.weights[place, group].double().numpy() @ padded[step : step + 8 * dilation + 1 : dilation]
                )
        largest, smallest = out.argmax(1), out.argmin(1)
        for kernel in range(kernels):
            own, spread = out[:, kernel], np.sqrt((out[:, kernel] ** 2).mean(1))
            expected = [
                np.sqrt(np.clip((own * (largest == kernel)).mean(1), 0, None)),
                np.sqrt((smallest == kernel).mean(1)),
                np.sqrt((own > thresholds[:, kernel, None] * spread[:, None]).mean(1)),
                np.sqrt((own > thresholds[:, kernel, None] * NOISE_SPREAD).mean(1)),
                np.log(spread + FAINT),
            ]
            np.testing.assert_allclose(found[place, :, :, kernel], expected, rtol=1e-4, atol=1e-5)


def test_what_an_amplitude_changes() -> None:
    bank = KernelBank(channels=1, length=64, groups=4, kernels=4)
    values, lengths = torch.randn(3, 1, 64, generator=torch.Generator().manual_seed(0)), torch.full((3,), 64)
    shape = (3, len(bank.dilations), 5, 16)
    once, twice = bank(values, lengths).view(shape), bank(2 * values, lengths).view(shape)
    torch.testing.assert_close(twice[:, :, 0], 2**0.5 * once[:, :, 0])
    torch.testing.assert_close(twice[:, :, 1:3], once[:, :, 1:3])
    assert not torch.allclose(twice[:, :, 3], once[:, :, 3])
    torch.testing.assert_close(twice[:, :, 4], once[:, :, 4] + np.log(2), atol=0.01, rtol=0)


def test_standardizing_does_not_depend_on_how_rows_are_split_into_batches() -> None:
    rows = torch.randn(90, 7) * torch.arange(1.0, 8) + 3
    rows[:, 6] = 5.0
    whole, dealt = RunningStandardize(7), RunningStandardize(7)
    expected = whole(rows)
    for part in torch.split(rows, [1, 60, 29]):
        dealt(part)
    torch.testing.assert_close(dealt.eval()(rows), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        expected[:, :6], (rows - rows.mean(0))[:, :6] / rows.std(0, correction=0)[:6], rtol=1e-2, atol=1e-3
    )
    assert expected[:, 6].abs().max() < 1e-2, "a feature that never varies says nothing"


def test_a_finer_precision_is_kept_where_autocast_would_round() -> None:
    network, (x, _) = RandomKernels(groups=4).build(series(60)), waves(4)
    exact = network.embed(x)["embedded"]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.embed(x)["embedded"], exact)


def test_the_head_has_the_number_of_features_of_the_card() -> None:
    assert RandomKernels().build(series(500)).head.in_features == 7_680


def test_only_the_head_learns() -> None:
    network = RandomKernels().build(series(60))
    assert {name for name, _ in network.named_parameters()} == {"head.weight", "head.bias"}


def test_the_head_reaches_the_optimum_of_logistic_regression() -> None:
    torch.manual_seed(0)
    network, (x, y) = RandomKernels(groups=2, kernels=4).build(series(60)), waves(40)
    decay = 1e-3
    optimizer = methods.build("optimizer", {"name": "sgd", "learning_rate": 1.0, "weight_decay": decay}).build(network)  # type: ignore[attr-defined]
    embedded = network.embed(x)
    for _ in range(300):
        optimizer.zero_grad()
        functional.cross_entropy(network(embedded), y).backward()
        optimizer.step()

    def objective(logits: torch.Tensor, weight: torch.Tensor) -> float:
        return (functional.cross_entropy(logits, y) + decay / 2 * weight.square().sum()).item()

    features = network.features(embedded).double().numpy()
    referee = LogisticRegression(C=2 / (decay * len(y)), tol=1e-8).fit(features, y.numpy())
    # Two opposite rows of half the referee's weights are the softmax's optimum: hence twice its C.
    weight = torch.from_numpy(np.vstack([-referee.coef_, referee.coef_]) / 2)
    best = objective(
        torch.from_numpy(features) @ weight.T + torch.tensor([-1, 1]) * float(referee.intercept_[0]) / 2, weight
    )
    assert objective(network(embedded), network.head.weight) == pytest.approx(best, rel=0.01)


def test_tells_frequencies_apart_from_a_few_rows() -> None:
    torch.manual_seed(0)
    network, (x, y) = RandomKernels().build(series(60)), waves(240)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0, momentum=0.9)
    embedded = network.embed(x)["embedded"]
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(network({"embedded": embedded[:40]}), y[:40]).backward()
        optimizer.step()
    right = network.eval()({"embedded": embedded[40:]}).argmax(1) == y[40:]
    assert right.float().mean() > 0.9
