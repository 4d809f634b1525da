"""All commands, in the order of the help."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

# Importing these modules adds their commands to the application.
from rarebird.cli import compare, decide, diagnose, fit, report, show, small, synthesize, tune, use  # noqa: F401
from rarebird.cli.options import app
from rarebird.core.checks import DataError

COMMANDS = (
    *("fit", "preview", "learning-rate", "tune", "compare", "regularization-path", "label-issues", "next"),
    "synthesize",
    *("predict", "evaluate", "explain", "decide", "report", "compare-runs"),
    *("compress", "merge", "export", "profile", "list", "demo"),
)
# Set by the script that `--install-completion` writes.
COMPLETION = "_RAREBIRD_COMPLETE"
app.registered_commands.sort(key=lambda command: COMMANDS.index(command.name or ""))


def run(arguments: Sequence[str]) -> int:
    """Run a command; its errors are the caller's, as typer's own way would print an interruption nowhere.

    Returns:
        The exit code of a command that ended well.
    """
    _refuse_torchrun(arguments)
    command = typer.main.get_command(app)
    if COMPLETION in os.environ:
        # The shell asks which words are possible; typer answers, and ends the process.
        command.main(list(arguments), prog_name=app.info.name)
    with command.make_context(app.info.name, list(arguments)) as context:
        command.invoke(context)
    return 0


def _refuse_torchrun(arguments: Sequence[str]) -> None:
    """Check that ``torchrun`` started no command that each of its processes would run for itself.

    Raises:
        DataError: It did; the other processes end without a word.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or not arguments or arguments[0] in ("fit", "--help", "--version"):
        return
    from rarebird.executors.ranks import of_torchrun

    rank = of_torchrun()
    if rank is not None and rank.ranks > 1:
        if not rank.is_first:
            sys.exit(2)
        raise DataError(f"Only fit trains with several processes, not {arguments[0]}; start it without torchrun.")
