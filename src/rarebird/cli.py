"""The command line. Heavy imports wait inside the commands, so that ``rarebird --help`` is instant."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rarebird.checks import DataError
from rarebird.clock import Clock, process_start, seconds_of

if TYPE_CHECKING:
    from rarebird.readers.options import ReadOptions

app = typer.Typer(
    name="rarebird",
    help="Deep learning for the data you wish you had more of: small, skewed or costly pictures, tables and time series.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[Path, typer.Argument(help="Folder with one folder per class, .csv or .parquet, UCR .tsv or .ts, or .npz.")]
ModelPath = Annotated[Path, typer.Argument(help="Folder of a model, or of the run that holds it.")]
Target = Annotated[str | None, typer.Option(help="Column of a table that holds the target (default: target).")]
Kind = Annotated[str | None, typer.Option(help="image, table or series, where the guess is wrong.")]
Task = Annotated[str | None, typer.Option(help="classification or regression, where the guess is wrong.")]
Groups = Annotated[str | None, typer.Option(help="Column that groups rows (patient, track, site); groups never straddle a split.")]
Pattern = Annotated[str | None, typer.Option(help="Pattern with one group that finds the group in file names, such as 'person(\\d+)'.")]
Weight = Annotated[str | None, typer.Option(help="Column of sample weights.")]
Time = Annotated[str | None, typer.Option(help="Column to split by in time order.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads (default: all).")]


@app.command()
def fit(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/NAME-DATE).")] = None,
    test: Annotated[Path | None, typer.Option(help="Test rows; without them a fifth is held out.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, such as loss=focal; repeatable.")] = None,
    metric: Annotated[str | None, typer.Option(help="What decisions serve (default: balanced_accuracy).")] = None,
    budget: Annotated[str, typer.Option(help="Wall-clock time for everything, such as 90s or 5m.")] = "5m",
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps of each network in place of a budget.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes, the one that precision and recall speak of (default: the rarer).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train, calibrate, decide, test and report: a path in, a model out."""
    clock = Clock(seconds_of(budget), process_start())
    from rarebird import fitting, run_folder

    request = fitting.Request(
        data=data,
        out=out or run_folder.default_folder(data.stem),
        test=test,
        read=_options(target, kind, task, groups, groups_pattern, weight, time),
        recipe=recipe,
        settings=tuple(settings or ()),
        metric=metric,
        positive=positive,
        seed=seed,
        steps=steps,
        threads=threads,
        device=device,
    )
    with _progress(quiet or as_json) as report:
        outcome = fitting.fit(request, clock, report)
    if as_json:
        _print_json(outcome.result.for_machines())
    else:
        from rarebird.report.terminal import summary

        typer.echo(summary(outcome.result))


@app.command()
def profile(
    data: Data,
    test: Annotated[Path | None, typer.Option(help="Test rows, looked through for duplicates of training rows.")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    as_json: AsJson = False,
) -> None:
    """Say what the data are and what ails them."""
    from rarebird import fitting
    from rarebird.data.profile import profile as described

    request = fitting.Request(data, Path(), test, _options(target, kind, task, groups, groups_pattern, weight, time))
    rows = fitting.read(request, None)
    found = described(rows.train, val=rows.val, test=rows.test)
    if as_json:
        _print_json(found.model_dump(mode="json") | {"notes": [*rows.notes, *found.notes]})
    else:
        typer.echo(found.to_text() + "".join(f"\nNote: {note}" for note in rows.notes))


@app.command()
def preview(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder for preview.html (default: runs/NAME-DATE).")] = None,
    test: Annotated[Path | None, typer.Option(help="Test rows, which are never shown; without them a fifth is held out.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, such as augmentation=[mixup,noise]; repeatable.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many training rows.")] = 8,
    views: Annotated[int, typer.Option(min=1, help="How many augmented versions of each.")] = 4,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
) -> None:
    """Show training rows before and after augmentation and resampling, so that a person can judge them."""
    from rarebird import fitting, run_folder
    from rarebird import preview as page
    from rarebird.recipe import Recipe

    folder = out or run_folder.default_folder(data.stem)
    options = _options(target, kind, task, groups, groups_pattern, weight, time)
    request = fitting.Request(data, folder, test, options, recipe, tuple(settings or ()), seed=seed)
    given = None if recipe is None else Recipe.read(recipe)
    found = fitting.read(request, given)
    typer.echo(page.write(fitting.chosen_recipe(request, given, found), found, folder, rows, views))


@app.command("learning-rate")
def learning_rate(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="Folder for the curve and its values (default: runs/NAME-DATE).")] = None,
    test: Annotated[Path | None, typer.Option(help="Test rows, which take no part; without them a fifth is held out.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, such as optimizer=sgd; repeatable.")] = None,
    steps: Annotated[int, typer.Option(min=20, help="Steps from the lowest rate to the highest.")] = 200,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")] = None,
    target: Target = None,
    kind: Kind = None,
    task: Task = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    time: Time = None,
    device: Device = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Propose a learning rate: train some steps at ever higher ones, and see where the loss falls and where it bursts."""
    from rarebird import fitting, rate_range, run_folder
    from rarebird.recipe import Recipe

    folder = out or run_folder.default_folder(data.stem)
    options = _options(target, kind, task, groups, groups_pattern, weight, time)
    request = fitting.Request(data, folder, test, options, recipe, tuple(settings or ()), seed=seed)
    given = None if recipe is None else Recipe.read(recipe)
    rows = fitting.read(request, given)
    with _progress(quiet or as_json) as report:
        found = rate_range.find(fitting.chosen_recipe(request, given, rows), rows, steps=steps, device=device, report=report)
    values, figure = found.write(folder)
    if as_json:
        _print_json(found.for_machines() | {"values": str(values), "figure": str(figure)})
    else:
        typer.echo(f"Learning rate of {found.optimizer}: {found.proposed:.2g} (least loss at {found.minimum:.2g}). The curve is {figure}.")


@app.command()
def predict(
    model: ModelPath,
    data: Data,
    out: Annotated[Path | None, typer.Option(help="CSV file to write (default: print).")] = None,
    kind: Kind = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the label and the probability per class of each row, as CSV; of the test rows where the data come split."""
    from rarebird import prediction

    loaded = prediction.load(model, device, threads)
    rows = prediction.judged(prediction.read(loaded, data, kind, labelled=False))
    table = prediction.predicted(loaded, rows)
    if out is None:
        sys.stdout.write(table.to_csv(index=False))
    else:
        prediction.write(table, out)


@app.command()
def evaluate(
    model: ModelPath,
    data: Data,
    target: Target = None,
    kind: Kind = None,
    groups: Groups = None,
    groups_pattern: Pattern = None,
    weight: Weight = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on labelled rows, with intervals; on the test rows where the data come split."""
    from dataclasses import replace

    from rarebird import prediction
    from rarebird.report.terminal import score_table

    loaded = prediction.load(model, device, threads)
    options = replace(_options(target, kind, None, groups, groups_pattern, weight, None), role="test rows")
    found = prediction.evaluated(loaded, prediction.read(loaded, data, kind, labelled=True, options=options))
    if as_json:
        _print_json(found.for_machines())
    else:
        typer.echo(score_table(found.scores))


@app.command("list")
def list_methods(
    slot: Annotated[str | None, typer.Argument(help="One slot of the recipe (default: all).")] = None,
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Every method of every slot with its one line."""
    from rarebird import methods
    from rarebird.checks import nearest

    if kind is not None and kind not in methods.KIND_NAMES:
        raise DataError(f"There is no kind {kind!r}; {nearest(kind, methods.KIND_NAMES)}")
    cards = [card for name in ([slot] if slot else methods.SLOTS) for card in methods.cards(name) if kind is None or kind in card.kinds]
    if as_json:
        _print_json([{"slot": card.slot, "name": card.name, "line": card.line, "kinds": card.kinds} for card in cards])
        return
    for name in dict.fromkeys(card.slot for card in cards):
        typer.echo(name)
        for card in cards:
            if card.slot == name:
                typer.echo(f"  {card.name:<22} {card.line} [{', '.join(card.kinds)}]")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the demo's data and runs.")] = Path("runs/demo"),
    budget: Annotated[str, typer.Option(help="Wall-clock time of each of the two fits.")] = "30s",
) -> None:
    """The main job on real data that comes with a dependency: thinned handwritten digits and the breast-cancer table."""
    seconds = seconds_of(budget)
    from rarebird.demo import run

    with _progress(quiet=False) as report:
        run(out, seconds, typer.echo, report)


def main() -> None:
    """Entry point: one sentence and exit code 2 for bad input or usage, 1 for anything else, never a traceback."""
    # OpenMP's threads spin while they wait for work; where other processes want their cores, that made steps several times slower. A short
    # spin costs nothing on a free machine, where not to spin at all cost a fifth (NOTES.md). Read when torch is first imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        code = app(standalone_mode=False)
    except (DataError, ValueError) as error:
        code = _failed(str(error), 2 if isinstance(error, DataError) else 1, error)
    except KeyboardInterrupt:
        code = _failed("Interrupted; nothing was written.", 1, None)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _click_exit(error)
    sys.exit(code if isinstance(code, int) else 0)


def _click_exit(error: Exception) -> int:
    """The exit code of an error that is not the data's: click's own usage errors are 2, anything else is 1."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        show()
        return code
    return _failed(f"{type(error).__name__}: {error}", 1, error)


def _failed(message: str, code: int, error: Exception | None) -> int:
    if os.environ.get("RAREBIRD_TRACEBACK") and error is not None:
        raise error
    hint = "" if code == 2 or error is None else "\nThis is a defect or a lack of resources; RAREBIRD_TRACEBACK=1 shows where."
    typer.echo(f"rarebird: {message}{hint}", err=True)
    return code


def _options(
    target: str | None, kind: str | None, task: str | None, groups: str | None, pattern: str | None, weight: str | None, time: str | None
) -> ReadOptions:
    from rarebird.checks import nearest
    from rarebird.readers.options import ReadOptions

    for name, value, valid in (("kind", kind, ("image", "table", "series")), ("task", task, ("classification", "regression"))):
        if value is not None and value not in valid:
            raise DataError(f"There is no {name} {value!r}; {nearest(value, valid)}")
    given: dict[str, Any] = {"kind": kind, "task": task}
    return ReadOptions(**given, target=target, groups=groups, groups_pattern=pattern, weight=weight, time=time)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float, str], bool]]:
    """A progress bar with the time left, on standard error; the first Ctrl-C asks for an early end, the second one ends at once."""
    stopping = False

    def interrupt(signum: int, frame: object) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        typer.echo("Ending early with what there is; once more to stop at once.", err=True)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        if quiet or not sys.stderr.isatty():
            yield lambda progress, what: stopping
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as bar:
            shown = bar.add_task("starting", total=1.0)

            def report(progress: float, what: str) -> bool:
                bar.update(shown, completed=progress, description=what)
                return stopping

            yield report
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    main()
