"""Rows of other sources in a recipe: they join by its slot `external`, which records the sources."""

from __future__ import annotations

from collections.abc import Sequence

from rarebird.core.checks import DataError
from rarebird.data import prepare
from rarebird.data.dataset import Splits
from rarebird.evaluation.result import ClassShift, ExternalRows, Result
from rarebird.evaluation.shift import shifted_classes
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.training.cross_fit import CrossFit

METHOD = "outside_rows"


def joining(recipe: Recipe, data: Splits) -> Recipe:
    """The recipe with all sources of the data joined: by its own `external`, or the usual method."""
    method = recipe.external or methods.build("external", {"name": METHOD})
    prints = tuple(source.fingerprint for source in data.outside)
    recorded = "fingerprints" in type(method).model_fields
    return recipe.updated(external=method.model_copy(update={"fingerprints": prints}) if recorded else method)


def with_sources(recipe: AnyRecipe, data: Splits, is_default: bool) -> tuple[AnyRecipe, list[str]]:
    """The recipe as it joins the sources of the data, and notes.

    A recipe without a file joins whatever is given. A recipe file decides itself: it is repeated as it was recorded.
    """
    if not data.outside:
        return recipe, []
    if isinstance(recipe, Recipe) and (is_default or recipe.external is not None):
        return (recipe if getattr(recipe.external, "fingerprints", ()) else joining(recipe, data)), []
    if is_joining(recipe):
        return recipe, []
    return recipe, ["The recipe joins no rows of other sources; --set external=outside_rows joins those of --external."]


def is_joining(recipe: AnyRecipe) -> bool:
    """Whether rows of other sources join in some training of the recipe."""
    return any(one.external is not None for _, one in ensemble.members(recipe))


def check_sources(recipe: AnyRecipe, data: Splits) -> None:
    """Refuse a recipe that joins rows of other sources where none are given.

    Raises:
        DataError: None are given.
    """
    if is_joining(recipe) and not data.outside:
        raise DataError(
            "The recipe joins rows of other sources (external), but none are given; give them with --external, or take "
            "external out of the recipe."
        )


def source_notes(recipe: AnyRecipe, data: Splits) -> list[str]:
    """A note where the sources are not those that the recipe records."""
    given = tuple(source.fingerprint for source in data.outside)
    recorded = {tuple(getattr(one.external, "fingerprints", ())) for _, one in ensemble.members(recipe)} - {()}
    if not given or not recorded or given in recorded:
        return []
    return ["The rows of other sources are not those with which the recipe was recorded, so it gives other figures."]


def shifts(splits: Splits, seed: int) -> dict[str, tuple[ClassShift, ...]]:
    """Source -> the two-sample test of each class's rows and the own training rows."""
    prepared, _ = prepare.fit(splits.train, seed)
    return {
        source.rows.name: shifted_classes(splits.train, source.rows, prepared, seed, source.absent)
        for source in splits.outside
        if len(source.rows)
    }


def with_sources_of(fits: Sequence[CrossFit], result: Result, splits: Splits, seed: int) -> Result:
    """The result with what a run's trainings found about rows of other sources; as it is if none could join any."""
    reports = next((one.sources for models in fits for one in models.trained if one.sources), ())
    if not reports:
        return result
    used = any(one.joined for one in reports)
    return with_external(result, ExternalRows(used=used, sources=reports, shift=shifts(splits, seed)))


def with_external(result: Result, found: ExternalRows | None) -> Result:
    """The result with what was found about rows of other sources, and with sentences on it."""
    if found is None:
        return result
    return result.model_copy(update={"external": found}).with_notes(*_sentences(found))


def _sentences(found: ExternalRows) -> list[str]:
    """What became of each source, and whether the rows help, for the user."""
    notes = []
    for source in found.sources:
        if source.refused:
            notes.append(f"No row of {source.name} joins: {source.refused}.")
        else:
            notes.append(
                f"{source.joined} of {source.given} rows of {source.name} may join, with the weight of "
                f"{source.weight:.0f} own rows."
            )
        notes += [f"{source.name}: {finding}." for finding in source.findings]
    if (effect := found.effect) is not None:
        notes.append(
            f"With these rows, the held-out loss of {effect.recipe} is {effect.loss_with:.4f}, without them "
            f"{effect.loss_without:.4f} (difference {effect.difference:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}])."
        )
    if any(source.joined for source in found.sources):
        notes.append(f"The final model {'learned' if found.used else 'did not learn'} from them.")
    return notes
