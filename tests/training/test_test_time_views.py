"""Test-time augmentation: the same views for every row, averaged with the row's own, the same in every process."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.data.spec import InputSpec
from rarebird.recipe.recipe import Recipe
from rarebird.training.inference import logits
from rarebird.training.test_time_views import views

PICTURES = InputSpec(
    kind="image", task="classification", n_outputs=2, channels=2, height=8, width=8, mean=(0.5, 0.5), std=(0.2, 0.2)
)
SERIES = InputSpec(
    kind="series", task="classification", n_outputs=2, channels=2, length=12, mean=(0.0, 0.0), std=(1.0, 1.0)
)


def recipe(kind: str, augmentation: list[object], n: int = 3) -> Recipe:
    return Recipe(kind=kind, network="mlp", augmentation=augmentation, test_time_views=n)


class Summing(nn.Module):
    """A network whose logits depend on every place differently."""

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        entry = x["pixels"] if "pixels" in x else x["values"]
        flat = entry.flatten(1)
        return torch.stack([flat @ torch.linspace(0, 1, flat.shape[1]), flat.sum(dim=1)], dim=1)


def pictures(n: int = 5) -> dict[str, Tensor]:
    return {"pixels": torch.rand(n, 2, 8, 8, generator=torch.Generator().manual_seed(0))}


def series(n: int = 6) -> dict[str, Tensor]:
    lengths = torch.tensor([12, 7, 12, 7, 5, 12])[:n]
    inside = torch.arange(12) < lengths[:, None]
    return {
        "values": torch.randn(n, 2, 12, generator=torch.Generator().manual_seed(0)) * inside[:, None],
        "lengths": lengths,
    }


@pytest.mark.parametrize(
    ("kind", "spec", "augmentation", "inputs"),
    [("image", PICTURES, ["rotate", "horizontal_flip"], pictures()), ("series", SERIES, ["time_shift"], series())],
    ids=["image", "series"],
)
def test_a_rows_views_do_not_depend_on_its_neighbors(
    kind: str, spec: InputSpec, augmentation: list[object], inputs: dict[str, Tensor]
) -> None:
    shown = views(recipe(kind, augmentation), spec)
    assert len(shown) == 3
    n = len(next(iter(inputs.values())))
    together = logits(Summing(), inputs, views=shown)
    alone = np.concatenate(
        [logits(Summing(), {name: part[i : i + 1] for name, part in inputs.items()}, views=shown) for i in range(n)]
    )
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    np.testing.assert_array_equal(logits(Summing(), inputs, views=views(recipe(kind, augmentation), spec)), together)
    assert not np.allclose(together, logits(Summing(), inputs))


def test_probabilities_are_averaged() -> None:
    inputs = pictures()
    flip = views(recipe("image", [{"name": "horizontal_flip", "p": 1.0}], n=1), PICTURES)
    own, other = logits(Summing(), inputs), logits(Summing(), {"pixels": inputs["pixels"].flip(-1)})
    mean = (softmax(own) + softmax(other)) / 2
    np.testing.assert_allclose(softmax(logits(Summing(), inputs, views=flip)), mean, rtol=1e-5)


def softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)


def test_noise_and_mixing_are_no_views() -> None:
    assert views(Recipe(kind="image", network="mlp", augmentation=["noise"]), PICTURES) == []
    with pytest.raises(DataError, match="an augmentation that moves, turns, scales or blurs rows"):
        views(recipe("image", ["noise", "mixup", "erase"]), PICTURES)
