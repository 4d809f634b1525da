"""What a remedy is to a comparison: one change of a recipe, named ``slot=method``, or several at once, joined by
``+``."""

from __future__ import annotations

from collections.abc import Sequence

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Dataset
from rarebird.profile.applicable import applicable_methods
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods

# Slots whose methods are remedies that one may add to a recipe; a list grows, any other slot's method takes the place
# of the baseline's.
SLOTS = (
    "resampling",
    "batch_sampling",
    "augmentation",
    "loss",
    "regularization",
    "network",
    "reference",
    "calibration",
    "decision",
)
LISTS = ("augmentation", "regularization", "calibration")
TOGETHER, ALL = "+", "all"

Change = tuple[str, str]


def remedies(asked: str, train: Dataset, baseline: Recipe) -> list[str]:
    """The remedies that a user asked for.

    Args:
        asked: Names separated by commas, ``focal``, ``loss=focal``, ``smote+focal``; ``all`` stands for all that apply
            to the data.
        train: Training rows.
        baseline: What they are added to; what it holds already is not among ``all``.

    Raises:
        DataError: There is no such remedy for this kind of data, or two that are to go together fill the same slot.
    """
    known = [(slot, name) for slot in SLOTS for name in methods.names(slot, train.kind)]
    found: list[str] = []
    for one in (part.strip() for part in asked.split(",")):
        found += (
            _all(known, train, baseline)
            if one == ALL
            else [_joined([_named(part.strip(), known) for part in one.split(TOGETHER)])]
        )
    return list(dict.fromkeys(found))


def changes(remedy: str) -> list[Change]:
    """The slots and methods of a remedy, ``smote+focal`` has two."""
    parts = (part.partition("=") for part in remedy.split(TOGETHER))
    return [(slot, name) for slot, _, name in parts]


def with_remedy(baseline: Recipe, remedy: str) -> Recipe:
    """The baseline with one remedy, or several joined by ``+``: lists grow, and other slots change their method."""
    recipe = baseline
    for slot, name in changes(remedy):
        method, standing = methods.build(slot, {"name": name}), getattr(recipe, slot)
        recipe = recipe.updated(**{slot: (*standing, method) if isinstance(standing, tuple) else method})
        if slot == "network" and baseline.reference is not None:
            # A network has a say only where no reference stands in its place.
            recipe = recipe.updated(reference=None)
    return recipe


def freed(baseline: Recipe, wanted: Sequence[str]) -> tuple[Recipe, list[Change]]:
    """The baseline without the entries of its lists that are asked for as remedies, so that they can be judged; and
    which they were."""
    asked = {change for remedy in wanted for change in changes(remedy)}
    out = [change for change in _methods(baseline) if change[0] in LISTS and change in asked]
    kept = {slot: tuple(one for one in getattr(baseline, slot) if (slot, type(one).name) not in out) for slot in LISTS}
    return (baseline.updated(**kept) if out else baseline), out


def clash(one: str, other: str) -> bool:
    """Whether two remedies cannot stand together: they fill the same slot, which holds one method, or share a
    method."""
    mine, others = changes(one), changes(other)
    slots = {slot for slot, _ in mine if slot not in LISTS}
    return any(change in mine or change[0] in slots for change in others)


def combines(remedy: str) -> bool:
    """Whether a remedy may be part of a combination: a reference takes the place of all that acts within a training."""
    return all(slot != "reference" for slot, _ in changes(remedy))


def joined(members: Sequence[str]) -> str:
    """The name of several remedies at once."""
    return TOGETHER.join(members)


def _all(known: Sequence[Change], train: Dataset, baseline: Recipe) -> list[str]:
    applying = {(found.slot, found.method) for found in applicable_methods(train)} - set(_methods(baseline))
    return [f"{slot}={name}" for slot, name in known if (slot, name) in applying and _stands_alone(slot, name)]


def _methods(recipe: Recipe) -> list[Change]:
    return [(slot, type(method).name) for slot, method in recipe.methods()]


def _joined(parts: Sequence[str]) -> str:
    for place, part in enumerate(parts):
        rival = next((other for other in parts[:place] if clash(other, part)), None)
        if rival is not None:
            raise DataError(
                f"{rival} and {part} cannot go together, because they fill the same slot; ask for them one by one."
            )
    return joined(parts)


def _named(part: str, known: Sequence[Change]) -> str:
    slot, equals, name = part.partition("=")
    serving = [(one, method) for one, method in known if (method == name and one == slot if equals else method == part)]
    if not serving:
        raise DataError(
            f"There is no remedy {part!r} for this data; {nearest(name if equals else part, [method for _, method in known])}"
        )
    return f"{serving[0][0]}={serving[0][1]}"


def _stands_alone(slot: str, name: str) -> bool:
    """Whether a method is a remedy by itself: it has defaults for every setting, and needs no stage of its own."""
    method = methods.load(slot, name)
    return all(not field.is_required() for field in method.model_fields.values()) and not getattr(
        method, "on_features", False
    )
