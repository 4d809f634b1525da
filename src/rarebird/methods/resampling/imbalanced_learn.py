"""Any sampler of the imbalanced-learn library, by the name of its class.

Lemaître, Nogueira and Aridas, "Imbalanced-learn: A Python Toolbox to Tackle the Curse of Imbalanced Datasets in Machine
Learning" (JMLR 2017). ``{name = "imbalanced_learn", sampler = "SVMSMOTE", settings = {k_neighbors = 3}}`` uses any
class of its `over_sampling`, `under_sampling` and `combine` with settings that are plain values; `sampling_strategy` is
keyed by class label.

The sampler sees the rows as points (see `_selection`). Rows that it selects do not change. A row that it makes keeps
its numbers and dates; its categories, weight and missing cells are those of the nearest real row of its class. SMOTENC
and SMOTEN get categories as codes, and choose them themselves.

Tables only: distances in raw pixels or unaligned curves do not measure similarity.

*Helps when* you know a good sampler that has no file of its own here: `SVMSMOTE`, `KMeansSMOTE`, `AllKNN`,
`InstanceHardnessThreshold`, `NeighbourhoodCleaningRule`.
*Does not help when* a class has fewer rows than the sampler's neighbors, which most samplers refuse, or rows are many:
`smote` and others of this folder are faster, and treat categories better.
*Cost:* that of the sampler, and the nearest real row of each new one.

NOTE[DIFF]: a class that would lose all of its rows keeps them. New numbers in a column of whole numbers are rounded.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from rarebird.core.checks import DataError, nearest
from rarebird.data.column_values import like
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling._mixed_rows import MixedRows, mixed_rows
from rarebird.methods.resampling._selection import class_codes, dense, points_of, smallest
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice

KINDS = ("table",)
CATEGORICAL = ("SMOTENC", "SMOTEN")
# Arguments that are set here: by the recipe's seed, the number of threads, and the kinds of the columns.
SET_HERE = {"random_state", "n_jobs", "categorical_features"}


class ImbalancedLearn(Method):
    """Settings.

    Attributes:
        sampler: Name of a class of imbalanced-learn.
        arguments: The sampler's own arguments, called ``settings`` in a recipe.
    """

    model_config = ConfigDict(populate_by_name=True)

    sampler: Annotated[
        str, Choice("SVMSMOTE", "KMeansSMOTE", "AllKNN", "InstanceHardnessThreshold", "NeighbourhoodCleaningRule")
    ] = "SVMSMOTE"
    # Not named `settings` in Python, as every method has a function of that name.
    arguments: dict[str, Any] = Field(default={}, alias="settings")

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, sampler: str) -> str:
        if sampler not in classes():
            raise ValueError(f"imbalanced-learn has no sampler {sampler!r}; {nearest(sampler, classes())}")
        return sampler

    @model_validator(mode="after")
    def _known_arguments(self) -> Self:
        """Check that every argument is one of the sampler's."""
        valid = set(inspect.signature(classes()[self.sampler]).parameters) - SET_HERE
        for setting in self.arguments:
            if setting not in valid:
                raise ValueError(f"{self.sampler} takes no setting {setting!r} here; {nearest(setting, valid)}")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        """Samplers that make rows, remove rows, repeat rows, and make and remove rows."""
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
        """The rows that the sampler selected and made.

        Raises:
            DataError: The sampler refuses the rows or a setting, or the settings name an unknown class.
        """
        codes = class_codes(train, "imbalanced_learn")
        if len(np.unique(codes)) < 2:
            return train
        rows = mixed_rows(train, standardize=True)
        if self.sampler == "SMOTEN" and rows.scales:
            raise DataError(
                f"SMOTEN is for tables with only categories, but {next(iter(rows.scales))!r} has numbers; use smote."
            )
        marked = points_of(rows)
        given = np.column_stack([marked.numbers, rows.codes]) if self.sampler in CATEGORICAL else dense(marked)
        sampler = self.built(train, rows, int(rng.integers(2**31)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                points, labels = sampler.fit_resample(given, codes)
        except (ValueError, RuntimeError) as error:
            raise self._refusal(error, train, codes) from None
        chosen = getattr(sampler, "sample_indices_", None)
        if chosen is not None and np.array_equal(given[chosen], points):
            return all_classes(train, train.take(chosen))
        return all_classes(train, restored(rows, given, points, labels, as_codes=self.sampler in CATEGORICAL))

    def _refusal(self, error: Exception, train: Dataset, codes: np.ndarray) -> DataError:
        """The sampler's own complaint, with the size of the smallest class, which is the usual cause."""
        fewest = smallest(codes)
        label = train.classes[int(np.flatnonzero(np.bincount(codes) == fewest)[0])]
        complaint = str(error).strip().splitlines()[0].rstrip(".")
        return DataError(
            f"imbalanced-learn's {self.sampler} refuses {train.name}, whose smallest class {label!r} has {fewest} "
            f"row{'s' * (fewest != 1)}: {complaint}; change its settings or use another resampling."
        )

    def built(self, train: Dataset, rows: MixedRows, seed: int) -> Any:
        """The sampler, with class labels in its settings replaced by the codes of `train`."""
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
    """The rows of the points that a sampler returned: real rows, and new ones after them.

    Args:
        rows: The rows that the sampler got.
        given: ``(n, width)`` the same rows as points.
        points: ``(m, width)`` the points that the sampler returned.
        codes: ``(m,)`` class codes of the points.
        as_codes: Whether the points have categories as codes; otherwise each category has an axis.
    """
    from sklearn.metrics import pairwise_distances_argmin

    train = rows.data
    nearest_rows = np.empty(len(points), dtype=np.int64)
    for code in np.unique(codes):
        own = np.flatnonzero(train.codes == code)
        nearest_rows[codes == code] = own[pairwise_distances_argmin(points[codes == code], given[own])]
    real = (given[nearest_rows] == points).all(axis=1)
    if len(points) >= len(given) and np.array_equal(points[: len(given)], given):
        # Over-samplers return the given rows first, in their order, and then new ones; so equal rows need not be told
        # apart by their points.
        nearest_rows[: len(given)], real[: len(given)] = np.arange(len(given)), True
    if real.all():
        return train.take(nearest_rows)
    return concat([train.take(nearest_rows[real]), made_rows(rows, points[~real], nearest_rows[~real], as_codes)])


def made_rows(rows: MixedRows, points: np.ndarray, nearest_rows: np.ndarray, as_codes: bool) -> Dataset:
    """New rows: numbers from `points` ``(m, width)``, all else from the real rows `nearest_rows` ``(m,)``; other
    arguments are those of `restored`."""
    near, raw = rows.data.take(nearest_rows), rows.data.raw()
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
    """`sampled`, and all rows of `train` whose class is missing there."""
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
