"""Remedies as changes of a recipe, and the choice of the best combination of them.

A remedy is named ``slot=method``; several at once are joined by ``+``.

To choose a combination and to score it on the same splits would reward luck. It is chosen on the splits that compared
the single remedies, and scored on new ones: the choice decides which recipes are trained there, and nothing else. The
rows are the same, so some luck of the choice remains, and a note of the result says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rarebird.core.checks import DataError, nearest
from rarebird.data.dataset import Dataset
from rarebird.profile.applicable import applicable_methods
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods

# Slots whose methods are remedies. A method is added to a slot that is a list, and replaces that of any other slot.
SLOTS = (
    "external",
    "synthesis",
    "resampling",
    "batch_sampling",
    "augmentation",
    "loss",
    "regularization",
    "network",
    "transfer",
    "reference",
    "head",
    "calibration",
    "decision",
)
LISTS = ("augmentation", "regularization", "calibration")
TOGETHER, ALL = "+", "all"
JOINING = ("external=outside_rows",)
# Without a pool it takes longer than it gives, so that it is compared only where it is named.
WITHOUT_LABELS = "transfer=self_supervised"
# The most remedies that are tried after the first, and the most members: each one asks for more trainings.
MOST_TRIED, MOST_MEMBERS = 6, 5

Change = tuple[str, str]


def remedies(asked: str, train: Dataset, baseline: Recipe, outside: bool = False, unlabeled: bool = False) -> list[str]:
    """The remedies that a user asked for.

    Args:
        asked: Names separated by commas: ``focal``, ``loss=focal``, ``smote+focal``; the name of a slot, such as
            ``synthesis``, means all of its methods that apply to the data, and ``all`` those of all slots but
            `synthesis`, whose generators take long.
        train: Training rows.
        baseline: The recipe that they change; ``all`` leaves out the methods that it has already.
        outside: Whether rows of other sources are given, which can join as a remedy.
        unlabeled: Whether rows without labels are given: ``all`` then includes learning from them.

    Raises:
        DataError: There is no such remedy for this kind of data, two methods of one remedy fill the same slot, or rows
            of other sources are asked for and not given.
    """
    known = [(slot, name) for slot in SLOTS for name in methods.names(slot, train.kind)]
    found: list[str] = []
    for one in (part.strip() for part in asked.split(",")):
        every = _all(known, train, baseline) if one == ALL or one in SLOTS else []
        if one == ALL:
            joining = JOINING if outside and baseline.external is None else ()
            found += [*joining, *(remedy for remedy in every if _is_of_all(remedy, unlabeled))]
        else:
            of_slot = [remedy for remedy in every if changes(remedy)[0][0] == one]
            found += of_slot or [_joined([_named(part.strip(), known) for part in one.split(TOGETHER)])]
    if not outside and any(slot == "external" for remedy in found for slot, _ in changes(remedy)):
        raise DataError("The remedy external joins rows of another source; give them with --external.")
    return list(dict.fromkeys(found))


def changes(remedy: str) -> list[Change]:
    """The slots and methods of a remedy; ``smote+focal`` has two."""
    parts = (part.partition("=") for part in remedy.split(TOGETHER))
    return [(slot, name) for slot, _, name in parts]


def with_remedy(baseline: Recipe, remedy: str) -> Recipe:
    """The baseline with one remedy, or several joined by ``+``."""
    recipe = baseline
    for slot, name in changes(remedy):
        method, held = methods.build(slot, {"name": name}), getattr(recipe, slot)
        recipe = recipe.updated(**{slot: (*held, method) if isinstance(held, tuple) else method})
        if slot == "network":
            # If the baseline trains trees, the network would be ignored; if it solves a head, few networks would do.
            recipe = recipe.updated(reference=None, head=None)
    return recipe


def without_wanted(baseline: Recipe, wanted: Sequence[str]) -> tuple[Recipe, list[Change]]:
    """The baseline without those methods of its lists that are asked for as remedies, so that they can be compared.

    Returns:
        The recipe, and the methods that were taken out.
    """
    asked = {change for remedy in wanted for change in changes(remedy)}
    out = [change for change in _methods(baseline) if change[0] in LISTS and change in asked]
    kept = {slot: tuple(one for one in getattr(baseline, slot) if (slot, type(one).name) not in out) for slot in LISTS}
    return (baseline.updated(**kept) if out else baseline), out


def clash(one: str, other: str) -> bool:
    """Whether two remedies exclude each other: they share a method, or fill the same slot, which holds one method."""
    mine, others = changes(one), changes(other)
    slots = {slot for slot, _ in mine if slot not in LISTS}
    return any(change in mine or change[0] in slots for change in others)


def combines(remedy: str) -> bool:
    """Whether a remedy may be part of a combination: a reference may not, because most others change a network's
    training."""
    return all(slot != "reference" for slot, _ in changes(remedy))


def joined(members: Sequence[str]) -> str:
    """The name of several remedies at once."""
    return TOGETHER.join(members)


def candidates(gains: Mapping[str, float]) -> list[str]:
    """Remedies that gained something alone and can be combined, the largest gain first."""
    return sorted(
        (remedy for remedy, gain in gains.items() if gain > 0 and combines(remedy)), key=lambda remedy: -gains[remedy]
    )


def choose(gains: Mapping[str, float], gain_of: Callable[[Sequence[str]], float | None]) -> list[str]:
    """Start with the largest gain, and add each other remedy if the mean gain grows by it and no slot is filled twice.

    Args:
        gains: Remedy -> mean difference alone, larger is better; NaN where there is none.
        gain_of: The gain of a combination on the same splits; None if no time is left to train it.

    Returns:
        The members; one or none where a combination gains nothing.
    """
    order = candidates(gains)
    members, best, tried = order[:1], gains[order[0]] if order else 0.0, 0
    for remedy in order[1:]:
        if any(clash(member, remedy) for member in members):
            continue
        if tried == MOST_TRIED or len(members) == MOST_MEMBERS:
            break
        tried, gain = tried + 1, gain_of([*members, remedy])
        if gain is None:
            break
        if gain > best:
            members, best = [*members, remedy], gain
    return members


def left_out(members: Sequence[str]) -> dict[str, list[str]]:
    """Each member -> the other members."""
    return {member: [other for other in members if other != member] for member in members}


def most_recipes(remedies: Sequence[str]) -> tuple[int, int]:
    """The most recipes that are trained to choose a combination, and to compare it; the baseline is one of these."""
    able = sum(map(combines, remedies))
    return (min(able - 1, MOST_TRIED), 2 + min(able, MOST_MEMBERS)) if able > 1 else (0, 0)


def _all(known: Sequence[Change], train: Dataset, baseline: Recipe) -> list[str]:
    applying = {(found.slot, found.method) for found in applicable_methods(train)} - set(_methods(baseline))
    return [f"{slot}={name}" for slot, name in known if (slot, name) in applying and _is_remedy_by_itself(slot, name)]


def _is_of_all(remedy: str, unlabeled: bool) -> bool:
    """Whether ``all`` means a remedy, too: generators take long, and some remedies need unlabeled rows."""
    return not remedy.startswith("synthesis=") and (unlabeled or remedy != WITHOUT_LABELS)


def _methods(recipe: Recipe) -> list[Change]:
    return [(slot, type(method).name) for slot, method in recipe.methods()]


def _joined(parts: Sequence[str]) -> str:
    for place, part in enumerate(parts):
        other = next((other for other in parts[:place] if clash(other, part)), None)
        if other is not None:
            raise DataError(
                f"{other} and {part} cannot go together, because they fill the same slot; ask for them one by one."
            )
    return joined(parts)


def _named(part: str, known: Sequence[Change]) -> str:
    slot, equals, name = part.partition("=")
    fitting = [(one, method) for one, method in known if (method == name and one == slot if equals else method == part)]
    of_slot = [change for change in known if change[0] == part]
    fitting = fitting or (of_slot if len(of_slot) == 1 else [])  # a slot of one method is named by itself
    if not fitting:
        nearby = nearest(name if equals else part, [method for _, method in known])
        raise DataError(f"There is no remedy {part!r} for this data; {nearby}")
    return f"{fitting[0][0]}={fitting[0][1]}"


def _is_remedy_by_itself(slot: str, name: str) -> bool:
    """Whether a method is a remedy by itself: its settings have defaults, and it works on rows, not on features. A head
    is not, as it needs a network whose features are frozen, nor is what joins rows of other sources."""
    method = methods.load(slot, name)
    return (
        slot not in ("head", "external")
        and all(not field.is_required() for field in method.model_fields.values())
        and not getattr(method, "on_features", False)
    )
