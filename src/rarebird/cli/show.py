"""Commands that show what there is: `profile`, `list` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rarebird.cli.options import AsJson, Kind, Lang, app, shared_options
from rarebird.cli.terminal import Output, print_json, progress_bar, say
from rarebird.core.checks import DataError
from rarebird.core.clock import seconds_of
from rarebird.report.language.chosen import told

if TYPE_CHECKING:
    from rarebird.runs.request import Request


# What `list` takes besides the slots.
METRICS = ("metric", "metrics")


@app.command("profile")
@shared_options(test="Test rows, searched for duplicates of training rows.", running=("as_json",))
def profile(request: Request, output: Output) -> None:
    """Say what the data are, which problems they have, and which methods apply."""
    from rarebird.profile.profile import profile as profile_of
    from rarebird.report.profile_text import to_text
    from rarebird.runs.request import read_data

    data = read_data(request)
    found = profile_of(data.train, val=data.val, test=data.test)
    output.show(
        lambda: found.model_dump(mode="json") | {"notes": [*data.notes, *found.notes]},
        lambda: to_text(found) + "".join(f"\nNote: {note}" for note in data.notes),
    )


@app.command("list")
def list_methods(
    slot: Annotated[str | None, typer.Argument(help="One slot of the recipe, or metric (default: all slots).")] = None,
    kind: Kind = None,
    as_json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Every method of every slot, with one line on each; or every metric."""
    from rarebird.core.checks import nearest
    from rarebird.slots import methods

    if kind is not None and kind not in methods.KIND_NAMES:
        raise DataError(f"There is no kind {kind!r}; {nearest(kind, methods.KIND_NAMES)}")
    if slot in METRICS:
        _list_metrics(as_json)
        return
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
                typer.echo(f"  {card.name:<{width}} {told(card.line)} [{', '.join(card.kinds)}]")


def _list_metrics(as_json: bool) -> None:
    """Print every metric, with what it measures and whether higher or lower is better."""
    from rarebird.metrics import names
    from rarebird.report.wording import better, wording

    if as_json:
        lines = [
            {"name": name, "needs": one.needs, "better": better(name), "line": wording(name).explanation}
            for name, one in names.METRICS.items()
        ]
        print_json(lines)
        return
    width = max(map(len, names.METRICS))
    for name, one in names.METRICS.items():
        line = told(wording(name).explanation)
        typer.echo(f"{name:<{width}} {line} [{one.needs}, {told(f'{better(name)} is better')}]")
    typer.echo(f"{'recall:CLASS':<{width}} {told('Of one class alone; also precision:CLASS and f1:CLASS.')}")


@app.command("demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the demo's data and runs.")] = Path("runs/demo"),
    budget: Annotated[str, typer.Option(help="Wall-clock time of each of the two fits.")] = "25s",
    lang: Lang = None,
) -> None:
    """Run fit on two real data sets that come with scikit-learn: handwritten digits with rare classes, and the
    breast-cancer table."""
    seconds = seconds_of(budget)
    from rarebird.cli.demo import run

    with progress_bar(quiet=False) as progress:
        run(out, seconds, lambda text: say(text, err=False), progress)
