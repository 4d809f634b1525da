"""`regularization-path`: the path of the data in, a folder with the figure, its values and the recipe of the chosen
strength out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.diagnostics.regularization_path.path import PathOptions, regularization_path
from rarebird.diagnostics.regularization_path.penalty import penalty_of
from rarebird.diagnostics.regularization_path.result import RegularizationPath
from rarebird.experiment.copies import Copies
from rarebird.experiment.setup import TEST_SHARE, separate
from rarebird.report.figures.regularization_path import path_figure
from rarebird.report.left_out import why_left_out
from rarebird.runs import file_names
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request, read_recipe_and_data
from rarebird.training.device import choose_device, threads
from rarebird.training.timing import usable_threads

FIGURE, VALUES = "regularization_path.svg", "regularization_path.json"
FILES = (FIGURE, VALUES, file_names.RECIPE)


@dataclass(frozen=True)
class PathRequest:
    """Which path to compute.

    Attributes:
        penalty: Name of a regularization with a strength.
        low, high: The weakest and the strongest strength; None: those of the method's own range. Without `high`, the
            path goes beyond that range as long as the penalty does no harm.
        points: Number of strengths.
        folds: Parts of a split.
        repeats: Splits, each with other parts and seeds.
    """

    penalty: str = "l2"
    low: float | None = None
    high: float | None = None
    points: int = 9
    folds: int = 5
    repeats: int = 1


def run(
    request: Request, path: PathRequest, clock: Clock, progress: Progress = silent
) -> tuple[RegularizationPath, Path]:
    """Compute a regularization path, and write its folder.

    Args:
        request: The data, the folder, the recipe and its settings.
        path: Which path.
        clock: The budget.
        progress: Told of the share done; True from it ends the path with the strengths that are done.

    Returns:
        The path, and the folder that holds it.

    Raises:
        DataError: The data, the recipe, the penalty or the folder cannot be used; nothing has been written.
    """
    if (request.out / file_names.RESULT).is_file():
        raise DataError(
            f"{request.out} holds a run, whose recipe the path would replace; give another folder with --out."
        )
    with owned_folder(request, FILES) as out:
        found = _found(request, path, clock, progress)
        return write(found, out), out.path


def _found(request: Request, path: PathRequest, clock: Clock, progress: Progress) -> RegularizationPath:
    progress(0.0, "reading the data")
    recipe, data = read_recipe_and_data(request, clock)
    penalty = penalty_of(path.penalty, recipe)
    strengths = penalty.grid(path.points, path.low, path.high)
    further = penalty.further(strengths) if path.high is None else []
    for strength in (strengths[0], strengths[-1]):
        penalty.at(recipe, strength)  # refused before anything is trained
    splits = separate(data, recipe, TEST_SHARE, Copies(request.keep_copies))
    options = PathOptions(path.folds, path.repeats, request.metric, request.positive)
    compute = Compute(choose_device(request.device), clock.training_deadline(), progress)
    with threads(usable_threads(clock, request.threads)):
        found = regularization_path(recipe, splits.train, penalty, strengths, further, options, compute)
    return replace(found, notes=(*splits.notes, *found.notes))


def write(found: RegularizationPath, out: OutputFolder) -> RegularizationPath:
    """Write the values and the recipe, and then the figure; with a note if the figure could not be drawn."""
    with out.replacing() as building:
        (building / VALUES).write_text(
            json.dumps(found.for_machines(), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
        )
        (building / file_names.RECIPE).write_text(found.recipe.to_toml(), encoding="utf-8")
    try:
        with out.replacing() as building:
            (building / FIGURE).write_text(figure_of(found), encoding="utf-8")
    except Exception as error:
        sentence = f"{FIGURE} could not be drawn{why_left_out(error)}; {VALUES} holds all values."
        return replace(found, notes=(*found.notes, sentence))
    return found


def figure_of(found: RegularizationPath) -> str:
    """The figure as the text of an SVG file."""
    names = ("strength", "training", "training_error", "validation", "validation_error")
    return path_figure(
        {name: [getattr(point, name) for point in found.points] for name in names},
        found.metric,
        found.penalty.label,
        best=found.best.strength,
        chosen=found.chosen.strength,
        log=found.penalty.span.log,
        parts=found.folds * found.repeats,
    )
