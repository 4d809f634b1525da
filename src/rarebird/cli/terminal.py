"""What the commands show: a progress bar that Ctrl-C ends early, and JSON for machines."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[float, str], bool]]:
    """A progress bar with the time left, on standard error; the first Ctrl-C asks for an early end, the second one ends
    at once."""
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
