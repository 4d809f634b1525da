"""What the commands share: the application, its options, and how rows are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rarebird.core.checks import DataError

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

Data = Annotated[
    Path, typer.Argument(help="Folder with one folder per class, .csv or .parquet, UCR .tsv or .ts, or .npz.")
]
ModelPath = Annotated[Path, typer.Argument(help="Folder of a model, or of the run that holds it.")]
Target = Annotated[str | None, typer.Option(help="Column of a table that holds the target (default: target).")]
Kind = Annotated[str | None, typer.Option(help="image, table or series, where the guess is wrong.")]
Task = Annotated[str | None, typer.Option(help="classification or regression, where the guess is wrong.")]
Groups = Annotated[
    str | None, typer.Option(help="Column that groups rows (patient, track, site); groups never straddle a split.")
]
Pattern = Annotated[
    str | None, typer.Option(help="Pattern with one group that finds the group in file names, such as 'person(\\d+)'.")
]
Weight = Annotated[str | None, typer.Option(help="Column of sample weights.")]
Time = Annotated[str | None, typer.Option(help="Column to split by in time order.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads (default: all).")]


def read_options(
    target: str | None,
    kind: str | None,
    task: str | None,
    groups: str | None,
    pattern: str | None,
    weight: str | None,
    time: str | None,
) -> ReadOptions:
    from rarebird.core.checks import nearest
    from rarebird.readers.options import ReadOptions

    for name, value, valid in (
        ("kind", kind, ("image", "table", "series")),
        ("task", task, ("classification", "regression")),
    ):
        if value is not None and value not in valid:
            raise DataError(f"There is no {name} {value!r}; {nearest(value, valid)}")
    given: dict[str, Any] = {"kind": kind, "task": task}
    return ReadOptions(**given, target=target, groups=groups, groups_pattern=pattern, weight=weight, time=time)
