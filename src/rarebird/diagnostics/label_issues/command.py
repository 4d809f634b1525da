"""`label-issues`: a path in, every training row looked through; a ranked file and a page of the doubtful ones out.

The training rows are cross-fitted, so that each gets a prediction from a network that did not train on it, with
calibrations that its own label did not reach. No test part is held out, because nothing is tested; given validation and
test rows are left out. Rows that copy one another are held out together: a network that has seen a copy repeats its
label, right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.label_issues import issues
from rarebird.diagnostics.label_issues.issues import LabelIssues
from rarebird.evaluation import cross_validate
from rarebird.experiment.setup import separate
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.training.cross_fit import Parts
from rarebird.training.device import choose_device, threads

# Parts where the protocol of `fit` would be a hold-out.
FOLDS = 5
# Seconds kept for the file and the page.
RESERVE, RESERVE_SHARE = 3.0, 0.02

Tell = Callable[[float, str], bool]


@dataclass(frozen=True)
class Review:
    """Rows, and what is wrong with their labels.

    Attributes:
        train: The rows that were looked through.
        found: What was found among them.
        probabilities: ``(n, n_classes)`` out of fold, NaN for rows that were never held out.
        recipe: What was trained, with everything laid out.
    """

    train: Dataset
    found: LabelIssues
    probabilities: np.ndarray
    recipe: AnyRecipe


def review(request: Request, clock: Clock, tell: Tell = lambda progress, what: False) -> Review:
    """Carry out a request as `fitting.fit` would, but for every training row.

    Args:
        request: What is asked for; its metric decides nothing.
        clock: The budget.
        tell: Told of the progress; True from it ends the training with the rows that were looked through by then.

    Raises:
        DataError: The data or the recipe cannot serve, or the target holds numbers.
    """
    tell(0.0, "reading the data")
    recipe, data = read_recipe_and_data(request)
    return look_through(recipe, data, clock=clock, device=request.device, tell=tell)


def look_through(
    recipe: Recipe,
    data: Splits,
    *,
    clock: Clock | None = None,
    device: str = "auto",
    tell: Tell = lambda progress, what: False,
) -> Review:
    """Cross-fit a recipe on all training rows, and find those whose given label is improbable.

    Args:
        recipe: What to train; of its folds and hold-out, only a number of folds is followed.
        data: Rows, of which the training rows are looked through.
        clock: The budget, for a recipe that leaves its steps open; None: the recipe's own steps or epochs.
        device: A torch device, or ``auto``.
        tell: Told of the progress; True from it ends the training early.

    Raises:
        DataError: The rows or the recipe cannot serve, or the target holds numbers.
    """
    if data.train.task == "regression":
        raise DataError(
            f"Label issues are looked for among classes, but the target of {data.train.name} holds numbers."
        )
    notes = [*data.notes, *_given_parts(data)]
    tell(0.0, "looking for copies")
    train = separate(Splits(data.train), recipe, 0, notes).train
    parts = _parts(train, recipe)
    deadline = (
        None
        if clock is None or recipe.steps is not None
        else clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0))
    )
    with threads(recipe.threads):
        recipe = recipe.updated(folds=len(parts), holdout=None, relaid=())
        judged = cross_validate.judge(
            recipe, train, parts, deadline=deadline, device=choose_device(device), report=tell
        )
    tell(1.0, "ranking")
    probabilities = np.full((len(train), train.n_classes), np.nan)
    probabilities[judged.rows] = judged.outputs
    trained = len(np.unique(judged.part))
    notes += [f"Training was ended early, at {trained} of {len(parts)} networks."] * (trained < len(parts))
    found = issues.find(train, probabilities)
    return Review(train, replace(found, notes=(*notes, *found.notes)), probabilities, judged.recipe)


def _parts(train: Dataset, recipe: Recipe) -> Parts:
    """Parts that between them hold out every row, as many as the recipe or the protocol of `fit` asks for, or `FOLDS`.

    Raises:
        DataError: The groups leave nothing to train on.
    """
    most = len(train) if train.group is None else len(np.unique(train.group))
    if most < 2:
        raise DataError(
            f"The rows of {train.name} are of one group, so that none can judge the others; give more groups, or no --groups."
        )
    folds = recipe.folds or split.decide(train).folds or FOLDS
    parts = split.parts(train, split.decide(train, folds=min(folds, most)), recipe.seed)
    if not parts:
        raise DataError(f"{train.name} leaves no row to judge: each class stands in one group, or has one row.")
    return parts


def _given_parts(data: Splits) -> list[str]:
    """Sentences on rows that take no part, and on time."""
    given = [
        f"{len(part)} {what}" for part, what in ((data.val, "validation"), (data.test, "test")) if part is not None
    ]
    notes = (
        [f"Training rows alone are looked through; left out are the given {' and '.join(given)} rows."] if given else []
    )
    return notes + ["Rows are held out in parts of all times, not in time order."] * (data.train.time is not None)
