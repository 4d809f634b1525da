"""The application, and `shared_options`: one decorator gives a command the options that many commands have.

A command is written as ``def fit(request: Request, output: Output, own_option=...)``. `shared_options` adds the shared
options to its signature, which typer reads, and turns their values into the `Request` and the `Output`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from rarebird.cli.terminal import Output
from rarebird.core.checks import DataError
from rarebird.core.version import VERSION

if TYPE_CHECKING:
    from rarebird.readers.options import ReadOptions
    from rarebird.runs.request import Request

app = typer.Typer(
    name="rarebird",
    help="Deep learning for the data you wish you had more of: "
    "small, skewed or costly pictures, tables and time series.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rarebird {VERSION}")
        raise typer.Exit


@app.callback()
def _application(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Deep learning for the data you wish you had more of: small, skewed or costly pictures, tables and time series."""


Data = Annotated[
    Path,
    typer.Argument(help="Folder with one folder per class, .csv, .xlsx, .json or .parquet, UCR .tsv or .ts, or .npz."),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Rows, as DATA of the other commands.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write (default: runs/NAME-DATE).")]
Test = Annotated[Path | None, typer.Option(help="Test rows, which are not used; without them a fifth is held out.")]
RecipeFile = Annotated[Path | None, typer.Option(help="A recipe file in place of the default rules.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe; repeatable.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimizer steps of each network in place of a budget.")]
Metric = Annotated[str | None, typer.Option(help="The metric (default: the recipe's, balanced_accuracy).")]
Positive = Annotated[
    str | None, typer.Option(help="For two classes, the one that precision and recall are about (default: the rarer).")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed (default: the recipe's, 0).")]
KeepCopies = Annotated[
    bool,
    typer.Option(
        "--keep-copies",
        help="Train also on rows that copy a given validation or test row; figures on such rows are not honest.",
    ),
]
External = Annotated[
    list[Path] | None,
    typer.Option(help="Rows of another source, which may join the training rows and judge nothing; repeatable."),
]
LabelMap = Annotated[
    list[Path] | None,
    typer.Option(help="CSV of label,own label (or JSON) for the labels of --external; one for all or one for each."),
]
Pool = Annotated[
    Path | None,
    typer.Option(
        "--unlabeled", help="Rows without labels in the form of the data, from which the network learns first."
    ),
]
NoRows = Annotated[
    bool,
    typer.Option("--no-rows", help="Write no page or table of single rows: no pictures, values, names, predictions."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the results of an earlier command in --out.")]
Target = Annotated[str | None, typer.Option(help="Column of a table that holds the target (default: target).")]
Kind = Annotated[str | None, typer.Option(help="image, table or series, where the guess is wrong.")]
Task = Annotated[str | None, typer.Option(help="classification or regression, where the guess is wrong.")]
Groups = Annotated[
    str | None, typer.Option(help="Column that groups rows (patient, track, site); groups are never split.")
]
Pattern = Annotated[
    str | None,
    typer.Option(
        help="Pattern that finds the group in file names, such as 'person(\\d+)'; alternatives have a group each."
    ),
]
Pictures = Annotated[
    Path | None, typer.Option(help="Folder of the pictures that a CSV lists (default: the CSV's own folder).")
]
ChannelsLast = Annotated[
    bool, typer.Option("--channels-last", help="Series in an .npz are (n, steps, channels), not (n, channels, steps).")
]
OnDisk = Annotated[bool, typer.Option("--on-disk", help="Keep rows of Parquet, and pictures, on disk in any case.")]
Weight = Annotated[str | None, typer.Option(help="Column of sample weights.")]
Time = Annotated[str | None, typer.Option(help="Column to split by in time order.")]
Gap = Annotated[
    str | None,
    typer.Option(help="With --time: leave out training rows that are less than this before held-out rows (7d; 10)."),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads (default: all).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]
# Read in `start`, before a command's arguments are parsed.
Lang = Annotated[
    str | None,
    typer.Option("--lang", help="Language of sentences and pages: en or zh (default: RAREBIRD_LANG, otherwise en)."),
]
# Not of every command's request, but spelled the same wherever a command has it.
Budget = Annotated[str, typer.Option(help="Wall-clock time for everything, such as 90s or 5m.")]

# Name -> type with the usual help, and default.
SHARED: dict[str, tuple[Any, object]] = {
    "data": (Data, inspect.Parameter.empty),
    "out": (Out, None),
    "test": (Test, None),
    "recipe": (RecipeFile, None),
    "settings": (Settings, None),
    "steps": (Steps, None),
    "metric": (Metric, None),
    "positive": (Positive, None),
    "seed": (Seed, None),
    "keep_copies": (KeepCopies, False),
    "external": (External, None),
    "label_map": (LabelMap, None),
    "pool": (Pool, None),
    "no_rows": (NoRows, False),
    "force": (Force, False),
    "target": (Target, None),
    "kind": (Kind, None),
    "task": (Task, None),
    "groups": (Groups, None),
    "groups_pattern": (Pattern, None),
    "weight": (Weight, None),
    "time": (Time, None),
    "gap": (Gap, None),
    "pictures": (Pictures, None),
    "channels_last": (ChannelsLast, False),
    "on_disk": (OnDisk, False),
    "device": (Device, "auto"),
    "threads": (Threads, None),
    "as_json": (AsJson, False),
    "quiet": (Quiet, False),
    "lang": (Lang, None),
}
_OF_ROWS = "target kind task groups groups_pattern weight time gap pictures channels_last on_disk"
READING = tuple(_OF_ROWS.split())
RUNNING = ("device", "threads", "as_json", "quiet")
SPEAKING = "lang"  # every command has it
USUAL = ""  # in `shared_options`: the option with its usual help
# A command's own options follow the last of these in its help, unless they are marked with `After`.
FRONT = ("data", "out", "test", "recipe", "settings")


@dataclass(frozen=True)
class After:
    """In the annotation of a command's own option: it follows this shared option in the help."""

    option: str


def shared_options(
    *,
    reading: Iterable[str] = READING,
    running: Iterable[str] = RUNNING,
    defaults: Mapping[str, object] | None = None,
    data_option: str | None = None,
    **helps: str,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command ``DATA`` and shared options, and call it with a `Request` (and an `Output`, if it takes one).

    Own options of the command follow its `request` and `output`. If a parameter has the name of a shared option, the
    command gets that option's value as the user gave it, besides the request.

    Args:
        reading: Which of the options that say how to read the data.
        running: Which of the options that say how to compute and how to print.
        defaults: Defaults that differ from the usual ones.
        data_option: Help of ``--data``, which takes the place of the argument ``DATA``; None: there is the argument.
        helps: The other shared options in the order of the help page, each with its help text or `USUAL`.
    """
    also = ("force",) if "out" in helps else ()
    texts = {"data": USUAL, **helps, **dict.fromkeys((*also, *reading, *running, SPEAKING), USUAL)}
    shared = {name: _shared_parameter(name, text, defaults or {}) for name, text in texts.items()}
    if data_option is not None:
        shared["data"] = _parameter("data", data_option, DataOption, None)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        # `Request` is imported for type checkers only; typer never sees these two.
        hints = get_type_hints(function, localns={"Request": object, "Output": Output}, include_extras=True)
        wanted = inspect.signature(function).parameters
        own = [
            parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in wanted.items()
            if name not in shared and name not in ("request", "output")
        ]

        @functools.wraps(function)
        def command(**given: Any) -> None:
            values = {name: given[name] for name in shared}
            passed = {name: value for name, value in given.items() if name in wanted}
            if "output" in wanted:
                passed["output"] = Output(values.get("as_json", False), values.get("quiet", False))
            function(_request(values), **passed)

        signature = inspect.Signature(_in_order(shared, own))
        command.__signature__ = signature  # type: ignore[attr-defined]
        command.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        return command

    return decorate


def _shared_parameter(name: str, text: str, defaults: Mapping[str, object]) -> inspect.Parameter:
    """A shared option as a parameter, with a help text of its own unless `text` is `USUAL`."""
    annotation, default = SHARED[name]
    return _parameter(name, text, annotation, defaults.get(name, default))


def _parameter(name: str, text: str, annotation: Any, default: object) -> inspect.Parameter:
    if text != USUAL:
        of, option = get_args(annotation)
        option = copy(option)
        option.help = text
        annotation = Annotated[of, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _in_order(shared: Mapping[str, inspect.Parameter], own: Iterable[inspect.Parameter]) -> list[inspect.Parameter]:
    """All parameters in the order of the help page: own arguments come before ``DATA``, own options after `FRONT` or
    where their `After` says."""
    ordered = list(shared.values())
    names = list(shared)
    place = max(names.index(name) for name in FRONT if name in names) + 1
    for parameter in own:
        marks = [mark for mark in get_args(parameter.annotation) if isinstance(mark, After)]
        if marks:
            place = names.index(marks[0].option) + 1
        at = names.index("data") if parameter.default is parameter.empty else place
        names.insert(at, parameter.name)
        ordered.insert(at, parameter)
        place += 1
    return ordered


def _request(given: Mapping[str, Any]) -> Request:
    """The request that the values of the shared options make; a missing ``--out`` becomes ``runs/NAME-DATE``."""
    from rarebird.runs.request import Request

    plain = ["data", "test", "recipe", "metric", "positive", "seed", "steps", "threads", "device"]
    plain += ["keep_copies", "no_rows", "force"]
    fields = {name: given[name] for name in plain if name in given}
    if given.get("data") is None:
        fields["data"] = Path()
    fields["settings"] = tuple(given.get("settings") or ())
    fields["unlabeled"] = given.get("pool")
    fields["external"] = tuple(given.get("external") or ())
    fields["label_maps"] = tuple(given.get("label_map") or ())
    fields["read"] = _read_options(given)
    if "out" in given:
        from rarebird.readers import compressed
        from rarebird.runs.default_folder import default_folder

        fields["out"] = given["out"] or default_folder(compressed.stem(given["data"]) if given["data"] else "model")
        fields["out_is_default"] = given["out"] is None
    return Request(**fields)


def _read_options(given: Mapping[str, Any]) -> ReadOptions:
    """How to read the data.

    Raises:
        DataError: There is no such kind or task.
    """
    from rarebird.core.checks import nearest
    from rarebird.readers.options import ReadOptions

    for name, valid in (("kind", ("image", "table", "series")), ("task", ("classification", "regression"))):
        value = given.get(name)
        if value is not None and value not in valid:
            raise DataError(f"There is no {name} {value!r}; {nearest(value, valid)}")
    return ReadOptions(**{name: given[name] for name in READING if name in given})
