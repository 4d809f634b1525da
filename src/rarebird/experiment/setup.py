"""Prepares a run: splits the rows, decides the protocol and the positive class, and chooses the device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from rarebird.core.checks import DataError, nearest
from rarebird.core.version import VERSION
from rarebird.data import split
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.data.row_multiples import row_multiples
from rarebird.data.split import Protocol
from rarebird.evaluation.deployment_prior import stated_prior
from rarebird.evaluation.held_out import check_decision
from rarebird.experiment import copies as copies_of
from rarebird.experiment.copies import Copies
from rarebird.experiment.joining import check_sources, source_notes
from rarebird.experiment.outside_copies import pool_without_copies, without_copies
from rarebird.experiment.self_supervision import check_pool, pool_notes
from rarebird.metrics import names
from rarebird.recipe.ensemble import AnyRecipe, Ensemble, members
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts
from rarebird.training.device import choose_device

TEST_SHARE = 0.2
SEARCHED = Copies()  # copies are searched, and none is trained on
SMALLEST_SIDE = 8  # pixels, of `Recipe.image_size`
SomeRecipe = TypeVar("SomeRecipe", Recipe, Ensemble, AnyRecipe)


@dataclass(frozen=True)
class Setup:
    """What every training of a run shares.

    Attributes:
        splits: Training, validation and test rows, and notes for the user.
        protocol: Which training rows are held out: folds, or one hold-out.
        positive: The class that two-class figures are for; None for more classes and for regression.
        device: A torch device, or ``auto`` where each worker chooses its own.
    """

    splits: Splits
    protocol: Protocol
    positive: str | None
    device: str

    @property
    def scored_rows(self) -> Dataset:
        """The rows on which models are scored before the test: the validation rows where these are given, else the
        training rows, of which each network holds some out."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def settled(self, recipe: SomeRecipe) -> SomeRecipe:
        """The recipe with what the rows decided (folds, hold-out, size of pictures), so that it repeats the run."""
        protocol, side = self.protocol, _side_of(self.splits.train)
        # A recipe cannot ask for less than 8 px; smaller pictures of an array are used as they are.
        size = {} if side is None else {"image_size": side if side >= SMALLEST_SIDE else None}
        return recipe.updated(folds=protocol.folds, holdout=protocol.holdout or None, **size)

    def parts(self, seed: int) -> Parts:
        """(rows to learn from, held-out rows) of each network; the seed decides the folds, but not a hold-out."""
        return split.parts(self.splits.train, self.protocol, seed)


def prepare_run(
    recipe: AnyRecipe,
    data: Splits,
    *,
    device: str = "auto",
    positive: str | None = None,
    test_share: float = TEST_SHARE,
    copies: Copies | None = SEARCHED,
) -> Setup:
    """Split the rows, and decide the protocol.

    Args:
        recipe: Its folds or hold-out are used if it has any; its seed decides which rows are held out.
        data: Training rows; validation and test rows if the data have them.
        device: A torch device, or ``auto``.
        positive: The class that two-class figures are for; None: the rarer one.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        copies: As in `separate`.

    Raises:
        DataError: The rows, their split or the device cannot be used.
    """
    check_sources(recipe, data)
    check_pool(recipe, data)
    splits = separate(data, recipe, test_share, copies)
    protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
    _check_held_out(splits, protocol, recipe.seed)
    splits = replace(splits, notes=(*splits.notes, *_size_notes(recipe, data.train), *_small_class_notes(splits.train)))
    splits = replace(splits, notes=(*splits.notes, *source_notes(recipe, data), *pool_notes(recipe, data)))
    return Setup(splits, protocol, positive_class(splits.train, positive), choose_device(device))


def _check_held_out(splits: Splits, protocol: Protocol, seed: int) -> None:
    """Refuse rows of which none can be held out, before anything is trained."""
    train = splits.train
    if splits.val is None and not any(len(held) for _, held in split.parts(train, protocol, seed)):
        raise DataError(
            f"{train.name} leaves no row to calibrate and decide on: of its {len(train)} training rows, none can be "
            "held out; give more rows (or groups) of each class."
        )


def separate(data: Splits, recipe: AnyRecipe, test_share: float, copies: Copies | None = SEARCHED) -> Splits:
    """Split off test rows where none are given, and note which rows are left out or kept together.

    Training rows that copy a given validation or test row are left out, and every split keeps a row and its
    near-duplicates together (`experiment/copies.py`).

    Args:
        data: Training rows; validation and test rows if the data have them.
        recipe: Its seed decides which rows are held out.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        copies: What becomes of copies; None: the rows went through this function before.

    Raises:
        DataError: The recipe is for other data, or no row of a part or class is left.
    """
    _check(data, recipe)
    data = data if copies is None or not data.outside else without_copies(data)
    data = data if copies is None else pool_without_copies(data)
    settled = data if copies is None else copies_of.settled(data, copies)
    train, val, test, notes = settled.train, settled.val, settled.test, list(settled.notes)
    notes += [note for part in (train, val) if part is not None for note in _weight_notes(part)]
    train, val = _drop_weightless(train), None if val is None else _drop_weightless(val).aligned(train.classes)
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share and data.test is None:
        learned, held = split.sides(train, test_share, recipe.seed, "test")
        notes += split.left_out(train, learned, held)
        train, test = train.take(learned), train.take(held)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(
            f"Class {absent!r} has no row left to train on; give more rows of it (of weight above 0), or test rows "
            "with --test."
        )
    return replace(settled, train=train, val=val, test=test, notes=tuple(notes))


def positive_class(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures are for: the given one, or the rarer of two.

    Raises:
        DataError: There is no such class.
    """
    if train.task == "regression":
        return None
    if positive is not None and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; {nearest(positive, train.classes)}")
    if positive is not None or train.n_classes > 2:
        return positive
    return train.classes[int(train.weighted_counts.argmin())]


def _check(data: Splits, recipe: AnyRecipe) -> None:
    """Refuse data that do not fit the recipe, before anything is trained."""
    for _, one in members(recipe):
        transfer: Any = one.transfer
        if transfer is not None:
            transfer.recorded(one.network)
        if hasattr(transfer, "check"):
            transfer.check(data.train)
    if recipe.kind != data.train.kind:
        raise DataError(
            f"The recipe is for data of kind {recipe.kind!r}, but {data.train.name} holds data of kind "
            f"{data.train.kind!r}."
        )
    for part, what in ((data.train, "training"), (data.val, "validation"), (data.test, "test")):
        if part is not None and (part.y is None or not len(part)):
            raise DataError(f"{part.name} has no {what} rows with labels; give some.")
    if data.train.task == "classification":
        # A recipe for numbers may leave its metric at the default, which decides nothing there.
        names.metric_for_task(recipe.metric, "classification", data.train.classes)
        check_decision(recipe, data.train.classes)
        column: str | None = getattr(recipe.decision, "column", None)
        for part in (data.train, data.val, data.test):
            if column is not None and part is not None:
                row_multiples(part, column)
        stated_prior(recipe.prior or {}, data.train.classes, data.train.prior)
    elif recipe.prior:
        raise DataError("A prior is for classes, but the target is a number; leave out --prior.")


def _weight_notes(rows: Dataset) -> list[str]:
    n_weightless = int((rows.weights <= 0).sum())
    return [f"Rows of {rows.name} with a weight of 0, which are left out: {n_weightless}."] if n_weightless else []


def _drop_weightless(rows: Dataset) -> Dataset:
    """The rows of a weight above 0: a row of weight 0 must change nothing, also not scales, folds and batches."""
    weightless = rows.weights <= 0
    return rows.take(~weightless) if weightless.any() else rows


def _side_of(rows: Dataset) -> int | None:
    """The shorter side of pictures in pixels; None for other rows."""
    return min(rows.source.array.shape[2:]) if isinstance(rows.source, Pixels) else None


def _size_notes(recipe: AnyRecipe, rows: Dataset) -> list[str]:
    """A note where pictures that were given as arrays have another size than the recipe asks for."""
    side = _side_of(rows)
    if side is None or recipe.image_size in (None, side):
        return []
    return [f"The recipe asks for pictures of {recipe.image_size} px, but those of {rows.name} have {side} px."]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    import platform

    import sklearn

    return {
        "rarebird": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _small_class_notes(train: Dataset) -> list[str]:
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return [
        f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
        for label, count in zip(train.classes, counts, strict=True)
        if count < 3
    ]


def few_folds(trained: int, setup: Setup) -> list[str]:
    """A note where there was too little time for a model of each fold."""
    return [
        f"Only {trained} of {max(setup.protocol.folds, 1)} folds were trained, because the preparation of the rows "
        "takes a large part of the time; figures on held-out rows are of these folds."
    ]
