"""What a run was asked for, as its folder records it: where the data are, whether single rows may be shown, and the
command that trains the recorded recipe again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rarebird.runs.request import Request


@dataclass(frozen=True)
class Asked:
    """What a run was asked for.

    Attributes:
        data: The path of the data as the user gave it; empty where Python code gave the rows.
        command: A command that trains the recorded recipe again; empty where Python code gave the rows.
        shows_rows: Whether files for people may show single rows.
    """

    data: str = ""
    command: str = ""
    shows_rows: bool = True


def asked(request: Request, recipe: Path) -> Asked:
    """What a request asks for.

    Args:
        request: The request.
        recipe: Where the run's recipe is written.
    """
    if request.data == Path():
        return Asked(shows_rows=not request.no_rows)
    words = ["rarebird", "fit", str(request.data), "--recipe", str(recipe), *_options(request)]
    return Asked(str(request.data), shlex.join(words), not request.no_rows)


def _options(request: Request) -> Iterator[str]:
    """The options that the recipe does not hold: which rows, and how they are read."""
    read = request.read
    given = {
        "--test": request.test,
        "--target": read.target,
        "--kind": read.kind,
        "--task": read.task,
        "--groups": read.groups,
        "--groups-pattern": read.groups_pattern,
        "--weight": read.weight,
        "--time": read.time,
        "--gap": read.gap,
        "--pictures": read.pictures,
        "--positive": request.positive,
        "--unlabeled": request.unlabeled,
    }
    for name, value in given.items():
        if value is not None:
            yield from (name, str(value))
    for name, several in (("--external", request.external), ("--label-map", request.label_maps)):
        for value in several:
            yield from (name, str(value))
    flags = {
        "--channels-last": read.channels_last,
        "--keep-copies": request.keep_copies,
        "--no-rows": request.no_rows,
    }
    yield from (name for name, is_on in flags.items() if is_on)
