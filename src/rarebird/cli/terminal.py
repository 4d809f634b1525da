"""What commands print: a progress bar, and the result as text for people or as JSON for machines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from rarebird.cli import interruption
from rarebird.core import events
from rarebird.core.printable import printable
from rarebird.core.progress import Progress
from rarebird.report.language.chosen import told


@dataclass(frozen=True)
class Output:
    """How a command prints.

    Attributes:
        as_json: One JSON object in place of text, and no progress bar.
        quiet: No progress bar.
    """

    as_json: bool = False
    quiet: bool = False

    def progress_bar(self) -> AbstractContextManager[Progress]:
        """See `progress_bar`."""
        return progress_bar(self.quiet or self.as_json)

    def show(self, values: Callable[[], object], text: Callable[[], str]) -> None:
        """Print `values` as JSON or `text`; only the one that is printed is made."""
        if self.as_json:
            print_json(values())
        else:
            say(text(), err=False)


def say(text: str, err: bool = True) -> None:
    """Print text in the user's language, on standard error or standard output; names in it cannot command the
    terminal."""
    typer.echo(printable(told(text)), err=err)


def print_json(value: object) -> None:
    """Print one JSON object on one line."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Where characters must be written out, JSON has its own way.
    typer.echo(text if printable(text) == text else json.dumps(value, allow_nan=False))


def _doing(what: str) -> str:
    """What a progress bar says: a recipe's name stays, and what is done with it is translated."""
    name, colon, doing = what.partition(": ")
    return f"{name}{colon}{told(doing)}" if colon else told(what)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A progress bar with the time left, on standard error. The first Ctrl-C or SIGTERM asks the work to end early, the
    second one stops it at once.

    Args:
        quiet: Show no bar; the signals work in the same way.
    """
    stopping = False
    # Translated before a signal arrives, whose handler is to be short.
    ending = told("Ending early with what is done so far; press Ctrl-C again to stop at once.")

    def interrupt(signum: int, frame: object) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt
        stopping = True
        interruption.say(ending)

    with interruption.handling(interrupt):
        if quiet or not sys.stderr.isatty():
            yield lambda share, what: stopping
            return
        with _shown(lambda: stopping) as progress:
            yield progress


@contextmanager
def _shown(is_stopping: Callable[[], bool]) -> Iterator[Progress]:
    """The bar itself, and below it the best so far: beside it, a narrow terminal would have no room for the bar.

    Args:
        is_stopping: Whether the work is to end early.
    """
    from rich import progress as bars
    from rich.console import Console, RenderableType
    from rich.markup import escape
    from rich.text import Text

    best = Text("", no_wrap=True, overflow="ellipsis")

    class Bars(bars.Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            if best.plain:
                yield best

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as bar:
        shown = bar.add_task(told("starting"), total=1.0)

        def heard(kind: str, values: dict[str, Any]) -> None:
            if kind == "best":
                best.plain = printable(told(best_so_far(values)))

        def progress(share: float, what: str) -> bool:
            bar.update(shown, completed=share, description=escape(printable(_doing(what))))
            return is_stopping()

        with events.listening(heard):
            yield progress


def best_so_far(values: Mapping[str, Any]) -> str:
    """The best recipe so far with its interval, from an event."""
    low, high = values["low"], values["high"]
    between = f" ({low:.3g} to {high:.3g})" if math.isfinite(low) and math.isfinite(high) else ""
    return f"best so far: {values['name']}, {values['metric']} {values['value']:.3g}{between}"
