"""Commands speak the language that is asked for, by ``--lang`` or ``RAREBIRD_LANG``; machines get the same in each."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.cli.commands import app
from rarebird.report.language.chosen import asked_for, language, languages, speaking, told
from tests.command_line import rarebird
from tests.report.language.left_english import english_in


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with most problems that `profile` names, and names that are words of the catalogue."""
    rng = np.random.default_rng(0)
    y = rng.random(200) < 0.12
    frame = pd.DataFrame({"id": range(200), "年龄": rng.normal(50 + 5 * y, 10), "rows": rng.normal(size=200)})
    frame = frame.assign(c=rng.choice(["u", "v", None], 200), const=1, outcome=np.where(y, "test rows", "well"))
    frame.loc[5, "outcome"] = "none"
    frame.loc[20:25, ["年龄", "rows", "c", "outcome"]] = frame.loc[30, ["年龄", "rows", "c", "outcome"]].values
    frame.loc[40:41, ["年龄", "rows", "c"]] = frame.loc[50, ["年龄", "rows", "c"]].values
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return path


def test_the_profile_is_in_chinese_and_names_are_kept(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "profile", table, "--target", "outcome", "--lang", "zh")
    assert done.code == 0, done.err
    assert "发现的问题" in done.out
    assert "类别 'none' 只有 1 行：无法评估它的召回率。" in done.out
    assert "\n  test rows  " in done.out  # a class, in the table
    assert not english_in(done.out, ["outcome", "test rows", "well", "none", "id", "rows", "const"])


def test_machines_get_the_same_in_each_language(
    table: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [
        rarebird(capsys, monkeypatch, "profile", table, "--target", "outcome", "--json", *more).out
        for more in ((), ("--lang", "zh"))
    ]
    assert json.loads(said[0]) == json.loads(said[1])


@pytest.mark.parametrize("way", ["option", "joined", "variable", "locale"])
def test_the_ways_to_ask(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"option": ("--lang", "zh"), "joined": ("--lang=zh",)}.get(way, ())
    if way in ("variable", "locale"):
        monkeypatch.setenv("RAREBIRD_LANG", {"variable": "zh", "locale": "zh_CN.UTF-8"}[way])
    done = rarebird(capsys, monkeypatch, "fit", tmp_path / "none.csv", *words)
    assert (done.code, done.err) == (2, f"rarebird: 没有文件或文件夹 {tmp_path / 'none.csv'}；请检查路径。\n")


def test_the_option_is_stronger_than_the_variable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAREBIRD_LANG", "zh")
    done = rarebird(capsys, monkeypatch, "fit", tmp_path / "none.csv", "--lang", "en")
    assert done.err.startswith("rarebird: There is no file or folder")


@pytest.mark.parametrize("by", ["--lang", "RAREBIRD_LANG"])
def test_an_unknown_language_is_refused(
    by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "RAREBIRD_LANG":
        monkeypatch.setenv(by, "tlh")
    done = rarebird(capsys, monkeypatch, "list", *(["--lang", "tlh"] if by == "--lang" else []))
    assert done.code == 2
    assert done.err == f"rarebird: There is no language 'tlh' for {by}; valid names are en, zh.\n"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("fit", "x", "--bugdet", "1m"), "`rarebird fit` 没有选项 --bugdet；您是否想用 --budget？"),
        (("train", "x"), "没有命令 'train'；您是否想用 `rarebird fit`？"),
        (("fit",), "错误：缺少参数 'data'。"),
        (("fit", "x", "--steps", "many"), "'--steps' 的值无效：应为整数"),
        (("fit", "x", "--budget", "soon"), "时间预算须大于 0，如 90s、5m 或 1h，但得到 'soon'。"),
        (("fit", "x", "--kind", "tabel"), "没有 kind 'tabel'；您是否想用 'table'？"),
    ],
)
def test_errors_of_the_command_line_itself(
    typed: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, *typed, "--lang", "zh")
    assert done.code == 2
    assert sentence in done.err


def test_the_language_ends_with_its_block() -> None:
    assert languages() == ("en", "zh")
    with speaking("zh"):
        assert (language(), told("Problems found")) == ("zh", "发现的问题")
    assert (language(), told("Problems found")) == ("en", "Problems found")
    assert asked_for(["fit", "x", "--lang"]) == ""


def test_every_command_has_the_option() -> None:
    without = [one.name for one in app.registered_commands if "lang" not in inspect.signature(one.callback).parameters]
    assert not without


def test_every_method_has_its_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    done = rarebird(capsys, monkeypatch, "list", "--lang", "zh")
    lines = [line for line in done.out.splitlines() if line.startswith("  ")]
    assert len(lines) > 100
    assert [line for line in lines if not re.search("[\u4e00-\u9fff]", line)] == []
