"""Cards lie beside every model that a command writes, and follow what is done to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.core.clock import Clock
from rarebird.model.files import CARDS, DATA_CARD, MODEL_CARD
from rarebird.model.model import load
from rarebird.runs import cards as run_cards
from rarebird.runs import folder as run_folder
from rarebird.runs.cards import changed_cards
from rarebird.runs.decide import decide
from rarebird.runs.export import export
from rarebird.runs.fit_recipe import fit_recipe
from rarebird.runs.request import Request


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    rng = np.random.default_rng(0)
    y = rng.random(120) < 0.3
    table = pd.DataFrame({"a": rng.normal(2.0 * y), "b": rng.normal(size=120), "target": np.where(y, "ill", "well")})
    table.to_csv(folder / "rows.csv", index=False)
    request = Request(folder / "rows.csv", folder / "run", settings=("network=linear", "folds=2"), steps=4)
    fit_recipe(request, Clock(None))
    return folder


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_run_and_its_model_have_both_cards(home: Path) -> None:
    for name in CARDS:
        assert name in run_folder.FILES
        assert text_of(home / "run" / name) == text_of(home / "run" / "model" / name)
    assert "# Data card: rows" in text_of(home / "run" / DATA_CARD)


def test_a_model_that_is_saved_again_keeps_its_cards(home: Path, tmp_path: Path) -> None:
    load(home / "run").save(tmp_path / "again")
    assert text_of(tmp_path / "again" / MODEL_CARD) == text_of(home / "run" / MODEL_CARD)


def test_another_decision_rewrites_the_model_card(home: Path) -> None:
    before = text_of(home / "run" / MODEL_CARD)
    decide(home / "run", ["decision=argmax"], "accuracy")
    after = text_of(home / "run" / MODEL_CARD)
    assert "| chosen for | balanced_accuracy |" in before
    assert "| chosen for | accuracy |" in after
    assert text_of(home / "run" / "model" / MODEL_CARD) == after


def test_an_export_has_its_card(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    done = export(home / "run", tmp_path / "small.onnx", home / "rows.csv")
    text = text_of(tmp_path / "small.md")
    assert done.for_machines()["card"] == str(tmp_path / "small.md")
    assert "## What was changed" in text
    assert f"{done.size:,} bytes" in text
    assert "# Model card: rows" in text
    assert "# Data card: rows" in text


def test_the_card_of_a_changed_model_says_so_first() -> None:
    before = {MODEL_CARD: "# Model card: x\n\n## Model\n\nfigures\n"}
    changed = changed_cards(before, "It was made smaller.", "recall .5")
    lines = changed[MODEL_CARD].splitlines()
    assert lines[:3] == ["# Model card: x", "", "## What was changed"]
    assert changed[MODEL_CARD].index("recall .5") < changed[MODEL_CARD].index("figures")
    assert "has no card" in changed_cards({}, "It was made smaller.", "recall .5")[MODEL_CARD]


def test_a_card_that_cannot_be_made_costs_nothing_else(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> str:
        raise IndexError("index 0 is out of bounds")

    monkeypatch.setattr(run_cards, "data_card", broken)
    request = Request(home / "rows.csv", tmp_path / "run", settings=("network=linear", "folds=2"), steps=2)
    result = fit_recipe(request, Clock(None)).result
    assert [note for note in result.notes if "card" in note and "IndexError" in note]
    assert load(tmp_path / "run").classes == ("ill", "well")
    assert not (tmp_path / "run" / MODEL_CARD).exists()
