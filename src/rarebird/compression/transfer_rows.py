"""Transfer rows: changed copies of the training rows, from which a student learns what the model predicts for them.

A model says more of itself on rows that it did not learn from, and a student that sees only the training rows must
guess what lies between them. Bucila, Caruana and Niculescu-Mizil, "Model compression", KDD 2006 (tables: each cell is,
with a probability, that of a near row); Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", CVPR 2022 (pictures: teacher and student see the same changed picture, and training is long).

NOTE[DIFF]: the papers let the teacher predict each batch anew. Here a number of copies is predicted once and drawn
several times, which takes a fraction of the time where the model is large. Swapped numbers are the near row's own,
not drawn around them, so that each column keeps its values.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from rarebird.core import rng
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels
from rarebird.data.prepare import Prepared
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.methods.augmentation.mixup import Mixup
from rarebird.methods.resampling._mixed_rows import mixed_rows
from rarebird.methods.resampling._neighbors import nearest
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs, TrainStatistics

# Draws of each copy in a training, the most copies of a row, and the most bytes of all copies.
DRAWS, MOST, MOST_BYTES = 4, 8, 2**29
# Probability of a cell to be a near row's, among how many near rows, and the rows that are searched for them.
SWAPPED, NEAR, SEARCHED = 0.5, 3, 4_000
# Pictures at a time.
CHUNK = 256


def n_copies(learned: Dataset, draws: int) -> int:
    """How many changed copies of each row are made for a training of so many draws of a row: 0 where rows stay on
    disk."""
    source = learned.source
    if isinstance(source, Pixels) and not isinstance(source.array, np.memmap):
        size = source.array[:1].nbytes
    elif isinstance(source, Curves):
        size = source.values[:1].nbytes
    elif type(source) is Frame:
        size = 8 * len(source.frame.columns)
    else:
        return 0
    wanted = min(MOST, round(draws / DRAWS / max(len(learned), 1)))
    return max(0, min(wanted, MOST_BYTES // max(size * len(learned), 1)))


def changed_copy(learned: Dataset, prepared: Prepared, recipe: Recipe, number: int) -> Dataset:
    """One changed copy of each row, in their order, with the rows' own targets.

    Pictures and series are changed as the recipe augments them, and series that it does not augment are blended with
    another row; in tables about half of the cells are those of a near row.

    Args:
        learned: The rows.
        prepared: A preparation of such rows.
        recipe: Its seed and its augmentation.
        number: Of the copy; it names the draws.
    """
    draw = rng.stream(recipe.seed, "transfer rows", number)
    source: Pixels | Curves | Frame
    if learned.kind == "table":
        source = _with_near_cells(learned, draw)
    else:
        source = _augmented(learned, prepared, recipe, number, draw)
    return replace(learned, source=source, index=np.arange(len(learned)))


def _with_near_cells(learned: Dataset, draw: np.random.Generator) -> Frame:
    """Each cell is the row's own, or that of one of its nearest rows."""
    rows, everything = mixed_rows(learned, standardize=True), np.arange(len(learned))
    among = np.sort(draw.permutation(len(learned))[:SEARCHED])
    near = nearest(rows.points(everything, everything), everything, among, NEAR)
    partner = near[everything, draw.integers(near.shape[1], size=len(near))] if near.shape[1] else everything
    own = learned.raw()
    other, kept = own.iloc[partner].reset_index(drop=True), draw.random(own.shape) >= SWAPPED
    swapped = {name: own[name].where(kept[:, place], other[name]) for place, name in enumerate(own.columns)}
    return Frame(pd.DataFrame(swapped, copy=False))


def _augmented(
    learned: Dataset, prepared: Prepared, recipe: Recipe, number: int, draw: np.random.Generator
) -> Pixels | Curves:
    """Pictures or series as a training of the recipe would see them."""
    inputs = prepared.inputs(learned)
    methods = [one for one in recipe.augmentation if not getattr(one, "on_features", False)]
    if learned.kind == "series" and not methods:
        methods = [Mixup(alpha=1.0)]
    change = Pipeline(methods, TrainStatistics(prepared.spec, None if learned.y is None else learned.weighted_counts))
    generator = rng.torch_stream(recipe.seed, "transfer rows", number)
    order, parts = draw.permutation(len(learned)), []  # methods that blend the rows of a batch find new partners
    targets = prepared.targets(learned)
    for start in range(0, len(order), CHUNK):
        chosen = torch.from_numpy(order[start : start + CHUNK])
        x = {name: part[chosen] for name, part in inputs.items()}
        parts.append(change(x, targets[chosen], torch.ones(len(chosen)), generator)[0])
    at = torch.from_numpy(np.argsort(order))
    changed = {name: torch.cat([part[name] for part in parts])[at] for name in inputs}
    return _pixels(learned, changed) if learned.kind == "image" else _curves(prepared, changed)


def _pixels(learned: Dataset, changed: Inputs) -> Pixels:
    assert isinstance(learned.source, Pixels)
    values = changed["pixels"].clamp(0, 1)
    if learned.source.array.dtype == np.uint8:
        return Pixels((values * 255).round().to(torch.uint8).contiguous().numpy())
    return Pixels(values.contiguous().numpy())


def _curves(prepared: Prepared, changed: Inputs) -> Curves:
    """Series in their own unit."""
    mean, std = (np.array(part, dtype=np.float32)[:, None] for part in (prepared.spec.mean, prepared.spec.std))
    values, lengths = changed["values"].numpy() * std + mean, changed["lengths"].numpy()
    beyond = np.arange(values.shape[2]) >= lengths[:, None, None]
    return Curves(np.where(beyond, np.float32(np.nan), values), lengths)
