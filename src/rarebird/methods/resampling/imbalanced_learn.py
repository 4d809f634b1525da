"""Any sampler of the imbalanced-learn library, by the name of its class.

Lemaître, Nogueira and Aridas, "Imbalanced-learn: A Python Toolbox to Tackle the Curse of Imbalanced Datasets in Machine
Learning" (JMLR 2017). ``{name = "imbalanced_learn", sampler = "SVMSMOTE", settings = {k_neighbors = 3}}`` takes any
class of its `over_sampling`, `under_sampling` and `combine` with the settings that plain values can hold;
`sampling_strategy` is keyed by class label.

The sampler sees the rows as points (see `selection`). Rows that it chose are taken as they are. A row that it made
keeps its numbers and dates; its categories, weight and which cells are missing are those of the nearest real row of its
class. SMOTENC and SMOTEN get categories as such, and choose them themselves.

Tables only: points in raw pixels or unaligned curves say little of what rows show.

*Helps when* a sampler without a file of its own here has served you well: `SVMSMOTE`, `KMeansSMOTE`, `AllKNN`,
`InstanceHardnessThreshold`, `NeighbourhoodCleaningRule`.
*Does not help when* a class has fewer rows than the sampler's neighbors, which most refuse; where rows are many:
`smote` and others of this folder do the same faster, and carry categories with less loss.
*Cost:* the sampler's own; the nearest real row of each made one.

NOTE[DIFF]: a class that the sampler would leave without rows keeps them all. In a column of whole numbers, numbers are
rounded.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Dataset, Frame, concat
from rarebird.methods.resampling._mixed_rows import MixedRows, like, mixed_rows
from rarebird.methods.resampling._selection import class_codes, dense, points_of, smallest
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice

KINDS = ("table",)
CATEGORICAL = ("SMOTENC", "SMOTEN")
# Set by the recipe's seed, the number of threads, and the kind of the columns.
OWN = {"random_state", "n_jobs", "categorical_features"}


class ImbalancedLearn(Method):
    """Settings.

    Attributes:
        sampler: Name of a class of imbalanced-learn.
        arguments: What it is built with, called ``settings`` in a recipe.
    """

    model_config = ConfigDict(populate_by_name=True)

    sampler: Annotated[
        str, Choice("SVMSMOTE", "KMeansSMOTE", "AllKNN", "InstanceHardnessThreshold", "NeighbourhoodCleaningRule")
    ] = "SVMSMOTE"
    # Not `settings` in Python: that is what every method calls its plain values.
    arguments: dict[str, Any] = Field(default={}, alias="settings")

    @field_validator("sampler")
    @classmethod
    def _stands(cls, sampler: str) -> str:
        if sampler not in classes():
            raise ValueError(f"imbalanced-learn has no sampler {sampler!r}; {nearest(sampler, classes())}")
        return sampler

    @model_validator(mode="after")
    def _taken(self) -> Self:
        """Every setting is one of the sampler's."""
        valid = set(inspect.signature(classes()[self.sampler]).parameters) - OWN
        for setting in self.arguments:
            if setting not in valid:
                raise ValueError(f"{self.sampler} has no setting {setting!r} to be given; {nearest(setting, valid)}")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        """A sampler that makes rows, one that makes mixed ones, one that chooses rows, and one that does both."""
        return [
            cls(sampler="SMOTE", arguments={"k_neighbors": 1}),
            cls(sampler="AllKNN"),
            cls(sampler="RandomOverSampler"),
            cls(sampler="SMOTETomek"),
        ]

    def settings(self) -> dict[str, Any]:
        """Name and settings as plain values, as a recipe writes them."""
        return {"name": type(self).name, "sampler": self.sampler, "settings": self.arguments}

    def __call__(self, train: Dataset, rng: np.random.Generator) -> Dataset:
        """The rows that the sampler chose and made.

        Raises:
            DataError: The sampler refuses the rows or a setting; or the settings name an unknown class.
        """
        codes = class_codes(train, "imbalanced_learn")
        if len(np.unique(codes)) < 2:
            return train
        rows = mixed_rows(train, standardize=True)
        if self.sampler == "SMOTEN" and rows.scales:
            raise DataError(
                f"SMOTEN is for tables of categories alone, but {next(iter(rows.scales))!r} holds numbers; use smote."
            )
        marked = points_of(rows)
        given = np.column_stack([marked.numbers, rows.codes]) if self.sampler in CATEGORICAL else dense(marked)
        sampler = self.built(train, rows, int(rng.integers(2**31)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                points, labels = sampler.fit_resample(given, codes)
        except (ValueError, RuntimeError) as error:
            fewest = smallest(codes)
            label, said = (
                train.classes[int(np.flatnonzero(np.bincount(codes) == fewest)[0])],
                str(error).strip().splitlines()[0],
            )
            raise DataError(
                f"imbalanced-learn's {self.sampler} refuses {train.name}, whose smallest class {label!r} has {fewest} "
                f"row{'s' * (fewest != 1)}: {said.rstrip('.')}; change its settings or use another resampling."
            ) from None
        chosen = getattr(sampler, "sample_indices_", None)
        if chosen is not None and np.array_equal(given[chosen], points):
            return all_classes(train, train.take(chosen))
        return all_classes(train, restored(rows, given, points, labels, as_codes=self.sampler in CATEGORICAL))

    def built(self, train: Dataset, rows: MixedRows, seed: int) -> Any:
        """The sampler, ready for the codes of `train`."""
        sampler, width = classes()[self.sampler], len(rows.scales)
        own = {"random_state": seed, "categorical_features": list(range(width, width + rows.codes.shape[1]))}
        taken = {name: value for name, value in own.items() if name in inspect.signature(sampler).parameters}
        given = dict(self.arguments)
        if isinstance(given.get("sampling_strategy"), dict | list):
            given["sampling_strategy"] = _by_code(given["sampling_strategy"], train)
        return sampler(**given, **taken)


def classes() -> dict[str, Any]:
    """imbalanced-learn's samplers by the names of their classes."""
    from imblearn import combine, over_sampling, under_sampling

    return {
        name: getattr(module, name) for module in (over_sampling, under_sampling, combine) for name in module.__all__
    }


def restored(rows: MixedRows, given: np.ndarray, points: np.ndarray, codes: np.ndarray, as_codes: bool) -> Dataset:
    """What the points that a sampler gave back stand for: rows as they are, and made ones after them.

    Args:
        rows: The rows that the sampler was given.
        given: ``(n, width)`` the same, as points.
        points: ``(m, width)`` what the sampler gave back.
        codes: ``(m,)`` their classes.
        as_codes: Whether the points are numbers and category codes.
    """
    from sklearn.metrics import pairwise_distances_argmin

    train = rows.data
    beside = np.empty(len(points), dtype=np.int64)
    for code in np.unique(codes):
        own = np.flatnonzero(train.codes == code)
        beside[codes == code] = own[pairwise_distances_argmin(points[codes == code], given[own])]
    real = (given[beside] == points).all(axis=1)
    if len(points) >= len(given) and np.array_equal(points[: len(given)], given):
        # Over-samplers give what they were given, and then what they made; so each of several equal rows stands for
        # itself.
        beside[: len(given)], real[: len(given)] = np.arange(len(given)), True
    if real.all():
        return train.take(beside)
    return concat([train.take(beside[real]), made_rows(rows, points[~real], beside[~real], as_codes)])


def made_rows(rows: MixedRows, points: np.ndarray, beside: np.ndarray, as_codes: bool) -> Dataset:
    """Rows with the numbers of `points` ``(m, width)`` and the rest of the rows `beside` ``(m,)``; otherwise as
    `restored`."""
    near, raw = rows.data.take(beside), rows.data.raw()
    frame = near.raw()
    for (name, scale), new in zip(rows.scales.items(), points.T, strict=False):
        if scale > 0:
            step, values = rows.steps[name], rows.centers[name] + scale * new
            values = np.rint(values / step) * step if step else values
            frame[name] = like(raw[name], np.where(frame[name].isna(), np.nan, values))
    categories = [name for name, role in rows.roles.items() if role == "category"] if as_codes else []
    for name, codes, new in zip(categories, rows.codes.T, points[:, len(rows.scales) :].T, strict=False):
        known, first = np.unique(codes, return_index=True)
        frame[name] = raw[name].iloc[first[np.searchsorted(known, new)]].reset_index(drop=True)
    return replace(near, source=Frame(frame), index=np.arange(len(frame)))


def all_classes(train: Dataset, sampled: Dataset) -> Dataset:
    """`sampled`, and all rows of `train` whose class it lacks."""
    lost = ~np.isin(train.codes, sampled.codes)
    return concat([sampled, train.take(lost)]) if lost.any() else sampled


def _by_code(strategy: dict[str, Any] | list[Any], train: Dataset) -> Any:
    """A `sampling_strategy` keyed by class label, for class codes."""
    place = {label: code for code, label in enumerate(train.classes)}
    for label in map(str, strategy):
        if label not in place:
            raise DataError(
                f"sampling_strategy names the class {label!r}, which {train.name} lacks; {nearest(label, place)}"
            )
    if isinstance(strategy, list):
        return [place[str(label)] for label in strategy]
    return {place[str(label)]: number for label, number in strategy.items()}
