"""Runs the command line in this process, as a user would type it."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass

import pytest

from rarebird import cli
from rarebird.cli.interruption import SIGNALS


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def rarebird(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Done:
    """Run ``rarebird ARGUMENTS`` and catch its exit code and its output."""
    monkeypatch.setattr(sys, "argv", ["rarebird", *map(str, arguments)])
    capsys.readouterr()
    handlers = {one: signal.getsignal(one) for one in SIGNALS}
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        for one, handler in handlers.items():  # the command ignores them at its end, where a process ends
            signal.signal(one, handler)
    captured = capsys.readouterr()
    return Done(int(end.value.code or 0), captured.out, captured.err)
