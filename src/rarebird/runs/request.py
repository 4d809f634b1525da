"""`fit`: a path in, a trustworthy model out. Read, profile, choose the recipe, run it, write the run's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rarebird.recipe import ensemble
from rarebird.experiment.run import run
from rarebird import readers
from rarebird.runs import folder
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.profile import duplicates
from rarebird.data.dataset import Pixels, Splits
from rarebird.data.fingerprint import fingerprint
from rarebird.profile.facts import Profile
from rarebird.profile.profile import profile
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.experiment.run import Outcome
from rarebird.readers.options import ReadOptions, remembered_target
from rarebird.recipe.recipe import Recipe
from rarebird.training.device import threads


@dataclass(frozen=True)
class Request:
    """What `fit` is asked for.

    Attributes:
        data: Path of the data.
        out: The run's folder.
        test: Path of the test rows; None: those that come with the data, or a fifth held out.
        read: How to read both.
        recipe: A recipe file in place of the default rules.
        settings: ``--set`` assignments on top of the recipe.
        metric: What to serve; None: the recipe's, or the task's default.
        steps: Optimizer steps of each network in place of a budget.
        budget: Wall-clock seconds.
    """

    data: Path
    out: Path
    test: Path | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    recipe: Path | None = None
    settings: tuple[str, ...] = ()
    metric: str | None = None
    positive: str | None = None
    seed: int | None = None
    steps: int | None = None
    budget: float | None = None
    threads: int | None = None
    device: str = "auto"


def fit(request: Request, clock: Clock, report: Callable[[float, str], bool] = lambda progress, what: False) -> Outcome:
    """Carry out a request; the outcome's result names the model and the report.

    Args:
        request: What is asked for.
        clock: The budget.
        report: Told of the progress; True from it ends the training early.

    Raises:
        DataError: The data, the recipe or the folder cannot serve; nothing has been written.
    """
    folder.check_free(request.out)
    report(0.0, "reading the data")
    recipe, data = chosen(request)
    report(0.0, "profiling the data")
    known = described(data)
    with threads(request.threads):
        outcome = run(
            recipe,
            data,
            clock=clock,
            device=request.device,
            positive=request.positive,
            duplicate_groups=known.duplicate_groups,
            report=report,
        )
    report(1.0, "writing the report")
    folder.write(request.out, outcome, known.fingerprint, known.profile, clock)
    return outcome


@dataclass(frozen=True)
class Described:
    """What is known of data before anything is learned.

    Attributes:
        fingerprint: Of the training rows.
        profile: Of all rows.
        duplicate_groups: Of the training rows; None where validation or test rows were looked through with them.
    """

    fingerprint: str
    profile: Profile
    duplicate_groups: np.ndarray | None


def described(data: Splits) -> Described:
    """Fingerprint and profile of the data; copies are looked for once where the profile's search can serve the splits
    too."""
    # Splits are to depend on the training rows alone, so that duplicates found among test rows too would not serve
    # them.
    alone = data.val is None and data.test is None
    found = duplicates.find([data.train]) if alone else None
    about = profile(data.train, val=data.val, test=data.test, found=found)
    return Described(fingerprint(data.train), about, None if found is None else found.groups)


def opened(request: Request) -> tuple[Recipe, Splits]:
    """The one recipe that a request asks for, and its rows.

    Raises:
        DataError: The data or the recipe cannot serve, or the recipe is an ensemble.
    """
    recipe, data = chosen(request)
    if isinstance(recipe, Ensemble):
        raise DataError(f"{request.recipe} holds an ensemble, but one recipe is asked for; write one of its members to a file of its own.")
    return recipe, data


def chosen(request: Request) -> tuple[AnyRecipe, Splits]:
    """The recipe or ensemble that a request asks for, and its rows."""
    given = None if request.recipe is None else ensemble.read(request.recipe)
    data = read(request, given)
    return chosen_recipe(request, given, data), data


def read(request: Request, recipe: AnyRecipe | None) -> Splits:
    """The rows of a request, its test rows read as the training rows were."""
    options = request.read
    if options.image_size is None and recipe is not None:
        options = replace(options, image_size=recipe.image_size)
    data = readers.read(request.data, options)
    if request.test is None:
        return data
    train = data.train
    shape = train.source.array.shape[1:] if isinstance(train.source, Pixels) else None
    target = options.target or remembered_target(request.test, train.kind, train.target)
    test = readers.read(
        request.test, replace(options, role="test rows", kind=train.kind, task=train.task, target=target, image_shape=shape)
    )
    return replace(data, test=test.train, notes=(*data.notes, *test.notes))


def chosen_recipe(request: Request, given: AnyRecipe | None, data: Splits) -> AnyRecipe:
    """The recipe file or the default rules, with the request's own choices on top."""
    seed = 0 if request.seed is None else request.seed
    recipe = given or default_recipe(data.train, request.metric, seed)
    chosen = {"metric": request.metric, "seed": request.seed, "steps": request.steps, "threads": request.threads}
    recipe = recipe.updated(**{name: value for name, value in chosen.items() if value is not None})
    recipe = recipe.with_settings(list(request.settings)) if request.settings else recipe
    return recipe if given is None or _same_course(recipe, given) else recipe.updated(relaid=())


def _same_course(recipe: AnyRecipe, given: AnyRecipe) -> bool:
    """Whether changes that a recorded course underwent hold for the recipe: they belong to its steps and networks."""
    if isinstance(recipe, Ensemble) and isinstance(given, Ensemble):
        pairs = zip(recipe.members, given.members, strict=False)
        return len(recipe.members) == len(given.members) and all(_same_course(one, other) for one, other in pairs)
    return all(getattr(recipe, name, None) == getattr(given, name, None) for name in ("steps", "batch_size", "folds", "holdout"))
