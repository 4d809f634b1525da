"""The features of shapelets, step by step in numpy, and how they are fitted to the training rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from rarebird.data.dataset import Curves, Dataset, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.network._shapelets import FLAT, WIDTH, ShapeletBank, rooms
from rarebird.methods.network.shapelets import FARTHEST, Shapelets
from rarebird.recipe.recipe import Recipe
from tests.methods.network.made_series import made, spec_of

SMALL = Shapelets(count=60)


def build(spec: InputSpec, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return SMALL.build(spec).eval()


def windows_of(series: np.ndarray, length: int, dilation: int, by_shape: bool) -> np.ndarray:
    """``(windows, WIDTH)`` of one channel; of a series that is too short the first, with zeros beyond its end."""
    reach = (WIDTH - 1) * dilation
    padded = np.pad(series, (0, max(0, reach + 1 - len(series))))
    found = np.array([padded[at : at + reach + 1 : dilation] for at in range(max(length - reach, 1))], dtype=float)
    if by_shape:
        found = (found - found.mean(axis=1, keepdims=True)) / np.maximum(found.std(axis=1, keepdims=True), FLAT)
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_the_nearest_distance_its_place_and_how_often(channels: int) -> None:
    torch.manual_seed(0)
    bank, x = ShapeletBank(channels, 40, 60), made(6, channels, unequal=True)
    bank.fit(x["values"], x["lengths"], torch.ones(6))
    found = iter(bank(x["values"], x["lengths"]).T.split(bank.shapelets.shape[2]))
    origins = iter(bank.origins.split(bank.shapelets.shape[2]))
    for at, dilation in enumerate(bank.dilations):
        for group, channel in enumerate(bank.channel[at].tolist()):
            least, place, share = (next(found).numpy() for _ in range(3))
            by_shape = group >= len(bank.channel[at]) // 2
            for row, length in enumerate(x["lengths"].tolist()):
                own = windows_of(x["values"][row, channel].numpy(), length, dilation, by_shape)
                shapelets = bank.shapelets[at, group].double().numpy()
                distances = ((own - shapelets[:, None]) ** 2).sum(axis=2)
                np.testing.assert_allclose(least[:, row], np.sqrt(distances.min(axis=1)), atol=0.02)
                nearest = distances[range(len(place)), (place[:, row] * len(own)).round().astype(int)]
                np.testing.assert_allclose(np.sqrt(nearest), least[:, row], atol=0.2)
                edges, slack = bank.thresholds[at, group].numpy(), 2e-4 * (shapelets**2).sum(axis=1) + 1e-3
                low, high = (np.sqrt((distances < (edges + by)[:, None]).mean(axis=1)) for by in (-slack, slack))
                assert ((low - 1e-6 <= share[:, row]) & (share[:, row] <= high + 1e-6)).all()
            # Every shapelet is a window of the row that it was taken from.
            rows, *_ = (next(origins) for _ in range(3))
            assert (least[range(len(rows)), rows] < 0.02).all()


def test_the_nearest_place_is_the_first_of_equal_ones() -> None:
    torch.manual_seed(0)
    bank = ShapeletBank(1, 40, 60)
    wave = torch.sin(torch.arange(40) * torch.pi / 4).expand(5, 1, 40).contiguous()
    bank.fit(wave, torch.full((5,), 40), torch.ones(5))
    places = bank(wave, torch.full((5,), 40)).view(5, -1, 3, bank.shapelets.shape[2])[:, :2, 1]
    assert float(places.max()) < 8 / int(rooms(torch.tensor([40]), 1))
    torch.testing.assert_close(bank(wave[:1], torch.full((1,), 40)), bank(wave, torch.full((5,), 40))[:1])


def test_a_training_row_has_the_mean_of_the_others_for_its_own_shapelets() -> None:
    network, x = build(spec_of()), made(9)
    counts = torch.tensor([3.0] + [1.0] * 7 + [0.0])
    embedded = network.fit_frozen(x, counts)["embedded"]
    plain = network.embed(x)["embedded"]
    origins = torch.cat([bank.origins for bank in network.banks])
    assert set(origins.tolist()) <= set(range(8)), "a row that counts for nothing gives no shapelet"
    for feature, row in enumerate(origins.tolist()):
        weight = counts.clone()
        weight[row] = 0
        expected = plain[:, feature].clone()
        expected[row] = (weight @ plain[:, feature]) / weight.sum()
        torch.testing.assert_close(embedded[:, feature], expected)
    scaled = network.features({"embedded": embedded})
    assert float(scaled[origins, torch.arange(len(origins))].abs().max()) < 1e-4
    assert float(scaled.abs().max()) <= FARTHEST


@pytest.mark.parametrize("channels", [1, 4])
def test_features_repeat_from_a_folder_and_do_not_see_the_padding(channels: int) -> None:
    x = made(12, channels, unequal=True)
    network = build(spec_of(channels))
    network.fit_frozen(x, torch.ones(12))
    again = build(spec_of(channels), seed=5)
    assert not torch.equal(again.features(x), network.features(x))
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.features(x), network.features(x))
    longer = {"values": functional.pad(x["values"], (0, 9), value=3.0), "lengths": x["lengths"]}
    torch.testing.assert_close(network.features(longer), network.features(x), rtol=1e-3, atol=1e-3)


def test_a_solved_head_finds_a_shape_wherever_it_comes() -> None:
    """A bump that goes up and down, or down and up, at any place: no step of the series tells them apart."""
    rng = np.random.default_rng(0)
    n, y = 60, np.arange(60) % 2
    series = 0.2 * rng.normal(size=(n, 1, 60))
    for row, start in enumerate(rng.integers(0, 48, n)):
        series[row, 0, start : start + 12] += (1 - 2 * y[row]) * np.sin(np.linspace(0, 2 * np.pi, 12))
    ids = np.arange(n).astype(str)
    source = Curves(series.astype(np.float32), np.full(n, 60))
    train = Dataset("series", "classification", source, np.arange(n), y, ("down", "up"), ids)
    recipe = Recipe(kind="series", network=Shapelets(count=200), head="ridge", decision="balanced", threads=1)
    outcome = run(recipe, Splits(train), test_share=0.4)
    assert outcome.result.test is not None
    for scores in (outcome.result.test, outcome.result.validation):
        found = scores.metrics["balanced_accuracy"].value
        assert found is not None
        assert found > 0.9
