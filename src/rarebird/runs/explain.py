"""`explain`: a model and rows in, a folder with a page, a table and arrays of explanations out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.core import rng
from rarebird.core.checks import DataError
from rarebird.core.progress import Progress, part_of, silent
from rarebird.data.dataset import Dataset
from rarebird.explanation import deletion
from rarebird.explanation.amounts import Amounts
from rarebird.explanation.chosen_rows import rare_first
from rarebird.explanation.explain import USUAL, Effort, Explainer, check_output, class_code
from rarebird.model.model import Model
from rarebird.model.rows import RowsToPredict, read, to_predict
from rarebird.readers.options import ReadOptions
from rarebird.report.pages import explanation as page_file
from rarebird.report.pages.explanation import Explanation
from rarebird.report.wording import number
from rarebird.runs import predict as prediction
from rarebird.runs.explained_columns import ColumnImportance, effects_of, importance_of
from rarebird.runs.explained_rows import ExplainedRows, Predicted, choose, explain_chosen, shown_classes
from rarebird.runs.explanation_files import ARRAYS, TABLE, records, write_arrays, write_table_of
from rarebird.runs.input_columns import truths
from rarebird.runs.output_folder import owned_folder
from rarebird.runs.request import Request
from rarebird.training.device import threads

PAGE = "explain.html"
FILES = (PAGE, TABLE, ARRAYS)
# Classes on the page; rows whose deletion curve is measured, and cells of them at most.
MOST_CLASSES, MOST_CHECKED = 10, 24
REPEATS = 5


@dataclass(frozen=True)
class Settings:
    """What is explained, and how.

    Attributes:
        n: Rows of each kind (typical, hardest, wrongly named) of each class.
        label: The only class to explain; None: all, the rarest first.
        method: A method's name, or ``auto``: the one that adds up to the output, and those that show places.
        output: ``log_odds`` or ``probability``.
        background: A path of rows to compare with; None: the training rows of data that come split, otherwise the rows
            themselves.
        every_row: Also explain every row, into the files.
        effort: How much is computed.
        budget: Seconds for the chosen rows; None: no limit.
    """

    n: int = 2
    label: str | None = None
    method: str = "auto"
    output: str = "log_odds"
    background: Path | None = None
    every_row: bool = False
    effort: Effort = USUAL
    budget: float | None = None


@dataclass(frozen=True, eq=False)
class Explained:
    """Finished explanations.

    Attributes:
        page: What the page shows.
        predicted: All rows.
        found: The chosen rows with their amounts.
        every: The amounts of every row, if they were asked for.
        importance: Of a table's columns.
        out: The folder.
        classes: The model's class labels.
    """

    page: Explanation
    predicted: Predicted
    found: ExplainedRows
    every: Amounts | None
    importance: ColumnImportance
    out: Path
    classes: tuple[str, ...]

    def for_machines(self) -> dict[str, Any]:
        """What ``explain --json`` prints."""
        return {
            "kind": self.page.kind,
            "output": self.page.output,
            "methods": list(self.found.amounts),
            "classes": list(self.classes),
            "importance": self.importance.for_machines(),
            "rows": records(self.predicted, self.found, self.classes),
            "checks": list(self.page.checks),
            "notes": list(self.page.notes),
            "page": str(self.out / PAGE),
            "table": str(self.out / TABLE),
            "arrays": str(self.out / ARRAYS),
        }

    def text(self) -> str:
        """What the command prints."""
        lines = [self.page.output, *self.page.methods]
        shown = self.page.importance[:5]
        if shown:
            lines.append("Columns, the most important first: " + "; ".join(f"{one.name} {one.text}" for one in shown))
        lines += [*self.page.checks, *(f"Note: {note}" for note in self.page.notes)]
        lines.append(f"{len(self.found.chosen)} rows are explained in {self.out / PAGE}")
        return "\n".join(lines)


def explain(model_path: Path, request: Request, settings: Settings, progress: Progress = silent) -> Explained:
    """Explain rows of a path, and write the folder.

    Args:
        model_path: Folder of a model, or of the run that holds it.
        request: The rows and the folder; device and threads.
        settings: What is explained, and how.
        progress: Told of the share done; True from it leaves out the remaining rows.

    Raises:
        DataError: Model, rows or settings cannot be used; nothing has been written.
    """
    model = prediction.load(model_path, request.device, request.threads)
    check_output(model, settings.output)
    if settings.label is not None:
        class_code(model, settings.label)
    with owned_folder(request, FILES) as out, threads(request.threads):
        progress(0.0, "reading the data")
        given, background = _read(model, request, settings)
        predicted = _predicted(model, request, given)
        explainer = Explainer(model, background, settings.output, settings.effort)  # type: ignore[arg-type]
        page, found, importance, every = _explained(explainer, predicted, settings, given.notes, progress)
        done = Explained(page, predicted, found, every, importance, out.path, model.classes)
        with out.replacing() as building:
            write_table_of(building / TABLE, predicted, found, every, model.classes)
            write_arrays(building / ARRAYS, predicted, found, every)
            page_file.write(building / PAGE, page)
        out.finished()
    return done


def _read(model: Model, request: Request, settings: Settings) -> tuple[RowsToPredict, Dataset]:
    """The rows to explain, and those to compare with.

    Raises:
        DataError: They cannot be read, or there are none.
    """
    options = request.read
    known = ReadOptions(
        role="rows",
        kind=options.kind,
        target=options.target,
        pictures=options.pictures,
        channels_last=options.channels_last,
        schema=model.row_schema,
    )
    splits = read(model.spec, model.target, request.data, False, known)
    given = to_predict(splits)
    if not len(given.data):
        raise DataError(f"{request.data} has no row that can be read, so that none can be explained.")
    if settings.background is not None:
        other = to_predict(read(model.spec, model.target, settings.background, False, known)).data
        if not len(other):
            raise DataError(f"{settings.background} has no row that can be read, so that it is no background.")
        return given, other
    return given, given.data if splits.judged_part == "train" else splits.train


def _predicted(model: Model, request: Request, given: RowsToPredict) -> Predicted:
    known = truths(model, request.data, given, request.read)
    outputs = model.outputs(given.data)
    labels = np.asarray(model.labels(outputs, given.data))
    truth = None
    if known is not None:
        values = [known[place] for place in given.places]
        if model.classes:
            codes = {label: code for code, label in enumerate(model.classes)}
            truth = np.array([codes.get(value, -1) for value in values], dtype=np.int64)
        else:
            truth = np.array([np.nan if value is None else float(value) for value in values])
    return Predicted(given.data, truth, outputs, labels if model.classes else outputs[:, 0])


def _explained(
    explainer: Explainer, predicted: Predicted, settings: Settings, notes: Sequence[str], progress: Progress
) -> tuple[Explanation, ExplainedRows, ColumnImportance, Amounts | None]:
    model = explainer.shipped.model
    methods = explainer.methods() if settings.method == "auto" else [explainer.checked(settings.method)]
    classes = classes_to_show(model, predicted, settings.label, MOST_CLASSES)
    chosen = choose(predicted, classes, settings.n)
    deadline = None if settings.budget is None else time.monotonic() + settings.budget
    found = explain_chosen(explainer, predicted, chosen, methods, deadline, part_of(progress, 0.05, 0.6))
    draw = rng.stream(settings.effort.seed, "explanation")
    importance, effects = ColumnImportance(), ()
    if model.spec.kind == "table":
        importance = importance_of(explainer, predicted, draw, REPEATS, progress=part_of(progress, 0.65, 0.2))
        code = classes[0] if classes else 0
        effects = effects_of(explainer, predicted.rows, code, importance.columns)  # type: ignore[assignment]
    every = _every_row(explainer, predicted, settings, methods[0]) if settings.every_row else None
    page = Explanation(
        name=predicted.rows.name,
        kind=model.spec.kind,
        output=explainer.shipped.sentence(settings.label),
        methods=tuple(one.detail for one in found.amounts.values()),
        importance=importance.bars(),
        measure=importance.measure,
        effects=effects,
        classes=shown_classes(explainer, predicted, found),
        checks=tuple(_checks(explainer, predicted, found, draw)),
        notes=(*notes, *left_out(found)),
        files=(f"Amounts of all explained rows: {TABLE} (a line per row), {ARRAYS} (NumPy arrays).",),
    )
    return page, found, importance, every


def classes_to_show(model: Model, predicted: Predicted, label: str | None, most: int) -> list[int]:
    """Codes of the classes on a page: the given one, or all that the rows have, the rarest first."""
    if not model.classes:
        return []
    if label is not None:
        return [class_code(model, label)]
    codes = predicted.labels if predicted.truth is None else predicted.truth[predicted.truth >= 0]
    return rare_first(np.bincount(codes.astype(np.int64), minlength=len(model.classes)), most)


def left_out(found: ExplainedRows) -> list[str]:
    """A sentence on rows for which there was no time, or on there being none."""
    if found.left_out:
        return [f"{found.left_out} more rows are not explained: there was no time for them."]
    return [] if found.chosen else ["No row is of a class that is shown, or is named so: no row is explained."]


def _every_row(explainer: Explainer, predicted: Predicted, settings: Settings, method: str) -> Amounts:
    model, rows = explainer.shipped.model, predicted.rows
    if settings.label is not None:
        codes = np.full(len(rows), class_code(model, settings.label))
    else:
        codes = predicted.labels.astype(np.int64) if model.classes else np.zeros(len(rows), dtype=np.int64)
    return explainer.explain(rows, codes, method)


def _checks(explainer: Explainer, predicted: Predicted, found: ExplainedRows, draw: np.random.Generator) -> list[str]:
    """Sentences on how far the explanations can be believed: do the amounts add up, and does the output fall?"""
    sentences = []
    for method, amounts in found.amounts.items():
        if amounts.sums and len(amounts):
            worst = float(np.abs(amounts.errors).max())
            share = 100 * float(np.median(amounts.relative_errors))
            sentences.append(
                f"{method}: the amounts of a row add up to the change of its output, but for {number(worst)} at most "
                f"(completeness error; {share:.1f} % at the median)."
            )
    if not found.chosen:
        return sentences
    method, amounts = next(iter(found.amounts.items()))
    some = np.arange(min(len(amounts), MOST_CHECKED))
    rows = predicted.rows.take(np.array([one.row for one in found.chosen])[some])
    each, codes = explainer.shipped.inputs(rows), amounts.codes[some]
    order = deletion.order_of(amounts.take(some))
    mixed = np.stack([draw.permutation(order.shape[1]) for _ in some])
    areas = [float(deletion.area(explainer.deletion_curve(each, codes, one)).mean()) for one in (order, mixed)]
    what = {"image": "pixels", "series": "steps", "table": "columns"}[rows.kind]
    sentences.append(
        f"If the {what} are replaced by those of background rows one after the other, the largest amounts first, the "
        f"output is {number(areas[0])} on average ({len(some)} rows); in a random order it is {number(areas[1])}: "
        + ("the order matters to the model." if areas[0] < areas[1] else "the order does not matter to the model.")
    )
    return sentences
