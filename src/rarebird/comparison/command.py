"""`compare`: a path in, a verdict per remedy out, and a folder with the page, the figures for machines and the
baseline's recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rarebird.comparison.compare import compare as compared
from rarebird.comparison.remedies import freed, remedies, with_remedy
from rarebird.comparison.result import Comparison
from rarebird.core.atomic_files import whole_file
from rarebird.core.checks import DataError, nearest
from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.recipe.recipe import Recipe
from rarebird.report.pages.comparison import write_comparison
from rarebird.runs import folder as run_folder
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.training.device import choose_device, threads

PAGE, VALUES, BASELINE = "compare.html", "compare.json", "baseline.toml"
# What is left of a budget for the last scores, the figure and the files.
RESERVE, RESERVE_SHARE = 3.0, 0.02
# What stays in a baseline of the default rules: a safeguard of the training and no remedy against few rows.
SAFEGUARDS = ("gradient_clipping",)


@dataclass(frozen=True)
class Told:
    """A comparison and where it was written.

    Attributes:
        comparison: What was found.
        folder: Where page, values and the baseline's recipe stand.
        seconds: From the start of the process.
    """

    comparison: Comparison
    folder: Path
    seconds: float

    def for_machines(self) -> dict[str, Any]:
        """The comparison's object, with the page's path and the seconds."""
        return {**self.comparison.for_machines(), "seconds": round(self.seconds, 2), "report": str(self.folder / PAGE)}

    def to_text(self) -> str:
        """The comparison's table, and where the page is."""
        return f"{self.comparison.to_text()}\nReport: {self.folder / PAGE}\nDone in {self.seconds:.1f} s."


def compare(
    request: Request,
    asked: str,
    folds: int,
    repeats: int,
    clock: Clock,
    tell: Callable[[float, str], bool] = lambda progress, what: False,
) -> Told:
    """Carry out a comparison.

    Args:
        request: Data, and the baseline's recipe and settings, as for `fitting.fit`; `out` is the folder to write.
        asked: ``all`` remedies that apply, or names separated by commas.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds.
        clock: The budget. A baseline that lays out its steps keeps them; there are fewer repeats then.
        tell: Told of the progress; True from it ends the comparison with what there is.

    Raises:
        DataError: The data, the baseline, a name or the folder cannot serve; nothing has been written.
    """
    run_folder.check_free(request.out, kept=(PAGE, VALUES, BASELINE))
    tell(0.0, "reading the data")
    recipe, train, wanted, notes = _asked(request, asked)
    with threads(request.threads):
        found = compared(
            recipe,
            train,
            wanted,
            folds=folds,
            repeats=repeats,
            metric=request.metric,
            positive=request.positive,
            deadline=clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0)),
            device=choose_device(request.device),
            tell=tell,
        )
    tell(1.0, "writing the report")
    return write(request.out, replace(found, notes=(*notes, *found.notes)), train, clock)


def _asked(request: Request, asked: str) -> tuple[Recipe, Dataset, list[str], list[str]]:
    """The baseline, the training rows, the remedies, and what the user should know of them."""
    recipe, data = read_recipe_and_data(request)
    recipe, notes = _baseline(request, recipe), list(data.notes)
    train = separate(data, recipe, TEST_SHARE, notes).train
    if data.val is not None:
        notes.append(f"The {len(data.val)} validation rows take no part.")
    _check_positive(train, request.positive)
    wanted = remedies(asked, train, recipe)
    recipe, out = freed(recipe, wanted)
    notes += [f"The baseline goes without {slot}={name}, which is asked for as a remedy." for slot, name in out]
    notes += [
        f"The baseline does {remedy} already: no difference."
        for remedy in wanted
        if with_remedy(recipe, remedy) == recipe
    ]
    return recipe, train, wanted, notes


def plain(recipe: Recipe) -> Recipe:
    """A recipe without remedies: plain cross entropy, shuffled batches, no augmentation, no regularization but
    safeguards.

    Calibration and decision stay: probabilities are to be natural, and labels to serve the metric, with and without a
    remedy.
    """
    safeguards = tuple(method for method in recipe.regularization if type(method).name in SAFEGUARDS)
    without = {"augmentation": (), "resampling": None, "batch_sampling": "shuffled", "regularization": safeguards}
    return recipe.updated(**without, **({} if recipe.loss.name == "mean_squared" else {"loss": "cross_entropy"}))


def write(folder: Path, found: Comparison, train: Dataset, clock: Clock) -> Told:
    """Write page, values and the baseline's recipe, each whole or not at all; other files of the folder stay."""
    folder.mkdir(parents=True, exist_ok=True)
    told = Told(found, folder, clock.elapsed())
    about = {"name": train.name, "kind": train.kind, "task": train.task, "n_train": len(train)}
    write_comparison(folder / PAGE, about, told.for_machines(), found.recipe.to_toml())
    told = Told(found, folder, clock.elapsed())
    texts = {
        VALUES: json.dumps(told.for_machines(), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        BASELINE: found.recipe.to_toml(),
    }
    for name, text in texts.items():
        with whole_file(folder / name) as building:
            building.write_text(text, encoding="utf-8", errors="backslashreplace")
    return told


def _baseline(request: Request, recipe: Recipe) -> Recipe:
    """The recipe that was asked for; in place of the default rules', one without remedies, under the same settings."""
    if request.recipe is not None:
        return recipe
    return plain(recipe).with_settings(list(request.settings))


def _check_positive(train: Dataset, positive: str | None) -> None:
    if positive is not None and train.task == "classification" and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; {nearest(positive, train.classes)}")
