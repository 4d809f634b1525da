"""Commands that show what there is: `profile`, `list` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rarebird.cli.options import AsJson, Data, Groups, Kind, Pattern, Target, Task, Time, Weight, app, read_options
from rarebird.cli.terminal import print_json, progress_bar
from rarebird.core.checks import DataError
from rarebird.core.clock import seconds_of


@app.command()
def profile(
    data: Data,
    test: Annotated[
        Path | None, typer.Option(help="Test rows, looked through for duplicates of training rows.")
    ] = None,
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
    from rarebird.profile.profile import profile as described
    from rarebird.report.profile_text import to_text
    from rarebird.runs.request import Request, read

    request = Request(data, Path(), test, read_options(target, kind, task, groups, groups_pattern, weight, time))
    rows = read(request, None)
    found = described(rows.train, val=rows.val, test=rows.test)
    if as_json:
        print_json(found.model_dump(mode="json") | {"notes": [*rows.notes, *found.notes]})
    else:
        typer.echo(to_text(found) + "".join(f"\nNote: {note}" for note in rows.notes))


@app.command("list")
def list_methods(
    slot: Annotated[str | None, typer.Argument(help="One slot of the recipe (default: all).")] = None,
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Every method of every slot with its one line."""
    from rarebird.core.checks import nearest
    from rarebird.slots import methods

    if kind is not None and kind not in methods.KIND_NAMES:
        raise DataError(f"There is no kind {kind!r}; {nearest(kind, methods.KIND_NAMES)}")
    cards = [
        card
        for name in ([slot] if slot else methods.SLOTS)
        for card in methods.cards(name)
        if kind is None or kind in card.kinds
    ]
    if as_json:
        print_json([{"slot": card.slot, "name": card.name, "line": card.line, "kinds": card.kinds} for card in cards])
        return
    width = max((len(card.name) for card in cards), default=0)
    for name in dict.fromkeys(card.slot for card in cards):
        typer.echo(name)
        for card in cards:
            if card.slot == name:
                typer.echo(f"  {card.name:<{width}} {card.line} [{', '.join(card.kinds)}]")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the demo's data and runs.")] = Path("runs/demo"),
    budget: Annotated[str, typer.Option(help="Wall-clock time of each of the two fits.")] = "30s",
) -> None:
    """The main job on real data that comes with a dependency: thinned handwritten digits and the breast-cancer
    table."""
    seconds = seconds_of(budget)
    from rarebird.cli.demo import run

    with progress_bar(quiet=False) as report:
        run(out, seconds, typer.echo, report)
