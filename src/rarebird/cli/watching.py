"""Who watches a run, beside its user: ``--log-json``, ``--track``; and how they are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from rarebird.cli.terminal import Output, say
from rarebird.core import events
from rarebird.core.progress import Progress

LogJson = Annotated[
    Path | None, typer.Option(help="File that gets every event as a line of JSON: trials, the best so far, the result.")
]
Track = Annotated[
    str | None, typer.Option(help="mlflow or tensorboard: record trials, figures and the model there (extra tracking).")
]
TrackTo = Annotated[
    str | None,
    typer.Option(help="Folder of the tracked runs, or MLflow's address (default: runs/mlflow, beside the run)."),
]


@dataclass(frozen=True)
class Watchers:
    """What was asked for, besides the display.

    Attributes:
        log_json: A file for events.
        track: A tracking tool.
        track_to: Its folder or address; None: a folder of its name beside the run's.
    """

    log_json: Path | None = None
    track: str | None = None
    track_to: str | None = None


@contextmanager
def watched(command: str, out: Path, output: Output, watchers: Watchers) -> Iterator[Progress]:
    """The progress of a command, told to its display and to its watchers, who are ready before the work begins.

    Args:
        command: Its name.
        out: Its folder.
        output: How it prints.
        watchers: Who else is told.

    Raises:
        DataError: A watcher cannot be used.
    """
    with ExitStack() as stack:
        listeners: list[events.Listener] = []
        if watchers.log_json is not None:
            from rarebird.tracking.json_log import JsonLog

            listeners.append(guarded(stack.enter_context(JsonLog(watchers.log_json)), "--log-json"))
        if watchers.track is not None:
            from rarebird.tracking.tracker import tracker

            tool = stack.enter_context(tracker(watchers.track, watchers.track_to, out))
            listeners.append(guarded(tool, f"--track {watchers.track}"))
        stack.enter_context(events.listening(*listeners))
        events.emit("started", command=command, out=str(out))
        progress = stack.enter_context(output.progress_bar())

        def told(share: float, what: str) -> bool:
            events.emit("progress", share=round(share, 4), what=what)
            return progress(share, what)

        try:
            yield told
        except BaseException as error:
            events.emit("failed", why=str(error) or type(error).__name__)
            raise


def finished(outcome: Any) -> None:
    """Tell the watchers of the result; its folder is written by then."""
    if events.is_heard():
        events.emit("finished", result=outcome.result, recipe=outcome.recipe.to_toml())


def guarded(listener: events.Listener, name: str) -> events.Listener:
    """A listener that ends with a sentence where it fails: whoever watches a run must not end it."""
    broken = False

    def tell(kind: str, values: dict[str, Any]) -> None:
        nonlocal broken
        if broken:
            return
        try:
            listener(kind, values)
        except Exception as error:
            broken = True
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            say(f"{name} records nothing more of this run, which goes on: {reason}")

    return tell
