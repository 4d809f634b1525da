"""The start of a command: one sentence and an exit code for whatever ends it, and never a traceback."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Iterator

from rarebird.cli import interruption
from rarebird.core.checks import DataError, UnavailableError
from rarebird.core.printable import printable, shortened
from rarebird.report.language import chosen

DONE, OTHER, BAD_INPUT = 0, 1, 2


def main() -> None:
    """Run the command of `sys.argv`: exit code 2 for bad input or usage, 1 for anything else that went wrong."""
    # OpenMP's threads wait for work in a busy loop; where other processes need the cores, that made steps several times
    # slower. A short busy loop costs nothing on a free machine; none at all made steps a fifth slower there (NOTES.md).
    # torch reads this variable when it is imported first.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    asked = chosen.asked_for(sys.argv[1:])
    with interruption.raising() as signals, chosen.speaking(asked):
        try:
            chosen.check(asked)
            from rarebird.cli import commands

            code = commands.run(sys.argv[1:])
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = DONE
        except KeyboardInterrupt as error:
            code = _interrupted(error)
        except Exception as error:
            code = _interrupted(error) if signals else _code_of(error)
    # Otherwise the garbage collector searches all objects once more before the exit, for a second or longer.
    gc.freeze()
    sys.exit(code if isinstance(code, int) else DONE)


def _interrupted(error: BaseException) -> int:
    # Python ends itself by SIGINT, whatever the exit code, if an interruption passed through code that was executed as
    # a string (as dataclasses are made); executing some more of it takes that back.
    exec("")
    kept = _notes(error) or "no result was written."
    return _say(f"Interrupted; {kept}", OTHER)


def _code_of(error: Exception) -> int:
    """Say what an error is, and give its exit code."""
    from rarebird.cli import usage

    show_error, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if (said := usage.sentence(error)) is not None:
        return _say(said, BAD_INPUT)
    if isinstance(code, int):  # an error of usage, or the end of --help
        if callable(show_error):
            if isinstance(message := getattr(error, "message", None), str):
                error.message = printable(message)  # type: ignore[attr-defined]
            shown = io.StringIO()
            show_error(shown)
            sys.stderr.write(chosen.told(shown.getvalue()))
        return code
    if os.environ.get("RAREBIRD_TRACEBACK"):
        raise error
    if isinstance(error, DataError | UnavailableError):
        said = " ".join(filter(None, [str(error), _notes(error)]))
        return _say(said, BAD_INPUT if isinstance(error, DataError) else OTHER)
    said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    hint = "This is a defect or a lack of resources; RAREBIRD_TRACEBACK=1 shows where."
    return _say("\n".join(filter(None, [said, _notes(error), hint])), OTHER)


def _notes(error: BaseException) -> str:
    """What an error's notes say is kept; the option parser turns an interruption into an error of its own."""
    return " ".join(note for one in _chain(error) for note in getattr(one, "__notes__", ()))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"rarebird: {printable(chosen.told(shortened(message)))}\n")
    return code
