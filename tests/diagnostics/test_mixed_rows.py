"""The rows that an augmented row was made from: as mixup draws them, and none where rows stay apart."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rarebird.core.rng import torch_stream
from rarebird.data import prepare
from rarebird.diagnostics.mixed_rows import sources
from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.protocols import TrainStatistics
from rarebird.training.batches import ready
from rarebird.training.device import Placement
from tests.diagnostics.test_preview import data, page_of


def found(kind: str, augmentation: list[Any]) -> tuple[list[list[int]], list[int]]:
    """The sources of 40 rows, and the partners that the first draw of the stream gives."""
    train = data(kind).train
    prepared = prepare.fit(train, 0)[0]
    x = ready(prepared.inputs(train), Placement("cpu", "float32", False))
    statistics = TrainStatistics(prepared.spec, train.weighted_counts)
    pipeline = Pipeline([methods.of("augmentation", one) for one in augmentation], statistics)
    draws = partial(torch_stream, 0, "preview", 0)
    batch = (x, prepared.targets(train), torch.ones(len(train)))
    return sources(pipeline, batch, draws), _rows.permutation(len(train), draws()).tolist()


@pytest.mark.parametrize("kind", ["image", "series"])
def test_mixup_names_the_partner_of_each_row(kind: str) -> None:
    mixed, partner = found(kind, [{"name": "mixup", "alpha": 2.0}])
    assert mixed == [[other] if other != row else [] for row, other in enumerate(partner)]


@pytest.mark.parametrize(("kind", "name"), [("image", "cutmix"), ("table", "mixup"), ("table", "cell_swap")])
def test_other_mixtures_have_at_most_a_source_per_partner(kind: str, name: str) -> None:
    mixed, _ = found(kind, [name])
    assert sum(map(len, mixed)) > 5
    assert all(row not in others for row, others in enumerate(mixed))


@pytest.mark.parametrize(("kind", "name"), [("image", "rotate"), ("series", "jitter"), ("table", "cell_noise")])
def test_rows_that_are_not_mixed_have_no_source(kind: str, name: str) -> None:
    assert not any(found(kind, [name])[0])


@pytest.mark.parametrize("kind", ["image", "series", "table"])
def test_the_page_shows_both_sources_of_a_mixture(kind: Any, tmp_path: Path) -> None:
    recipe = Recipe(kind=kind, network="linear", augmentation=[{"name": "mixup", "alpha": 2.0}])
    page = page_of(recipe, data(kind), tmp_path, rows=4, views=2)
    assert page.count("mixed with") >= 4
    np.testing.assert_equal(page.count("mixed with") > 0 and kind != "table", 'class="source"' in page)
