"""`compare`: a path in, a verdict per remedy out, and a folder with the page, its figures as JSON and the baseline's
recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rarebird.comparison.compare import ComparisonOptions
from rarebird.comparison.compare import compare as compare_recipes
from rarebird.comparison.remedies import remedies, with_remedy, without_wanted
from rarebird.comparison.result import Comparison
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.copies import Copies
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.recipe.recipe import Recipe
from rarebird.report.left_out import why_left_out
from rarebird.report.pages.comparison import write_comparison
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import usable_threads

PAGE, VALUES, BASELINE = "compare.html", "compare.json", "baseline.toml"
FILES = (PAGE, VALUES, BASELINE)
# Regularizations that stay in a baseline made of the default rules: they keep a training stable, and are no remedies
# for few rows.
SAFEGUARDS = ("gradient_clipping",)


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison, and the folder in which it was written.

    Attributes:
        comparison: The result.
        folder: The folder of the page, the JSON file and the baseline's recipe.
        seconds: Since the start of the process.
    """

    comparison: Comparison
    folder: Path
    seconds: float

    def for_machines(self) -> dict[str, Any]:
        """The comparison as JSON holds it, with the page's path and the seconds."""
        return {**self.comparison.for_machines(), "seconds": round(self.seconds, 2), "report": str(self.folder / PAGE)}

    def to_text(self) -> str:
        """The comparison's table, and the page's path."""
        return f"{self.comparison.to_text()}\nReport: {self.folder / PAGE}\nDone in {self.seconds:.1f} s."


def compare(
    request: Request, asked: str, folds: int, repeats: int, clock: Clock, progress: Progress = silent
) -> ComparisonReport:
    """Compare remedies on the requested data, and write the folder.

    Args:
        request: The data, the baseline's recipe and settings, and the folder to write.
        asked: ``all`` remedies that apply, or names separated by commas.
        folds: Parts of a split.
        repeats: Splits, each with other parts and seeds.
        clock: The budget. A baseline that fixes its steps keeps them; fewer repeats are then run instead.
        progress: Told of the share done; True from it ends the comparison with the splits that are done.

    Raises:
        DataError: The data, the baseline, a name or the folder cannot be used; nothing has been written.
    """
    with owned_folder(request, FILES) as out:
        found, train = _found(replace(request, out=out.path), asked, folds, repeats, clock, progress)
        return write(out, found, train, clock)


def _found(
    request: Request, asked: str, folds: int, repeats: int, clock: Clock, progress: Progress
) -> tuple[Comparison, Dataset]:
    progress(0.0, "reading the data")
    recipe, splits, wanted, notes = _read(request, asked, clock)
    train = splits.train
    options = ComparisonOptions(folds, repeats, request.metric, request.positive, elsewhere=splits)
    compute, before = Compute(choose_device(request.device), clock.training_deadline(), progress), clock.elapsed()
    with threads(usable_threads(clock, request.threads)):
        found = compare_recipes(recipe, train, wanted, options, compute)
    progress(1.0, "writing the report")
    return replace(found, notes=(*notes, *found.notes), course=found.course.with_budget(before)), train


def _read(request: Request, asked: str, clock: Clock) -> tuple[Recipe, Splits, list[str], list[str]]:
    """The baseline, the split rows, the remedies, and notes on them for the user."""
    recipe, data = read_recipe_and_data(request, clock)
    recipe = _baseline(request, recipe)
    splits = separate(data, recipe, TEST_SHARE, Copies(request.keep_copies))
    train, notes = splits.train, list(splits.notes)
    if splits.val is not None:
        notes.append(f"The {len(splits.val)} validation rows are not used.")
    wanted = remedies(asked, train, recipe, outside=bool(splits.outside), unlabeled=splits.unlabeled is not None)
    recipe, out = without_wanted(recipe, wanted)
    notes += [f"{slot}={name} was taken out of the baseline, because it is compared as a remedy." for slot, name in out]
    notes += [
        f"The baseline has {remedy} already, so there is no difference."
        for remedy in wanted
        if with_remedy(recipe, remedy) == recipe
    ]
    return recipe, splits, wanted, notes


def without_remedies(recipe: Recipe) -> Recipe:
    """The recipe with plain cross entropy, shuffled batches, no augmentation, and no regularization but safeguards.

    Calibration and decision stay: with and without a remedy, probabilities must be those under the natural prior, and
    labels must serve the metric.
    """
    safeguards = tuple(method for method in recipe.regularization if type(method).name in SAFEGUARDS)
    without = {"augmentation": (), "resampling": None, "batch_sampling": "shuffled", "regularization": safeguards}
    return recipe.updated(**without, **({} if recipe.loss.name == "mean_squared" else {"loss": "cross_entropy"}))


def write(out: OutputFolder, found: Comparison, train: Dataset, clock: Clock) -> ComparisonReport:
    """Write the values and the baseline's recipe, and then the page, each whole or not at all."""
    report = _with_values(out, found, clock)
    about = {"name": train.name, "kind": train.kind, "task": train.task, "n_train": len(train)}
    try:
        with out.replacing() as building:
            write_comparison(building / PAGE, about, report.for_machines(), found.recipe.to_toml())
    except Exception as error:
        sentence = f"{PAGE} could not be written{why_left_out(error)}; {VALUES} is complete."
        found = replace(found, notes=(*found.notes, sentence))
    return _with_values(out, found, clock)


def _with_values(out: OutputFolder, found: Comparison, clock: Clock) -> ComparisonReport:
    """Write the values, with the seconds so far, and the baseline's recipe."""
    report = ComparisonReport(found, out.path, clock.elapsed())
    texts = {
        VALUES: json.dumps(report.for_machines(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        BASELINE: found.recipe.to_toml(),
    }
    with out.replacing() as building:
        for name, text in texts.items():
            (building / name).write_text(text, encoding="utf-8", errors="backslashreplace")
    return report


def _baseline(request: Request, recipe: Recipe) -> Recipe:
    """The given recipe; if none was given, the default recipe without remedies, with the request's settings."""
    if request.recipe is not None:
        return recipe
    return without_remedies(recipe).with_settings(list(request.settings))
