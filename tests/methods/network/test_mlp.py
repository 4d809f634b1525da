"""The perceptron: what flattening keeps, and that columns are treated alike."""

from __future__ import annotations

import torch
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.network.mlp import Mlp

EDGES = (-2.0, -1.0, 0.0, 1.0, 2.0)


def table(cardinalities: tuple[int, ...] = (), n_numbers: int = 3) -> InputSpec:
    return InputSpec(
        kind="table",
        task="regression",
        n_outputs=1,
        n_numbers=n_numbers,
        bins=(EDGES,) * n_numbers,
        cardinalities=cardinalities,
    )


def rows(numbers: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "numbers": numbers,
        "missing": torch.zeros_like(numbers),
        "categories": torch.zeros(len(numbers), 0, dtype=torch.int64),
    }


def test_a_flat_table_holds_the_numbers_themselves_first() -> None:
    network = Mlp(embedding=8).build(table())
    numbers = torch.randn(5, 3)
    flat = network.flat(rows(numbers))
    assert flat.shape == (5, 3 * (1 + 8))
    assert torch.equal(flat[:, :3], numbers)
    assert (flat[:, 3:] >= 0).all()


def test_missing_differs_from_the_median() -> None:
    network = Mlp().build(table()).eval()
    x = rows(torch.zeros(1, 3))
    gone = {**x, "missing": torch.tensor([[0.0, 1.0, 0.0]])}
    assert not torch.allclose(network(x), network(gone))


def test_bends_a_curve_that_a_line_cannot_follow() -> None:
    torch.manual_seed(0)
    network = Mlp(depth=1, width=32, dropout=0.0).build(table(n_numbers=1))
    numbers = torch.linspace(-2, 2, 64)[:, None]
    target = numbers.abs() - 1
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        error = functional.mse_loss(network(rows(numbers)), target)
        error.backward()
        optimizer.step()
    # The best line through |x| - 1 is flat: its error is the spread of the target, about .33.
    assert error < 0.01


def test_small_pictures_are_flattened_as_they_are_and_large_ones_averaged() -> None:
    def flat(side: int) -> tuple[torch.Tensor, torch.Tensor]:
        spec = InputSpec(
            kind="image",
            task="classification",
            n_outputs=2,
            channels=3,
            height=side,
            width=side,
            mean=(0.0,) * 3,
            std=(1.0,) * 3,
        )
        pixels = torch.rand(2, 3, side, side)
        return pixels, Mlp().build(spec).flat({"pixels": pixels})

    pixels, found = flat(28)
    torch.testing.assert_close(found, pixels.flatten(1))
    pixels, found = flat(64)
    torch.testing.assert_close(found, functional.avg_pool2d(pixels, 2).flatten(1))


def test_a_shorter_series_is_padded_and_a_longer_one_cut() -> None:
    spec = InputSpec(
        kind="series", task="classification", n_outputs=2, channels=2, length=6, mean=(0.0,) * 2, std=(1.0,) * 2
    )
    flat = Mlp().build(spec).flat
    values = torch.randn(1, 2, 9)
    torch.testing.assert_close(flat({"values": values, "lengths": torch.tensor([9])}), values[:, :, :6].flatten(1))
    short = flat({"values": values[:, :, :4], "lengths": torch.tensor([4])})
    torch.testing.assert_close(short, functional.pad(values[:, :, :4], (0, 2)).flatten(1))


def test_hundreds_of_columns_and_thousands_of_codes_stay_small() -> None:
    network = Mlp().build(table((5000, 3), n_numbers=500))
    assert sum(parameter.numel() for parameter in network.parameters()) < 4_000_000
