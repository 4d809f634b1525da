"""`--external` as a user types it: fit, its report, its replay, compare, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.automl import command
from rarebird.core.clock import Clock
from rarebird.runs.request import Request
from tests.automl.test_command import few  # noqa: F401  (a fixture)
from tests.command_line import rarebird

pytestmark = pytest.mark.xdist_group("external rows")
FAST = ["--steps", "20", "--set", "folds=2", "--threads", "1", "--quiet"]


def write(path: Path, n: int, seed: int, **changes: object) -> Path:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    frame = pd.DataFrame({"age": rng.normal(50 + 8 * y, 8), "dose": rng.lognormal(0.8 * y, 0.5)})
    frame["city"] = rng.choice(["a", "b"], n)
    frame["target"] = np.where(y, "rare", "common")
    frame.assign(**changes).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("external")
    found = {name: write(folder / f"{name}.csv", 160, seed) for seed, name in enumerate(("own", "test", "other"))}
    ages = pd.read_csv(found["other"])["age"]
    found["months"] = write(folder / "months.csv", 160, 2, age=ages * 12)
    return found


def test_rows_of_another_source_join_are_reported_and_the_recorded_recipe_repeats_the_run(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [files["own"], "--test", files["test"], "--external", files["other"]]
    done = rarebird(capsys, monkeypatch, "fit", *data, "--out", tmp_path / "run", *FAST, "--json")
    assert done.code == 0, done.err
    external = json.loads(done.out)["external"]
    assert external["used"] is True
    assert external["sources"][0]["joined"] > 100
    assert [one["label"] for one in external["sources"][0]["classes"]] == ["common", "rare"]
    assert set(external["shift"]) == {"other"}
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Rows of other sources" in page
    recipe = tmp_path / "run" / "recipe.toml"
    assert 'name = "outside_rows"' in recipe.read_text(encoding="utf-8")

    again = rarebird(capsys, monkeypatch, "fit", *data, "--recipe", recipe, "--out", tmp_path / "again", "--quiet")
    assert again.code == 0, again.err
    weights = [(tmp_path / run / "model" / "weights.safetensors").read_bytes() for run in ("run", "again")]
    assert weights[0] == weights[1]

    without = ["fit", files["own"], "--recipe", recipe, "--out", tmp_path / "alone", "--quiet"]
    alone = rarebird(capsys, monkeypatch, *without)
    assert alone.code == 2
    assert "none are given; give them with --external" in alone.err
    other = [files["own"], "--test", files["test"], "--external", files["test"], "--recipe", recipe]
    done = rarebird(capsys, monkeypatch, "fit", *other, "--out", tmp_path / "other", "--quiet")
    assert done.code == 0, done.err
    assert "not those with which the recipe was recorded" in done.out


def test_a_source_in_another_unit_is_named_and_changes_nothing(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, more in (("alone", []), ("months", ["--external", files["months"]])):
        given = ["fit", files["own"], "--test", files["test"], *more, "--out", tmp_path / name, *FAST, "--json"]
        done = rarebird(capsys, monkeypatch, *given)
        assert done.code == 0, done.err
        found.append(json.loads(done.out))
    assert found[0]["metrics"] == found[1]["metrics"]
    assert "column 'age' seems to have another unit" in " ".join(found[1]["notes"])
    assert found[0]["external"] is None


def test_compare_judges_external_rows_as_a_remedy(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--steps", "5", "--folds", "2", "--repeats", "1", "--quiet"]
    given = ["compare", files["own"], "--remedies", "external", "--external", files["other"], *small]
    done = rarebird(capsys, monkeypatch, *given, "--out", tmp_path / "compare", "--json")
    assert done.code == 0, done.err
    assert list(json.loads(done.out)["remedies"]) == ["external=outside_rows"]
    done = rarebird(capsys, monkeypatch, "compare", files["own"], "--remedies", "external", *small)
    assert done.code == 2
    assert "give them with --external" in done.err


def test_a_search_trains_without_and_with_the_rows_and_says_what_held_out_rows_say(
    files: dict[str, Path],
    tmp_path: Path,
    few: None,  # noqa: F811
) -> None:
    request = Request(
        files["own"],
        tmp_path / "run",
        test=files["test"],
        external=(files["other"],),
        settings=("folds=2", "threads=1"),
    )
    found = command.fit(request, Clock()).result
    names = [row.name for row in found.tried]
    assert any(name.endswith(", external rows") for name in names)
    assert any(not name.endswith(", external rows") for name in names)
    assert found.external is not None
    assert found.external.sources[0].joined > 100
    effect = found.external.effect
    assert effect is not None
    assert effect.low < effect.difference < effect.high
