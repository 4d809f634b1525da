"""Runs the command line in this process, as a user would type it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from rarebird import cli


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
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return Done(int(end.value.code or 0), captured.out, captured.err)
