"""The command line. Heavy imports wait inside the commands, so that ``rarebird --help`` is instant."""

from __future__ import annotations

import gc
import os
import sys

import typer

from rarebird.core.checks import DataError

# Importing the commands puts them into the application, in the order that its help shows.
# isort: off
from rarebird.cli import train, tune, regularization, labels, use, show as look  # noqa: F401
from rarebird.cli.options import app
# isort: on


def main() -> None:
    """Entry point: one sentence and exit code 2 for bad input or usage, 1 for anything else, never a traceback."""
    # OpenMP's threads spin while they wait for work; where other processes want their cores, that made steps several
    # times slower. A short spin costs nothing on a free machine, where not to spin at all cost a fifth (NOTES.md). Read
    # when torch is first imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        code = app(standalone_mode=False)
    except (DataError, ValueError) as error:
        code = _failed(str(error), 2 if isinstance(error, DataError) else 1, error)
    except KeyboardInterrupt:
        code = _failed("Interrupted; no result was written.", 1, None)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _click_exit(error)
    # The interpreter would else look through all that is about to be freed, for a second and more.
    gc.freeze()
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
    hint = (
        ""
        if code == 2 or error is None
        else "\nThis is a defect or a lack of resources; RAREBIRD_TRACEBACK=1 shows where."
    )
    typer.echo(f"rarebird: {message}{hint}", err=True)
    return code
