"""Bad input, as a user would type it: each case gives one sentence, exit code 2, and no half-written output."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import rarebird

Case = Callable[[Path], list[object]]


def csv(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def good(folder: Path, name: str = "data.csv", labels: tuple[str, ...] = ("a", "b")) -> Path:
    lines = [f"{i}.5,{(i * 7) % 11},{labels[i % len(labels)]}" for i in range(40)]
    return csv(folder, "x,z,target\n" + "\n".join(lines) + "\n", name)


def pictures(folder: Path, classes: int = 2, each: int = 3) -> Path:
    root = folder / "pictures"
    rng = np.random.default_rng(0)
    for code in range(classes):
        (root / f"class{code}").mkdir(parents=True)
        for i in range(each):
            Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(root / f"class{code}" / f"{i}.png")
    return root


def empty_folder(folder: Path) -> list[object]:
    (folder / "empty").mkdir()
    return [folder / "empty"]


def broken_pictures(folder: Path) -> list[object]:
    root = folder / "pictures"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    return [root]


def bomb(folder: Path) -> list[object]:
    """Two pictures whose headers claim 60,000 x 60,000 pixels."""
    root = folder / "pictures"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND\xaeB`\x82")
    return [root]


def pickled(folder: Path) -> list[object]:
    path = folder / "data.npz"
    np.savez(path, X=np.array([{"a": 1}, None], dtype=object), y=np.array([0, 1]))
    return [path]


def text_as_npz(folder: Path) -> list[object]:
    return [csv(folder, "hello\n", "data.npz")]


def not_a_run(folder: Path) -> list[object]:
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("three years of work", encoding="utf-8")
    return [good(folder), "--out", folder / "out"]


def unseen_class(folder: Path) -> list[object]:
    return [good(folder), "--test", good(folder, "test.csv", ("a", "b", "purple"))]


def rows_of_another_target(folder: Path) -> list[object]:
    """The same rows, which are copies and would leave before anyone looks at their labels."""
    labels = tuple(f"{number}.5" for number in range(40))
    return [good(folder), "--test", good(folder, "test.csv", labels)]


CASES: dict[str, tuple[Case, list[str]]] = {
    "missing path": (lambda folder: [folder / "nowhere.csv"], ["nowhere.csv"]),
    "empty folder": (empty_folder, ["empty", "picture"]),
    "one class only": (lambda folder: [csv(folder, "x,target\n" + "1,a\n2,a\n3,a\n")], ["one class", "'a'"]),
    "one class of pictures": (lambda folder: [pictures(folder, classes=1)], ["one class"]),
    "broken pictures": (broken_pictures, ["broken.jpg"]),
    "picture bomb": (bomb, ["huge.png"]),
    "no target column": (lambda folder: [csv(folder, "x,outcome\n1,a\n2,b\n")], ["--target", "outcome"]),
    "wrong target name": (lambda folder: [good(folder), "--target", "tarjet"], ["'tarjet'", "'target'"]),
    "target all missing": (lambda folder: [csv(folder, "x,target\n1,\n2,\n3,NA\n")], ["target", "missing"]),
    "text named npz": (text_as_npz, ["data.npz"]),
    "pickled npz": (pickled, ["data.npz", "pickle"]),
    "rows of unequal width": (lambda folder: [csv(folder, "x,z,target\n1,2,a\n1,2,3,b\n1,2,a\n")], ["3"]),
    "infinities": (lambda folder: [csv(folder, "x,target\n1,a\ninf,b\n3,a\n4,b\n")], ["'x'", "infinite"]),
    "multi-label target": (
        lambda folder: [csv(folder, 'x,target\n1,"[1, 0]"\n2,"[1, 1]"\n3,"[0, 1]"\n')],
        ["multi-label"],
    ),
    "class unseen in training": (unseen_class, ["'purple'", "training"]),
    "test rows of another target": (rows_of_another_target, ["'0.5'", "which no training row has"]),
    "unknown set key": (lambda folder: [good(folder), "--set", "los=focal"], ["'los'", "'loss'"]),
    "unknown method": (lambda folder: [good(folder), "--set", "loss=focall"], ["'focall'", "'focal'"]),
    "unknown setting": (
        lambda folder: [good(folder), "--set", "loss=focal", "--set", "loss.gama=2"],
        ["'gama'", "'gamma'"],
    ),
    "setting out of range": (
        lambda folder: [good(folder), "--set", "loss=focal", "--set", "loss.gamma=-1"],
        ["gamma", ">= 0", "-1"],
    ),
    "method of another kind": (lambda folder: [good(folder), "--set", "network=resnet"], ["'resnet'", "table"]),
    "budget of 0": (lambda folder: [good(folder), "--budget", "0"], ["'0'"]),
    "budget of nonsense": (lambda folder: [good(folder), "--budget", "soon"], ["'soon'"]),
    "output is not a run": (not_a_run, ["not a run", "--out"]),
    "unknown metric": (lambda folder: [good(folder), "--metric", "acuracy"], ["'acuracy'", "accuracy"]),
    "unknown positive": (lambda folder: [good(folder), "--positive", "c"], ["'c'", "a"]),
    "unknown kind": (lambda folder: [good(folder), "--kind", "tabel"], ["'tabel'", "'table'"]),
    "a recipe that is no TOML": (
        lambda folder: [good(folder), "--recipe", csv(folder, "loss = = 3", "recipe.toml")],
        ["TOML"],
    ),
    "no such recipe": (lambda folder: [good(folder), "--recipe", folder / "none.toml"], ["none.toml"]),
    "unknown option": (lambda folder: [good(folder), "--bugdet", "5m"], ["--bugdet"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case, words = CASES[name]
    arguments = case(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = rarebird(
        capsys, monkeypatch, "fit", *arguments, *([] if "--out" in arguments else ["--out", tmp_path / "run"])
    )
    assert done.code == 2, done.err
    assert done.out == ""
    for word in words:
        assert word in done.err
    assert "Traceback" not in done.err
    if name != "unknown option":  # this message is the option parser's own, with a usage line
        assert len(done.err.strip().splitlines()) == 1
        assert done.err.startswith("rarebird: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_broken_picture_among_good_ones_is_named_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pictures(tmp_path, each=12)
    (root / "class0" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    done = rarebird(capsys, monkeypatch, "profile", root)
    assert done.code == 0, done.err
    assert "torn.jpg" in done.out
    assert "1 " in next(line for line in done.out.splitlines() if "torn.jpg" in line)


@pytest.mark.parametrize("content", ["nothing", "no json", "foreign json", "no weights", "pickle"])
def test_a_broken_or_foreign_model_is_refused(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    model = tmp_path / "model"
    model.mkdir()
    if content == "no json":
        (model / "model.json").write_text("{", encoding="utf-8")
    if content in ("foreign json", "pickle"):
        (model / "model.json").write_text('{"format": "other", "network": "os.system"}', encoding="utf-8")
    if content == "pickle":
        (model / "weights.safetensors").write_bytes(pickle.dumps({"a": 1}))
    done = rarebird(capsys, monkeypatch, "predict", model, good(tmp_path))
    assert done.code == 2, done.err
    assert str(model) in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_name_of_thousands_of_letters_does_not_fill_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = rarebird(capsys, monkeypatch, "profile", csv(tmp_path, f"x,{'a' * 5000}\n1,2\n3,4\n"))
    assert done.code == 2
    assert len(done.err) < 1000
    assert "--target" in done.err
