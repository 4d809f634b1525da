"""The main job from Python: the search of `rarebird fit` on a path, a frame or arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from rarebird.automl import command
from rarebird.automl.search import SearchOptions
from rarebird.core.checks import DataError, nearest
from rarebird.core.clock import Clock, seconds_of
from rarebird.core.progress import Progress, silent
from rarebird.core.python_words import in_python_words
from rarebird.data.dataset import Kind, Splits, Task
from rarebird.executors.workers import Workers
from rarebird.experiment.run import Outcome
from rarebird.readers import compressed, named_columns
from rarebird.readers.arrow_frames import in_pandas
from rarebird.readers.frames import composed
from rarebird.readers.options import ReadOptions
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.text import assignments
from rarebird.runs import folder as run_folder
from rarebird.runs.default_folder import default_folder
from rarebird.runs.fit_recipe import fit_recipe, fit_recipe_on
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request, resolve_recipe


class FitOptions(TypedDict, total=False):
    """The optional keywords of `fit`; each is an option of the command, with the same default.

    Attributes:
        metric: What search and decisions optimize.
        positive: Of two classes, the one that precision and recall are for.
        groups, weight, time: A column's name; for arrays and frames also one value per row, ``(n,)``.
        groups_pattern, gap, pictures, channels_last, on_disk: How to read a path, as the command's options do.
        kind, task: Override the guess.
        seed: Of splits and networks.
        recipe: A recipe file, which is trained as it is; nothing is searched.
        settings: Choices of the recipe, ``{"loss": "focal", "optimizer.learning_rate": 0.01}``, or assignments as after
            ``--set``. Those of the recipe's choices train that recipe alone.
        steps: Optimizer steps of each network in place of a budget; nothing is searched.
        references: Whether trees, random kernels and random patches compete.
        single: Distil the result into one network.
        keep_copies: Whether training rows that copy a given validation or test row are trained on.
        external: Paths of other sources, whose rows may join the training rows; for data that are a path.
        label_map: Files that translate their labels: one for all, or one for each.
        no_rows: Whether report, pages and tables leave single rows out.
        force: Whether the results of an earlier command in `out` are replaced.
        resume: Resume the search in `out` that was killed.
        workers: Processes of this machine that train recipes at the same time.
        cluster: A Ray cluster in place of these processes.
        threads: CPU threads.
        device: A torch device, or ``auto``.
    """

    metric: str
    positive: str
    groups: Any
    weight: Any
    time: Any
    groups_pattern: str
    gap: str
    pictures: str | Path
    channels_last: bool
    on_disk: bool
    kind: Kind
    task: Task
    seed: int
    recipe: str | Path
    settings: Mapping[str, Any] | str | Sequence[str]
    steps: int
    references: bool
    single: bool
    keep_copies: bool
    external: str | Path | Sequence[str | Path]
    label_map: str | Path | Sequence[str | Path]
    unlabeled: str | Path
    no_rows: bool
    force: bool
    resume: bool
    workers: int
    cluster: str
    threads: int
    device: str


# Options that only a path needs.
OF_PATHS = ("groups_pattern", "gap", "pictures", "channels_last", "on_disk")
# Columns that may be given by their name, and what `from_arrays` calls their values.
ROW_VALUES = {"groups": "groups", "weight": "sample_weight", "time": "time"}


@in_python_words
def fit(
    data: Any,
    y: Any = None,
    *,
    target: str | int | None = None,
    test: Any = None,
    budget: str | float = "5m",
    out: str | Path | None = None,
    progress: Progress = silent,
    **options: Unpack[FitOptions],
) -> Outcome:
    """Search, train, calibrate, decide, test and report, as `rarebird fit` does.

    Args:
        data: The path of the data; or a frame (of pandas, polars or pyarrow) whose column `target` holds the labels; or
            the rows `X` of arrays, as `rarebird.from_arrays` takes them, with `y`; or `Splits`.
        y: ``(n,)`` labels of the rows `data`.
        target: Column of the labels (default: target).
        test: The path of the test rows; or a frame with the same columns; or a pair ``(X, y)``. None: a fifth is held
            out.
        budget: Wall-clock time for everything, such as ``"90s"`` or ``"5m"``, or seconds.
        out: The run's folder (default: runs/NAME-DATE).
        progress: Told of the share done (0..1) and of what is being done; True from it ends the search early.
        **options: As `FitOptions`.

    Returns:
        The outcome: its `model` predicts, its `result` holds scores with intervals, its `report` is the page. A
        notebook shows the page's first screen.

    Raises:
        DataError: The data, an option or the folder cannot serve; nothing has been written.
        TypeError: An unknown option.
    """
    _refuse_unknown(options)
    clock = Clock(seconds_of(budget) if isinstance(budget, str) else _positive(budget))
    request = _request(data, target, test, out, options)
    searches = command.is_asked_for(request)
    _check_options(options, searches)
    search_options, resume = _search_options(options), options.get("resume", False)
    if isinstance(data, str | Path):
        if searches:
            return command.fit(request, clock, progress, search_options, resume)
        return fit_recipe(request, clock, progress)
    if searches:
        with command.search_folder(request, resume) as folder:
            rows = _splits(data, y, target, test, options)
            return _search_rows(rows, request, folder, clock, progress, search_options)
    with owned_folder(request, run_folder.FILES) as folder:
        rows = _splits(data, y, target, test, options)
        return fit_recipe_on(_recipe(request, rows), rows, request, folder, clock, progress)


def _refuse_unknown(options: FitOptions) -> None:
    if unknown := options.keys() - FitOptions.__annotations__.keys():
        name = min(unknown)
        raise TypeError(f"fit() has no option {name!r}; {nearest(name, FitOptions.__annotations__)}")


def _recipe(request: Request, rows: Splits) -> AnyRecipe:
    """The request's recipe, or the default one for the rows."""
    given = None if request.recipe is None else ensemble.read(request.recipe)
    return resolve_recipe(request, given, rows)


def _search_rows(
    rows: Splits, request: Request, out: OutputFolder, clock: Clock, progress: Progress, options: SearchOptions
) -> Outcome:
    """Search on rows that were read."""
    recipe = _recipe(request, rows)
    assert isinstance(recipe, Recipe)  # a search has no recipe file, which alone could hold an ensemble
    found = command.search(recipe, rows, replace(request, out=out.path), clock, progress, options)
    return command.write(found, out, clock, progress, request)


def _request(data: Any, target: str | int | None, test: Any, out: str | Path | None, options: FitOptions) -> Request:
    """The request that the command would make; of rows that are given as they are, it names no path."""
    is_path = isinstance(data, str | Path)
    path = Path(data) if is_path else Path("data")
    if is_path and test is not None and not isinstance(test, str | Path):
        raise DataError("data is a path, so test must be a path, too.")
    given: Any = options.get("settings", ())
    settings = assignments(given) if isinstance(given, Mapping) else (given,) if isinstance(given, str) else given
    of_path: dict[str, Any] = {name: options[name] for name in OF_PATHS if name in options}  # type: ignore[literal-required]
    if of_path and not is_path:
        raise DataError(f"{min(of_path)} is for data that are a path; rows that are given as they are do without it.")
    if "pictures" in of_path:
        of_path["pictures"] = Path(of_path["pictures"])
    columns: dict[str, Any] = {name: options.get(name) for name in ROW_VALUES} if is_path else {}
    for name, value in columns.items():
        if value is not None and not isinstance(value, str):
            raise DataError(f"data is a path, so {name} must be the name of a column, but got {value!r}.")
    recipe = options.get("recipe")
    return Request(
        data=path if is_path else Path(),  # no command reads rows that are given as they are
        out=default_folder(compressed.stem(path)) if out is None else Path(out),
        out_is_default=out is None,
        force=options.get("force", False),
        test=Path(test) if isinstance(test, str | Path) else None,
        read=ReadOptions(
            kind=options.get("kind"), task=options.get("task"), target=_name(target), **columns, **of_path
        ),
        recipe=None if recipe is None else Path(recipe),
        settings=tuple(settings),
        metric=options.get("metric"),
        positive=options.get("positive"),
        seed=options.get("seed"),
        steps=options.get("steps"),
        threads=options.get("threads"),
        device=options.get("device", "auto"),
        keep_copies=options.get("keep_copies", False),
        no_rows=options.get("no_rows", False),
        external=_paths(options.get("external", ()), "external", is_path),
        unlabeled=next(iter(_paths(options.get("unlabeled", ()), "unlabeled", is_path)), None),
        label_maps=_paths(options.get("label_map", ()), "label_map", is_path),
    )


def _check_options(options: FitOptions, searches: bool) -> None:
    """Refuse options of a search where nothing is searched."""
    given = [name for name in ("single", "resume", "workers", "cluster") if options.get(name)]
    if given and not searches:
        raise DataError(
            f"{given[0]} belongs to a search; leave out recipe, steps and settings with choices of the recipe."
        )


def _search_options(options: FitOptions) -> SearchOptions:
    workers = Workers(options.get("workers", 1), options.get("cluster"))
    return SearchOptions(options.get("references", True), options.get("single", False), workers)


def _splits(data: Any, y: Any, target: str | int | None, test: Any, options: FitOptions) -> Splits:
    """Rows from a frame, arrays or `Splits`."""
    if isinstance(data, Splits):
        return data
    values = {known: options.get(key) for key, known in ROW_VALUES.items()}
    given = {known: _name(value) if isinstance(value, int) else value for known, value in values.items()}
    about: dict[str, Any] = {"kind": options.get("kind"), "task": options.get("task"), "name": "data"}
    target = _name(target)
    found = named_columns.read(data, y, target, given, about)
    if test is None:
        return found
    train = found.train
    pair = test if isinstance(test, tuple) else (test, None)
    if len(pair) != 2:
        raise DataError(f"test is a frame or a pair (X, y), but got {len(pair)} parts.")
    # One value per row is of the training rows; a column's name may be of the test rows, too.
    columns = {composed(column) for column in getattr(in_pandas(pair[0]), "columns", ())}
    named = {known: value for known, value in given.items() if isinstance(value, str) and composed(value) in columns}
    as_train = {"kind": train.kind, "task": train.task, "name": "test", "schema": train.known_schema}
    tested = named_columns.read(*pair, target, named, as_train)
    return Splits(train, test=tested.train, notes=(*found.notes, *tested.notes))


def _name(column: str | int | None) -> str | None:
    """The name of a column as text, as frames of files have it."""
    return None if column is None else str(column)


def _paths(given: str | Path | Sequence[str | Path], name: str, is_path: bool) -> tuple[Path, ...]:
    """One path or several of an option that belongs to data that are a path."""
    paths = (given,) if isinstance(given, str | Path) else tuple(given)
    if paths and not is_path:
        raise DataError(
            f"{name} is for data that are a path; give such rows as Splits(..., outside=(...,), unlabeled=...)."
        )
    return tuple(Path(path) for path in paths)


def _positive(budget: float) -> float:
    if not budget > 0:
        raise DataError(f"A budget is a time above 0 such as 90, '90s' or '5m', but got {budget!r}.")
    return float(budget)
