"""Finished runs side by side: their figures, what differs between their recipes, and paired differences where they were
tested on the same rows. Nothing is trained."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rarebird.comparison.paired_rows import ScoredRun, metric_difference, recall_difference
from rarebird.core.checks import DataError
from rarebird.evaluation.estimate import Estimate
from rarebird.evaluation.result import Result
from rarebird.metrics import names
from rarebird.model import model as saved_model
from rarebird.report.pages.compared_runs import ClassRow, MetricRow, Page, RunColumn, write
from rarebird.report.verdict import scores_of
from rarebird.runs import scored_rows
from rarebird.runs.file_names import RECIPE
from rarebird.runs.report_contents import read_about, read_result

MOST_RUNS = 12


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run as its folder holds it.

    Attributes:
        name: Its folder's name, made unique.
        path: The folder.
        result: Its result.
        about: What it tells of its data.
        settings: Its recipe, flat: ``optimizer.learning_rate`` -> value.
        scored: Its test rows with their predictions; None where they are not kept, or cannot be labelled again.
    """

    name: str
    path: Path
    result: Result
    about: Mapping[str, Any]
    settings: Mapping[str, str]
    scored: ScoredRun | None


def compare_runs(paths: Sequence[Path], out: Path, force: bool = False) -> Page:
    """Read runs, compare each with the first, and write a page.

    Args:
        paths: Folders of two runs or more.
        out: The page to write.
        force: An earlier file there is replaced.

    Raises:
        DataError: A folder holds no finished run, their tasks differ, or the page cannot be written.
    """
    if not 2 <= len(paths) <= MOST_RUNS:
        raise DataError(f"Give 2 to {MOST_RUNS} folders of runs, but got {len(paths)}.")
    if out.is_dir():
        raise DataError(f"{out} is a folder; give --out the name of a page, such as compare_runs.html.")
    if out.exists() and not force:
        raise DataError(f"{out} exists already; replace it with --force, or give another --out.")
    runs = [_read(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    other = next((run for run in runs if run.result.task != runs[0].result.task), None)
    if other is not None:
        raise DataError(
            f"{other.path} is a run of {other.result.task}, but {runs[0].path} one of {runs[0].result.task}: they have "
            "no figure in common."
        )
    page = Page(
        runs=tuple(_column(run, runs[0]) for run in runs),
        metrics=tuple(_metrics(runs)),
        classes=tuple(_classes(runs)),
        settings=tuple(_settings(runs)),
        notes=tuple(_notes(runs)),
    )
    write(out, page)
    return page


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names; with their parents where two are alike."""
    short = [path.resolve().name for path in paths]
    return [name if short.count(name) == 1 else str(path) for name, path in zip(short, paths, strict=True)]


def _read(path: Path, name: str) -> FinishedRun:
    result, about = read_result(path), read_about(path)
    if scores_of(result) is None:
        raise DataError(f"{path} holds no scores to compare.")
    try:
        settings = dict(_flat(tomllib.loads((path / RECIPE).read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        raise DataError(f"{path / RECIPE} cannot be read; train the run again.") from None
    return FinishedRun(name, path, result, about, settings, _scored(path, result))


def _scored(path: Path, result: Result) -> ScoredRun | None:
    """The run's test rows; None where it keeps none, or where labels need more than probabilities."""
    rows = scored_rows.read(path / scored_rows.TEST, max(len(result.classes), 1)) if result.classes else None
    if rows is None or result.test is None:
        return None
    model = saved_model.load(path)
    if model.cost_column is not None:
        return None
    return ScoredRun(
        rows.y, rows.outputs, model.labels(rows.outputs), rows.weight, rows.group, model.classes, model.positive
    )


def _flat(plain: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values as text; of a method, its name is the value of its slot."""
    for key, value in plain.items():
        if isinstance(value, dict):
            if "name" in value:
                yield f"{before}{key}", str(value["name"])
            yield from _flat({one: of for one, of in value.items() if one != "name"}, f"{before}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for place, one in enumerate(value, start=1):
                yield from _flat({f"{key} {place}": one}, before)
        elif key != "relaid":
            yield f"{before}{key}", str(value)


def _column(run: FinishedRun, first: FinishedRun) -> RunColumn:
    result = run.result
    return RunColumn(
        name=run.name,
        path=str(run.path),
        data=result.name,
        n_train=result.n_train,
        n_test=result.n_test,
        judged="test rows" if result.test else "validation rows",
        metric=result.metric,
        seconds=result.seconds,
        trained_on_same=_same(run, first, "fingerprint"),
        tested_on_same=_is_paired(run, first),
    )


def _same(run: FinishedRun, first: FinishedRun, key: str) -> bool:
    return bool(run.about.get(key)) and run.about.get(key) == first.about.get(key)


def _is_paired(run: FinishedRun, first: FinishedRun) -> bool:
    """Whether both were tested on the same rows in the same order, and keep their predictions."""
    one, other = run.scored, first.scored
    if one is None or other is None or not _same(run, first, "test_fingerprint"):
        return False
    return one.classes == other.classes and bool(np.array_equal(one.y, other.y))


def _metrics(runs: Sequence[FinishedRun]) -> Iterator[MetricRow]:
    """The metrics that all runs have, the first run's own one first."""
    found = [run.result.test or run.result.validation for run in runs]
    metrics = [scores.metrics for scores in found if scores is not None]
    first = runs[0].result.metric
    common = [name for name in metrics[0] if all(name in one for one in metrics)]
    for name in sorted(common, key=lambda name: name != first):
        yield MetricRow(
            name=name,
            values=tuple(one[name] for one in metrics),
            differences=(None, *(_difference(name, runs[0], run) for run in runs[1:])),
        )


def _difference(name: str, first: FinishedRun, run: FinishedRun) -> Estimate | None:
    if not _is_paired(run, first) or name not in names.METRICS:
        return None
    assert first.scored is not None
    assert run.scored is not None
    return metric_difference(name, first.scored, run.scored)


def _classes(runs: Sequence[FinishedRun]) -> Iterator[ClassRow]:
    """Recall of the classes that all runs have."""
    found = [run.result.test or run.result.validation for run in runs]
    tables = [{row.label: row for row in scores.per_class} for scores in found if scores is not None]
    for label, row in tables[0].items():
        if all(label in table for table in tables):
            yield ClassRow(
                label=label,
                support=row.support,
                recalls=tuple(table[label].recall for table in tables),
                differences=(None, *(_recall(label, runs[0], run) for run in runs[1:])),
            )


def _recall(label: str, first: FinishedRun, run: FinishedRun) -> Estimate | None:
    if not _is_paired(run, first):
        return None
    assert first.scored is not None
    assert run.scored is not None
    return recall_difference(label, first.scored, run.scored)


def _settings(runs: Sequence[FinishedRun]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The settings in which the recipes differ."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    for key in keys:
        values = tuple(run.settings.get(key, "–") for run in runs)
        if len(set(values)) > 1:
            yield key, values


def _notes(runs: Sequence[FinishedRun]) -> Iterator[str]:
    first = runs[0]
    for run in runs[1:]:
        if _is_paired(run, first):
            continue
        if run.result.test is None or first.result.test is None:
            why = "one of them has no test rows"
        elif not (run.about.get("test_fingerprint") and first.about.get("test_fingerprint")):
            why = "one of them does not tell which rows it was tested on"
        elif _same(run, first, "test_fingerprint"):
            why = "the labels of one of them cannot be made again from what it keeps"
        else:
            why = "their test rows differ"
        yield (
            f"{run.name} and {first.name} are not compared row by row, because {why}: their figures are beside each "
            "other, and a difference may be one of the rows."
        )
