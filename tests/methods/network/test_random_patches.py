"""Random patches: outputs, whitening and regions step by step in numpy, and a fit on planted shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.data.spec import InputSpec
from rarebird.experiment.run import run
from rarebird.methods.network._patch_bank import EVEN, QUANTILE, PatchBank, cut_out, drawn_patches, regions_of
from rarebird.methods.network.random_patches import RandomPatches
from rarebird.recipe.defaults import default_recipe


def pictures(n: int = 40, channels: int = 2, height: int = 13, width: int = 11) -> torch.Tensor:
    return torch.randint(0, 256, (n, channels, height, width), generator=torch.Generator().manual_seed(0)).byte()


def fitted(pixels: torch.Tensor, counts: torch.Tensor | None = None, count: int = 7, side: int = 3) -> PatchBank:
    torch.manual_seed(0)
    bank = PatchBank(*pixels.shape[1:], count, side)
    counts = torch.ones(len(pixels)) if counts is None else counts
    bank.fit(drawn_patches([bank], pixels, counts)[0])
    return bank


def test_features_are_those_of_a_loop_over_places() -> None:
    pixels = pictures()
    bank = fitted(pixels)
    shown = (pixels[:2].double() / 255).numpy()
    found = bank(torch.from_numpy(shown).float()).numpy().reshape(2, len(bank.regions), 7)
    for row in range(2):
        means: dict[int, list[np.ndarray]] = {}
        for top in range(11):
            for left in range(9):
                patch = shown[row, :, top : top + 3, left : left + 3].ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var() + float(bank.even))
                out = bank.kernels.double().numpy().reshape(7, -1) @ patch - bank.offsets.double().numpy()
                for region in (0, 1 + top * 3 // 11 * 3 + left * 3 // 9):
                    means.setdefault(region, []).append(np.maximum(out, 0))
        for region, outputs in means.items():
            np.testing.assert_allclose(found[row, region], np.sqrt(np.mean(outputs, axis=0)), atol=1e-4)


def test_the_bank_holds_whitened_training_patches_and_their_quantiles() -> None:
    pixels = pictures()
    torch.manual_seed(0)
    bank = PatchBank(*pixels.shape[1:], 7, 3)
    patches = drawn_patches([bank], pixels, torch.ones(len(pixels)))[0]
    bank.fit(patches)
    flat = patches.flatten(1).double()
    assert float(bank.even) == pytest.approx(EVEN * float(flat.var()), rel=1e-4)
    scaled = flat - flat.mean(dim=1, keepdim=True)
    scaled = scaled / (scaled.square().mean(dim=1, keepdim=True) + bank.even).sqrt()
    outputs = scaled @ bank.kernels.flatten(1).double().T - bank.offsets
    above = (outputs > 0).double().mean(dim=0)
    assert above.numpy() == pytest.approx(np.full(7, 1 - QUANTILE), abs=0.01)


def test_patches_lie_where_the_draws_say() -> None:
    pixels = torch.arange(2 * 30.0).view(2, 1, 5, 6)
    found = cut_out(pixels, torch.tensor([[[0.0], [0.99]], [[0.5], [0.99]]]), 3)
    assert found[0, 0, 0].equal(pixels[0, 0, 0:3, 2:5])
    assert found[1, 0, 0].equal(pixels[1, 0, 2:5, 3:6])


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (7, 4)])
def test_regions_share_all_places(shape: tuple[int, int]) -> None:
    regions = regions_of(*shape)
    assert len(regions) == (10 if min(shape) >= 3 else 1)
    assert regions.sum(dim=1).numpy() == pytest.approx(1.0)
    assert (regions[1:] > 0).sum(dim=0).unique().tolist() in ([], [0], [1])


def test_a_row_that_counts_twice_is_drawn_as_two_rows() -> None:
    pixels, counts = pictures(6), torch.tensor([1.0, 2.0, 1.0, 3.0, 1.0, 0.0])
    repeated = pixels.repeat_interleave(counts.long(), dim=0)
    one, other = fitted(pixels, counts), fitted(repeated)
    assert one.kernels.equal(other.kernels)
    assert one.offsets.equal(other.offsets)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 40), (1, 97, 130)])
def test_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    sizes = {"channels": channels, "height": height, "width": width}
    spec = InputSpec(kind="image", task="classification", n_outputs=3, **sizes)
    pixels = pictures(9, *shape)
    network = RandomPatches(patches=4).build(spec).eval()
    embedded = network.fit_frozen({"pixels": pixels}, torch.ones(9))  # type: ignore[operator]
    again = network.features({"pixels": pixels.float() / 255})  # type: ignore[operator]
    torch.testing.assert_close(network.features(embedded), again, rtol=1e-4, atol=1e-3)  # type: ignore[operator]
    assert again.isfinite().all()


def test_stripes_are_told_apart_wherever_they_are() -> None:
    """A linear model of the pixels cannot see their direction, because they may be shifted."""
    rng = np.random.default_rng(0)
    n = 120
    y, at = np.arange(n) % 2, np.arange(24)
    waves = 100 + 60 * np.sin(at * 1.3 + rng.uniform(0, 7, (n, 1)))
    pixels = np.where(y[:, None, None], waves[:, :, None], waves[:, None, :]) + rng.normal(0, 30, (n, 24, 24))
    source = Pixels(pixels.clip(0, 255).astype(np.uint8)[:, None])
    data = Dataset("image", "classification", source, np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))
    splits = Splits(data.take(np.arange(60)), test=data.take(np.arange(60, n)))
    base = default_recipe(splits.train).updated(augmentation=(), regularization=())
    found = {
        network: run(base.with_settings([f"network={network}", "head=ridge"]), splits).result.test
        for network in ("{name=random_patches,patches=16}", "linear")
    }
    patches, linear = (scores.metrics["balanced_accuracy"].value for scores in found.values() if scores is not None)
    assert patches > 0.95
    assert linear < 0.75
