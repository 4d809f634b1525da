"""The features of MultiRocket and Hydra, step by step in numpy, and how they are fitted to the training rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from rarebird.data.dataset import Curves, Dataset, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.network._hydra import HydraBank
from rarebird.methods.network._multirocket import KERNELS, MultiRocketBank, dilations_of, golden, pooled
from rarebird.methods.network.multirocket_hydra import FARTHEST, MultirocketHydra
from rarebird.recipe.recipe import Recipe
from tests.methods.network.made_series import made, spec_of

SMALL = MultirocketHydra(kernels=420, groups=3, group_size=4)


def build(settings: MultirocketHydra, spec: InputSpec, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return settings.build(spec).eval()


@pytest.mark.parametrize("margin", [0, 6])
def test_statistics_are_those_of_a_loop(margin: int) -> None:
    x = made(5, length=30, unequal=True)
    out = torch.randn(30, 3, 5, generator=torch.Generator().manual_seed(1))
    thresholds = torch.randn(2, 3, generator=torch.Generator().manual_seed(2)) / 2
    found = pooled(out, thresholds, x["lengths"], margin).view(5, 4, 2, 3).numpy()
    for row, length in enumerate(x["lengths"].tolist()):
        for level in range(2):
            for kernel in range(3):
                own = out[margin : length - margin, kernel, row].numpy() if length > 2 * margin else np.zeros(0)
                above = own > thresholds[level, kernel].item()
                runs = [len(run) for run in "".join("x" if one else " " for one in above).split()]
                expected = [
                    above.sum() / max(len(own), 1),
                    own[above].mean() - thresholds[level, kernel].item() if above.any() else 0,
                    np.flatnonzero(above).mean() / len(own) if above.any() else 0.5,
                    max(runs, default=0) / max(len(own), 1),
                ]
                np.testing.assert_allclose(found[row, :, level, kernel], expected, atol=1e-5)


def test_kernels_have_the_weight_two_at_three_places_and_minus_one_elsewhere() -> None:
    assert len(set(KERNELS)) == 84
    bank, x = MultiRocketBank(1, 40, 420), made(4)
    for place, dilation in enumerate(bank.dilations):
        for group in range(2):
            kernels = KERNELS[group::2]
            weights = torch.full((len(kernels), 1, 9), -1.0)
            for row, places in enumerate(kernels):
                weights[row, 0, list(places)] = 2
            expected = functional.conv1d(x["values"], weights, dilation=dilation, padding=4 * dilation)
            found = bank._outputs(x["values"], place, group)
            torch.testing.assert_close(found.permute(2, 1, 0), expected, rtol=1e-5, atol=1e-4)


def test_dilations_and_quantiles_are_those_of_the_paper() -> None:
    # Those that aeon 1.6 has for 500 steps and 6,250 features.
    dilations, counts = dilations_of(500, 74)
    assert dilations == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 16, 18, 21, 24, 28, 32, 36, 41, 47, 54, 62]
    assert counts == [14, 7, 5, 5, 3, 3, 3, 3, 3, *[2] * 14]
    assert dilations_of(5, 3) == ([1], [3])
    np.testing.assert_allclose(golden(3), [0.618034, 0.236068, 0.854102], atol=1e-6)


def test_thresholds_are_quantiles_of_the_outputs_for_training_rows() -> None:
    bank, x = MultiRocketBank(2, 40, 420), made(6, channels=2, unequal=True)
    bank.fit(x["values"], x["lengths"], torch.ones(6))
    start = 0
    for place, count in enumerate(bank.counts):
        for group in range(bank.groups):
            out = bank._outputs(x["values"], place, group)
            lows = [out[:length, :, row].amin(dim=0) for row, length in enumerate(x["lengths"].tolist())]
            highs = [out[:length, :, row].amax(dim=0) for row, length in enumerate(x["lengths"].tolist())]
            found = bank.thresholds[start : start + count, group :: bank.groups]
            inside = [(found >= low) & (found <= high) for low, high in zip(lows, highs, strict=True)]
            # All thresholds of a kernel at one dilation lie within the outputs for a single row.
            assert torch.stack(inside).all(dim=1).any(dim=0).all()
        start += count
    before = bank.thresholds.clone()
    # A row that counts for nothing is never drawn.
    bank.fit(x["values"], x["lengths"], torch.tensor([0.0, 0, 0, 1, 0, 0]))
    alone = MultiRocketBank(2, 40, 420)
    alone.load_state_dict(bank.state_dict())
    alone.fit(x["values"][3:4], x["lengths"][3:4], torch.ones(1))
    torch.testing.assert_close(alone.thresholds.sort(dim=0).values, bank.thresholds.sort(dim=0).values)
    assert not torch.equal(before, bank.thresholds)


@pytest.mark.parametrize("channels", [1, 3])
def test_hydra_credits_the_largest_and_the_smallest_output(channels: int) -> None:
    bank, x = HydraBank(channels, 40, 2, 3), made(4, channels, unequal=True)
    found = bank(x["values"], x["lengths"]).view(4, len(bank.dilations), 2, 2, 3)
    for place, dilation in enumerate(bank.dilations):
        mixed = torch.einsum("gc,bct->bgt", bank.mixtures[place], x["values"])
        weights = bank.weights[place].flatten(0, 1)[:, None]
        out = functional.conv1d(mixed, weights, dilation=dilation, padding=4 * dilation, groups=2).view(4, 2, 3, 40)
        for row, length in enumerate(x["lengths"].tolist()):
            own = out[row, :, :, :length].numpy()
            for kernel in range(3):
                wins = np.where(own.argmax(axis=1) == kernel, own[:, kernel], 0).sum(axis=1)
                losses = (own.argmin(axis=1) == kernel).sum(axis=1)
                for place_of, credits in enumerate((wins, losses)):
                    expected = np.sqrt(np.maximum(credits, 0) * 40 / length)
                    np.testing.assert_allclose(found[row, place, place_of, :, kernel], expected, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 4])
def test_features_are_scaled_by_the_training_rows_and_repeat_from_a_folder(channels: int) -> None:
    x = made(30, channels, unequal=channels > 1)
    network = build(SMALL, spec_of(channels))
    embedded = network.fit_frozen(x, torch.ones(30))
    torch.testing.assert_close(network.embed(x)["embedded"], embedded["embedded"])
    scaled = network.features(embedded)
    torch.testing.assert_close(scaled, network.features(x))
    assert float(scaled.abs().max()) <= FARTHEST
    rocket = scaled[:, : network.n_rocket]
    varied = rocket.std(dim=0) > 0
    assert float(varied.float().mean()) > 0.8
    torch.testing.assert_close(rocket[:, varied].mean(dim=0), torch.zeros(int(varied.sum())), rtol=0, atol=0.2)
    # Another network of the same shapes, with these weights, gives the same features.
    again = build(SMALL, spec_of(channels), seed=5)
    assert not torch.equal(again.features(x), scaled)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.features(x), scaled)


def test_a_row_of_weight_two_scales_like_two_rows() -> None:
    x = made(12)
    counts = torch.tensor([2.0] * 3 + [1.0] * 9)
    rows = torch.repeat_interleave(torch.arange(12), counts.long())
    weighted, copied = build(SMALL, spec_of()), build(SMALL, spec_of())
    weighted.fit_frozen(x, counts)
    copied.fit_frozen({name: part[rows] for name, part in x.items()}, torch.ones(15))
    torch.testing.assert_close(weighted.features(x), copied.features(x), rtol=1e-3, atol=1e-3)


def test_a_solved_head_predicts_the_frequency_of_a_wave() -> None:
    rng = np.random.default_rng(0)
    frequency = rng.uniform(0.2, 1, 120)
    waves = np.sin(np.arange(60) * frequency[:, None] + rng.uniform(0, 6, (120, 1)))[:, None]
    source = Curves((waves + 0.3 * rng.normal(size=waves.shape)).astype(np.float32), np.full(120, 60))
    ids = np.arange(120).astype(str)
    train = Dataset("series", "regression", source, np.arange(120), 100 * frequency, (), ids)
    settings = {"network": SMALL, "head": "ridge", "loss": "mean_squared", "metric": "r2", "threads": 1}
    outcome = run(Recipe(kind="series", **settings), Splits(train), test_share=0.25)
    assert outcome.result.test is not None
    r2 = outcome.result.test.metrics["r2"].value
    assert r2 is not None
    assert r2 > 0.95
    held = outcome.result.validation.metrics["r2"].value
    assert held is not None
    assert abs(held - r2) < 0.05


def test_differences_end_with_the_series() -> None:
    """A series that is padded has the features of the same series alone, apart from kernels that reach beyond it."""
    network, x = build(SMALL, spec_of()), made(6, unequal=True)
    network.fit_frozen(x, torch.ones(6))
    longer = {"values": functional.pad(x["values"], (0, 9), value=3.0), "lengths": x["lengths"]}
    torch.testing.assert_close(network.features(longer), network.features(x), rtol=1e-4, atol=1e-4)
