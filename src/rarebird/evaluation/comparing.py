"""`compare`: a path in, a verdict per remedy out."""

from __future__ import annotations

from collections.abc import Callable

from rarebird import experiment, fitting
from rarebird.clock import Clock
from rarebird.evaluation.compare import Comparison, remedies
from rarebird.evaluation.compare import compare as compared
from rarebird.recipe import Recipe
from rarebird.training.device import choose_device

# What is left of a budget for reading and printing.
RESERVE = 2.0


def compare(
    request: fitting.Request,
    asked: str,
    folds: int,
    repeats: int,
    clock: Clock,
    tell: Callable[[float, str], bool] = lambda progress, what: False,
) -> Comparison:
    """Carry out a comparison.

    Args:
        request: Data, and the baseline's recipe and settings, as for `fitting.fit`.
        asked: ``all`` remedies that apply, or names separated by commas.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds.
        clock: The budget.
        tell: Told of the progress; True from it ends the comparison with what there is.

    Raises:
        DataError: The data, the baseline or a name cannot serve.
    """
    recipe, data = fitting.opened(request)
    if request.recipe is None and not request.settings:
        recipe = plain(recipe)
    train = experiment.separate(data, recipe, experiment.TEST_SHARE, []).train
    wanted = remedies(asked, train, recipe)
    with experiment.threads(request.threads) as threads:
        return compared(
            recipe.updated(threads=threads),
            train,
            wanted,
            folds=folds,
            repeats=repeats,
            metric=request.metric,
            positive=request.positive,
            deadline=clock.deadline(RESERVE),
            device=choose_device(request.device),
            tell=tell,
        )


def plain(recipe: Recipe) -> Recipe:
    """A recipe without remedies: plain cross entropy, shuffled batches, no augmentation; calibration and decision stay."""
    without = {"augmentation": (), "resampling": None, "batch_sampling": "shuffled"}
    return recipe.updated(**without, **({} if recipe.loss.name == "mean_squared" else {"loss": "cross_entropy"}))
