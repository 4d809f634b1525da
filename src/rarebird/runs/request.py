"""A request, as a command or Python code makes it, and how the recipe and the rows it names are read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rarebird import readers
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Pixels, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.experiment.copies import Copies
from rarebird.model.rows import to_predict
from rarebird.profile import duplicates
from rarebird.profile.facts import Profile
from rarebird.profile.profile import profile
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.readers.outside import with_outside
from rarebird.recipe import ensemble, fine_tuning
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assigned, read_plain
from rarebird.runs.unlabeled import with_unlabeled
from rarebird.slots import methods

# Share of the budget in which pictures must be decoded.
READING_SHARE = 0.4
# Share of the budget for the search for leaks, which the report shows and nothing else reads.
LEAKS_SHARE = 0.05


# Settings that may name a pretrained network, and the side of the pictures that most of these were made for.
USE_WEIGHTS, PRETRAINED_SIDE = ("network", "transfer"), 224


@dataclass(frozen=True)
class Request:
    """The data, the recipe and the machine that a command works with.

    Attributes:
        data: Path of the data.
        out: The folder to write.
        test: Path of the test rows; None: those that come with the data, or a fifth that is held out.
        read: How to read both paths.
        recipe: A recipe file, used in place of the default rules.
        settings: Assignments as after ``--set``, applied to the recipe.
        metric: The metric to optimize; None: the recipe's, or the task's default.
        positive: For two classes, the one that precision and recall are about; None: the rarer.
        seed: None: the recipe's.
        steps: Optimizer steps of each network; None: the recipe's, or as many as the time allows.
        threads: CPU threads; None: the recipe's.
        device: A torch device, or ``auto``.
        keep_copies: Training rows that copy a given validation or test row are trained on.
        external: Paths of other sources, whose rows may join the training rows.
        label_maps: Files that translate their labels: one for all, or one for each source.
        unlabeled: Path of rows without labels, from which a network's body may learn first.
        no_rows: Files for people show no single row.
        price_per_hour, watts: Of the machine, for the cost of the run; None: not given.
        force: Earlier results in the folder are replaced.
        out_is_default: Nobody asked for this folder, so that another name serves as well.
    """

    data: Path
    out: Path = Path()
    test: Path | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    recipe: Path | None = None
    settings: tuple[str, ...] = ()
    metric: str | None = None
    positive: str | None = None
    seed: int | None = None
    steps: int | None = None
    threads: int | None = None
    device: str = "auto"
    keep_copies: bool = False
    external: tuple[Path, ...] = ()
    label_maps: tuple[Path, ...] = ()
    unlabeled: Path | None = None
    no_rows: bool = False
    price_per_hour: float | None = None
    watts: float | None = None
    force: bool = False
    out_is_default: bool = False


@dataclass(frozen=True)
class DataSummary:
    """What is known about the data before training.

    Attributes:
        fingerprint: Of the training rows.
        profile: Of all rows.
        copies: What becomes of rows that copy one another, with what the profile found of them; None once the rows are
            split.
    """

    fingerprint: str
    profile: Profile
    copies: Copies | None


def summarize(data: Splits, keep_copies: bool = False, clock: Clock | None = None) -> DataSummary:
    """Fingerprint, profile and copies; all rows are searched together once, for the profile and for the run.

    Args:
        data: All rows.
        keep_copies: As in `Request`.
        clock: The budget, of which the search for leaks takes a share; the rest decides the split, and is never cut.
    """
    found = duplicates.find(_parts(data))
    facts = profile(
        data.train,
        val=data.val,
        test=data.test,
        matches=found,
        deadline=None if clock is None else clock.end_of_part(LEAKS_SHARE),
    )
    return DataSummary(fingerprint(data.train), facts, _copies(data, keep_copies, found))


def find_copies(data: Splits, keep_copies: bool = False) -> Copies:
    """The copies of `summarize`, without a profile."""
    return _copies(data, keep_copies, duplicates.find(_parts(data)))


def _parts(data: Splits) -> list[Dataset]:
    return [part for part in (data.train, data.val, data.test) if part is not None and len(part)]


def _copies(data: Splits, keep_copies: bool, found: duplicates.Matches) -> Copies:
    alone = data.val is None and data.test is None
    return Copies(keep_copies, found.groups, None) if alone else Copies(keep_copies, None, found)


def read_recipe_and_data(request: Request, clock: Clock | None = None) -> tuple[Recipe, Splits]:
    """The requested recipe and rows, for commands that work with one recipe only.

    Args:
        request: What is asked for.
        clock: As in `read_data`.

    Raises:
        DataError: The data or the recipe cannot be used, or the recipe is an ensemble.
    """
    recipe, data = read_any_recipe_and_data(request, clock)
    if isinstance(recipe, Ensemble):
        raise DataError(
            f"{request.recipe} holds an ensemble, but one recipe is needed; "
            "write one of its members to a file of its own."
        )
    return recipe, data


def read_any_recipe_and_data(request: Request, clock: Clock | None = None) -> tuple[AnyRecipe, Splits]:
    """The requested recipe or ensemble, and the rows.

    Args:
        request: What is asked for.
        clock: As in `read_data`.

    Raises:
        DataError: The data or the recipe cannot be used.
    """
    given = None if request.recipe is None else ensemble.read(request.recipe)
    data = read_data(request, clock)
    return resolve_recipe(request, given, data), data


def read_data(request: Request, clock: Clock | None = None) -> Splits:
    """The requested rows; test rows of another path are read in the same way as the training rows.

    Pictures are read at the size that the request's settings name, or else its recipe.

    Args:
        request: What is asked for.
        clock: The budget; of pictures, only those are read that a share of it allows. None for no limit.

    Raises:
        DataError: The data cannot be read.
    """
    options = replace(request.read, has_test=request.test is not None)
    if clock is not None:
        options = replace(options, deadline=clock.end_of_part(READING_SHARE))
    if options.image_size is None:
        options = replace(options, image_size=_asked_image_size(request), largest_side=_largest_side(request))
    data = _with_test_rows(request, readers.read(request.data, options), options)
    if request.unlabeled is not None:
        data = with_unlabeled(data, request.unlabeled, options)
    if not request.external and not request.label_maps:
        return data
    return with_outside(data, request.external, request.label_maps, options)


def _with_test_rows(request: Request, data: Splits, options: ReadOptions) -> Splits:
    """The rows with the requested test rows in place of those that came with them."""
    if request.test is None:
        return data
    train = data.train
    as_training_rows = replace(
        options,
        role="test rows",
        kind=train.kind,
        task=train.task,
        target=options.target or remembered_target(request.test, train.kind, train.target),
        image_shape=train.source.array.shape[1:] if isinstance(train.source, Pixels) else None,
        schema=train.known_schema,
    )
    found, lacking = readers.read_scored(request.test, as_training_rows)
    if found is None:
        return replace(data, notes=(*data.notes, *lacking))
    test = to_predict(found)
    # Refused here, where all rows are there: copies of training rows leave later.
    return replace(data, test=test.data.aligned(train.classes), notes=(*data.notes, *test.notes))


def _asked_image_size(request: Request) -> int | None:
    """The `image_size` of the recipe file with the settings applied; None where neither names one.

    Raises:
        DataError: It is no single number: pictures are read once, so that a search cannot range over their size.
    """
    plain = {} if request.recipe is None else read_plain(request.recipe)
    settings = [setting for setting in request.settings if setting.partition("=")[0].strip() == "image_size"]
    size = assigned(plain, settings, Recipe.model_fields).get("image_size")
    if size is not None and (type(size) is not int or size < 8):
        raise DataError(f"image_size is one whole number of pixels, 8 or more, but got {size!r}.")
    return size


def _largest_side(request: Request) -> int | None:
    """The side up to which pictures are kept for a pretrained network that the request names, or whose weights it
    names; None where it names none."""
    plain = {} if request.recipe is None else read_plain(request.recipe)
    asked = [setting for setting in request.settings if setting.partition("=")[0].strip().startswith(USE_WEIGHTS)]
    try:
        plain = assigned(plain, asked, Recipe.model_fields)
        network: Any = methods.of("network", plain["network"]) if plain.get("network") else None
    except ValueError:
        return None  # whoever builds the recipe says what is wrong
    side: int | None = getattr(network, "own_size", None)
    return PRETRAINED_SIDE if side is None and plain.get("transfer") else side


def resolve_recipe(request: Request, given: AnyRecipe | None, data: Splits) -> AnyRecipe:
    """The given recipe, or the default one for the data, with the request's own settings applied.

    Raises:
        DataError: A setting does not exist or does not fit.
    """
    seed = 0 if request.seed is None else request.seed
    options = {"metric": request.metric, "seed": request.seed, "steps": request.steps, "threads": request.threads}
    stated = {name: value for name, value in options.items() if value is not None}
    if given is None:
        default = default_recipe(data.train, request.metric, seed).updated(**stated)
        return Recipe(**fine_tuning.with_settings(default, request.settings))
    recipe = given.updated(**stated)
    recipe = recipe.with_settings(list(request.settings)) if request.settings else recipe
    return recipe if _same_step_plan(recipe, given) else recipe.updated(relaid=())


def _same_step_plan(recipe: AnyRecipe, given: AnyRecipe) -> bool:
    """Whether changes to the step plan that a recipe file records (`relaid`) still fit: they depend on the number of
    steps and of networks."""
    if isinstance(recipe, Ensemble) and isinstance(given, Ensemble):
        pairs = zip(recipe.members, given.members, strict=False)
        return len(recipe.members) == len(given.members) and all(_same_step_plan(one, other) for one, other in pairs)
    fields = ("steps", "batch_size", "folds", "holdout")
    return all(getattr(recipe, name, None) == getattr(given, name, None) for name in fields)
