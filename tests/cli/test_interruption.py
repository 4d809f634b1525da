"""Ctrl-C and SIGTERM end a command alike: with one sentence, at any moment, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rarebird.cli import interruption
from rarebird.cli.terminal import progress_bar
from tests.automl.test_command import table

# A command whose work takes as long as it likes, and tells when it is at it. In the words of the command line.
WORK = """
import sys, time
from rarebird import cli
{patch}
sys.argv = ["rarebird", "fit", sys.argv[1], "--out", sys.argv[2], "--quiet", "--set", "folds=2"]
cli.main()
"""
AT_IMPORT = """
import builtins
known = builtins.__import__
def slow(name, *more):
    if name == "torch":
        print("ready", flush=True)
        exec("import time; time.sleep(60)")
    return known(name, *more)
builtins.__import__ = slow
"""
AT_READING = """
from rarebird import readers
def slow(*arguments):
    print("ready", flush=True)
    time.sleep(60)
readers.read = slow
"""


def started(patch: str, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORK.format(patch=patch), str(table(folder / "rows.csv")), str(folder / "a" / "b")]
    pipe = subprocess.PIPE
    # A suite that runs in the background has SIGINT ignored, which its children would inherit.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("patch", "one"),
    [(AT_IMPORT, signal.SIGINT), (AT_IMPORT, signal.SIGTERM), (AT_READING, signal.SIGTERM)],
    ids=["Ctrl-C while it imports", "SIGTERM while it imports", "SIGTERM while it reads"],
)
def test_an_interruption_has_one_sentence_and_leaves_nothing(patch: str, one: signal.Signals, tmp_path: Path) -> None:
    process = started(patch, tmp_path)
    process.send_signal(one)
    if patch == AT_READING:  # the first one asks for an early end
        time.sleep(0.5)
        process.send_signal(one)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert said.splitlines()[-1] == "rarebird: Interrupted; no result was written."
    assert len(said.splitlines()) == (1 if patch == AT_IMPORT else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("one", interruption.SIGNALS, ids=lambda one: one.name)
def test_the_first_signal_asks_and_the_second_one_stops(one: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    # A suite that runs in the background has SIGINT ignored.
    before = signal.default_int_handler if one is signal.SIGINT else signal.SIG_DFL
    usual = signal.signal(one, before)
    with progress_bar(quiet=True) as progress:
        assert not progress(0.0, "")
        signal.raise_signal(one)
        assert progress(0.0, "")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(one)
    assert signal.getsignal(one) is before
    signal.signal(one, usual)
    assert capfd.readouterr().err.count("Ending early with what is done so far") == 1


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    """As in background jobs of a script, which a Ctrl-C at the terminal must not end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.handling(lambda *arguments: pytest.fail("it was called")):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
