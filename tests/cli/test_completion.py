"""Shell completion: commands, options and files, as the script that `--install-completion` writes asks for them."""

from __future__ import annotations

import pytest

from rarebird.cli.commands import COMMANDS, COMPLETION
from tests.command_line import rarebird


def completed(words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash is offered for the last of the words."""
    monkeypatch.setenv(COMPLETION, "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = rarebird(capsys, monkeypatch)
    assert done.code == 0, done.err
    return done.out.split()


def test_commands_are_completed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("rarebird sy", capsys, monkeypatch) == ["synthesize"]
    assert set(completed("rarebird ", capsys, monkeypatch)) == set(COMMANDS)


def test_options_are_completed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("rarebird fit data.csv --log", capsys, monkeypatch) == ["--log-json"]
    assert {"--budget"} == set(completed("rarebird tune --bud", capsys, monkeypatch))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_shown(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = rarebird(capsys, monkeypatch, "--show-completion", shell)
    assert done.code == 0
    assert COMPLETION in done.out
