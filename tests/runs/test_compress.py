"""`compress` and `merge` from a user's chair: folders in, a smaller model out, one sentence for what cannot be done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarebird.compression import distillation, sequence
from rarebird.model.model import load
from rarebird.model.onnx_network import OnnxNetwork
from tests.command_line import Done, rarebird

pytestmark = pytest.mark.xdist_group("onnx")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compress")
    rng = np.random.default_rng(0)
    y = np.arange(240) % 4 == 0
    frame = pd.DataFrame({"a": rng.normal(size=240) + 2 * y, "b": rng.normal(size=240)})
    frame.assign(target=np.where(y, "ill", "well")).to_csv(folder / "table.csv", index=False)
    frame[:120].assign(target=np.where(y[:120], "ill", "well")).to_csv(folder / "other.csv", index=False)
    frame.assign(target=np.where(y, "sick", "well")).to_csv(folder / "renamed.csv", index=False)
    return folder


@pytest.fixture
def run_command(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(home)

    def run(*words: object) -> Done:
        return rarebird(capsys, monkeypatch, *words)

    if not (home / "run").exists():
        network = ["--set", "network={name=mlp,width=16,depth=1}", "--set", "holdout=0.3", "--set", "folds=0"]
        assert run("fit", "table.csv", "--out", "run", "--steps", 30, *network).code == 0
        folds = ["--set", "network={name=linear}", "--set", "folds=2", "--set", "same_start=true"]
        assert run("fit", "table.csv", "--out", "folds", "--steps", 30, *folds).code == 0
    return run


def test_all_steps_in_a_row_give_a_model_that_predicts(run_command, home: Path) -> None:  # type: ignore[no-untyped-def]
    steps = ["--steps", "distill,prune,quantize", "--training-steps", 30, "--max-recall-drop", 0.3]
    done = run_command("compress", "run", "--data", "table.csv", *steps, "--out", "small", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found == json.loads((home / "small" / "compression.json").read_text(encoding="utf-8"))
    page = (home / "small" / "compression.html").read_text(encoding="utf-8")
    for step in found["steps"]:
        assert f"{step['bytes']:,}" in page
        assert all(
            f"{cost['difference']:+.3f} [{cost['low']:+.3f}" in page for cost in step["per_class"] if cost["rows"]
        )
    assert [one["step"] for one in found["steps"]] == ["original", "distill", "prune", "quantize"]
    bytes_of = [one["bytes"] for one in found["steps"]]
    assert bytes_of[2] < bytes_of[1]
    parameters = [one["parameters"] for one in found["steps"]]
    assert parameters[2] < parameters[1]
    for one in found["steps"][1:]:
        assert {row["label"] for row in one["per_class"]} == {"ill", "well"}
        for row in one["per_class"] + one["per_class_held_out"]:
            assert row["low"] <= row["difference"] <= row["high"]
            assert row["gained"] - row["lost"] == pytest.approx(row["difference"] * row["rows"])
        assert {row["label"] for row in one["explanations"]} == {"ill", "well"}
        # One of two columns decides, so that both networks have about the same reasons.
        assert sum(row["rows"] * row["correlation"] for row in one["explanations"]) > 0
    assert found["steps"][0]["explanations"] == []
    assert len({(entry["threads"], entry["batch"]) for entry in found["steps"][0]["latency"]}) >= 2
    assert run_command("predict", "small", "table.csv", "--out", "p.csv").code == 0
    assert "network" in (home / "small" / "model" / "model.json").read_text(encoding="utf-8")


def test_a_step_that_breaks_the_floor_is_not_taken(run_command, home: Path) -> None:  # type: ignore[no-untyped-def]
    words = ["--steps", "prune,quantize", "--share", 0.95, "--training-steps", 1, "--max-recall-drop", 0]
    done = run_command("compress", "run", "--data", "table.csv", *words, "--out", "floor", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    last = found["steps"][-1]
    broken = [row["lost"] - row["gained"] > 1 for row in last["per_class_held_out"]]
    assert last["kept"] == (not any(broken))
    assert found["chosen"] == [one["step"] for one in found["steps"] if one["kept"]][-1]
    load(home / "floor")


def test_int8_below_the_floor_is_trained_further(run_command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Static int8 is tried first, and a quantization-aware training where it does not keep the floor, or if asked."""
    asked = iter([False])
    monkeypatch.setattr(sequence, "keeps_floor", lambda costs, most_drop: next(asked, True))
    for words in ([], ["--int8", "aware"]):
        words = ["--steps", "quantize", "--training-steps", 10, "--max-recall-drop", 0.9, *words]
        done = run_command("compress", "run", "--data", "table.csv", *words, "--out", "aware", "--json", "--force")
        assert done.code == 0, done.err
        last = json.loads(done.out)["steps"][-1]
        assert last["note"] == "The networks were trained further with rounded layers."
        assert last["kept"]
        assert isinstance(load(home / "aware").members[0].network, OnnxNetwork)


def test_zeros_are_in_the_saved_file(run_command, home: Path) -> None:  # type: ignore[no-untyped-def]
    words = ["--steps", "prune", "--prune", "weights", "--share", 0.8, "--training-steps", 5, "--max-recall-drop", 0.9]
    done = run_command("compress", "run", "--data", "table.csv", *words, "--out", "zeros", "--json")
    assert done.code == 0, done.err
    weights = [one for one in load(home / "zeros").members[0].network.parameters() if one.ndim == 2]
    assert all(int((one == 0).sum()) >= int(0.8 * one.numel()) for one in weights)


def test_the_networks_of_a_cross_fit_are_merged(run_command, home: Path) -> None:  # type: ignore[no-untyped-def]
    done = run_command("merge", "folds", "--data", "table.csv", "--out", "merged", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert len(load(home / "merged").members) == 1
    assert found["losses"][found["way"]] == min(found["losses"].values())
    assert found["merged"]["bytes"] < found["networks_together"]["bytes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compress", "run"], "--data"),
        (["compress", "run", "--data", "table.csv", "--steps", "shrink"], "no step 'shrink'"),
        (["compress", "run", "--data", "table.csv", "--steps", "quantize,prune"], "in the order"),
        (["compress", "run", "--data", "table.csv", "--share", "1"], "--share"),
        (["compress", "run", "--data", "other.csv"], "other rows than those"),
        (["compress", "folds", "--data", "other.csv", "--steps", "prune"], "channels of this network"),
        (["compress", "trees", "--data", "other.csv", "--steps", "prune,quantize"], "no float32 weights to prune"),
        (["compress", "folds", "--data", "table.csv", "--steps", "distill,prune"], "channels of this network"),
        (["compress", "run", "--data", "renamed.csv"], "sick"),
        (["compress", "run", "--data", "table.csv", "--precision", "int4"], "int4"),
        (["compress", "run", "--data", "table.csv", "--steps", "distill", "--standardize"], "leave out --standardize"),
        (["compress", "run", "--data", "table.csv", "--steps", "prune", "--unlabeled", "table.csv"], "step distill"),
        (["compress", "run", "--data", "table.csv", "--steps", "prune", "--synthesis", "vae"], "step distill"),
        (["compress", "run", "--data", "table.csv", "--synthesis", "mixtur"], "no --synthesis 'mixtur'"),
        (["compress", "nothing", "--data", "table.csv"], "holds no rarebird model"),
        (["compress", "cut", "--data", "table.csv"], "no model that can be read"),
        (["export", "run", "--format", "tflite"], "tflite"),
        (["export", "run", "--out", "model.pt"], "ends with .onnx"),
        (["export", "cut", "--out", "model.onnx"], "no model that can be read"),
        (["merge", "run", "folds", "--data", "table.csv"], "different networks"),
        (["merge", "run", "--data", "table.csv"], "two networks or more"),
        (["merge", "folds"], "--data"),
        (["merge", "folds", "--data", "table.csv", "--way", "fisher"], "fisher"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(  # type: ignore[no-untyped-def]
    run_command, home: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any work: a step that a network does not allow is refused before data are read or a student is trained."""
    monkeypatch.setattr(distillation, "train_student", lambda *given: pytest.fail("a student was trained"))
    if words[1] == "trees" and not (home / "trees").exists():
        assert (
            run_command("fit", "table.csv", "--out", "trees", "--steps", 5, "--set", "reference=boosted_trees").code
            == 0
        )
    if not (home / "cut").exists():
        shutil.copytree(home / "run" / "model", home / "cut")
        weights = home / "cut" / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    before = set(home.iterdir())
    done = run_command(*words)
    assert done.code == 2, done.out
    assert message in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert set(home.iterdir()) - before <= {home / "runs"}
