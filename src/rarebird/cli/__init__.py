"""The command line. Commands import heavy packages only when they run, so that ``rarebird --help`` is instant."""

from __future__ import annotations

import gc
import os
import sys

# Importing these modules adds their commands to the application.
from rarebird.cli import compare, diagnose, fit, show, tune, usage, use  # noqa: F401
from rarebird.cli.options import app
from rarebird.cli.terminal import say
from rarebird.core.checks import DataError
from rarebird.core.printable import printable

# The order of the commands in the help.
COMMANDS = (
    *("fit", "preview", "learning-rate", "tune", "compare", "regularization-path", "label-issues", "next"),
    *("predict", "evaluate", "profile", "list", "demo"),
)
app.registered_commands.sort(key=lambda command: COMMANDS.index(command.name or ""))


def main() -> None:
    """Entry point: one sentence and exit code 2 for bad input or usage, 1 for anything else, never a traceback."""
    # OpenMP's threads wait for work in a busy loop; where other processes need the cores, that made steps several times
    # slower. A short busy loop costs nothing on a free machine; none at all made steps a fifth slower there (NOTES.md).
    # torch reads this variable when it is imported first.
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
    # Otherwise the garbage collector searches all objects once more before the exit, for a second or longer.
    gc.freeze()
    sys.exit(code if isinstance(code, int) else 0)


def _click_exit(error: Exception) -> int:
    """The exit code of an error that is not about the data: 2 for click's own usage errors, 1 for anything else."""
    show_error, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if (text := usage.sentence(error)) is not None:
        return _failed(text, 2, None)
    if callable(show_error) and isinstance(code, int):
        if isinstance(message := getattr(error, "message", None), str):
            error.message = printable(message)  # type: ignore[attr-defined]
        show_error()
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
    say(f"rarebird: {message}{hint}")
    return code
