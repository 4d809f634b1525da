"""No English is left on the pages and in the terminal of real runs: a table, pictures, series, and the other pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.command_line import Done, rarebird
from tests.report.language.left_english import english_in, english_on

Command = Callable[..., Done]
pytestmark = pytest.mark.xdist_group("documents")
# Names in the data below, some of them words of the catalogue, and of recipes.
NAMES = ["ill", "well", "none", "rows", "id", "outcome", "beats", "cells", "table", "amounts"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with most of what a report tells of, pictures, and series."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    y = rng.random(120) < 0.25
    frame = pd.DataFrame({"id": range(120), "rows": rng.normal(2 * y), "年龄": rng.normal(size=120)})
    frame = frame.assign(c=rng.choice(["u", "v", None], 120), outcome=np.where(y, "ill", "well"))
    frame.loc[5, "outcome"] = "none"
    frame.loc[20:24, ["rows", "年龄", "c", "outcome"]] = frame.loc[30, ["rows", "年龄", "c", "outcome"]].values
    frame.to_csv(folder / "table.csv", index=False)
    frame.assign(outcome=frame["rows"] * 2 + 1).to_csv(folder / "amounts.csv", index=False)
    pictures = rng.integers(0, 256, (40, 12, 12), dtype=np.uint8)
    np.savez(folder / "cells.npz", X=pictures, y=np.where(np.arange(40) % 4, "well", "ill"))
    series = np.cumsum(rng.normal(size=(40, 20)), axis=1)
    lines = ("\t".join([str(place % 2), *map(str, one)]) for place, one in enumerate(series))
    (folder / "beats_TRAIN.tsv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in Chinese."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("RAREBIRD_LANG", "zh")

    def command(*words: object) -> Done:
        done = rarebird(capsys, monkeypatch, *words)
        assert done.code == 0, done.err
        return done

    return command


SHORT = ("--steps", "4", "--set", "folds=2")
COMMANDS = {
    "table": ("fit", "table.csv", "--target", "outcome", *SHORT),
    "numbers": ("fit", "amounts.csv", "--target", "outcome", *SHORT),
    "pictures": ("fit", "cells.npz", *SHORT, "--set", "network=linear"),
    "series": ("fit", "beats_TRAIN.tsv", *SHORT, "--set", "network=linear"),
    "compare": ("compare", "table.csv", "--target", "outcome", "--remedies", "focal", "--steps", "3", "--folds", "2"),
    "label-issues": ("label-issues", "table.csv", "--target", "outcome", *SHORT),
    "preview": ("preview", "cells.npz", "--set", "augmentation=[mixup]", "--rows", "2"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_english_is_left(name: str, run: Command, home: Path) -> None:
    done = run(*COMMANDS[name], "--out", home / name)
    pages = sorted((home / name).glob("*.html"))
    assert pages
    left = {page.name: english_on(page.read_text(encoding="utf-8"), NAMES) for page in pages}
    assert not any(left.values()), left
    # Tables of figures have the names of metrics and settings, which are the same in each language.
    sentences = [line for line in done.out.splitlines() if not re.match(r"\s{2,}\S", line)]
    assert not english_in("\n".join(sentences), NAMES)


def test_the_page_says_its_language_and_keeps_names_and_the_recipe(run: Command, home: Path) -> None:
    run(*COMMANDS["table"], "--out", home / "again")
    page = (home / "again" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert ">rows</bdi>" in page or "rows" in page
    recipe = (home / "again" / "recipe.toml").read_text(encoding="utf-8")
    assert 'kind = "table"' in recipe
    assert recipe.splitlines()[0] in page.replace("&#34;", '"')
    # What machines read is English.
    assert "样本" not in (home / "again" / "result.json").read_text(encoding="utf-8")
