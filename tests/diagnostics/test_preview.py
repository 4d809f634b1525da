"""`rarebird preview`: training rows before and after, for every kind, the same for the same seed, and nothing of the
test rows."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.diagnostics import preview
from rarebird.recipe.recipe import Recipe
from rarebird.report.pages import preview as preview_page
from tests.command_line import Done, rarebird
from tests.runs.owning import owning


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A skewed table with categories, gaps and a label that is no markup."""
    rng = np.random.default_rng(0)
    y = rng.random(120) < 0.2
    frame = pd.DataFrame(
        {"身高": rng.normal(170 + 8 * y, 6).round(1), "城市": rng.choice(["北京", "<b>上海</b>"], 120)}
    )
    frame["gaps"] = np.where(np.arange(120) % 3 == 0, np.nan, rng.normal(1e6, 1e5, 120))
    frame["target"] = np.where(y, "<i>稀有</i>", "常見")
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def preview_of(data: Path, *arguments: object) -> tuple[Done, str]:
        done = rarebird(capsys, monkeypatch, "preview", data, "--out", tmp_path / "out", "--force", *arguments)
        page = tmp_path / "out" / "preview.html"
        return done, page.read_text(encoding="utf-8") if page.exists() else ""

    return preview_of


def page_of(recipe: Recipe, splits: Splits, folder: Path, **counts: int) -> str:
    with owning(folder / "out", preview.FILES) as out:
        return preview.write(recipe, splits, out, **counts).read_text(encoding="utf-8")


def data(kind: Any, n: int = 40) -> Splits:
    """Rows of a kind, in two classes of different size, with test rows."""
    rng = np.random.default_rng(1)
    y = (np.arange(n) % 4 == 0).astype(np.int64)
    source: Any = Pixels(rng.integers(0, 256, (n, 3, 12, 12), dtype=np.uint8))
    if kind == "series":
        source = Curves(rng.normal(size=(n, 2, 30)).astype(np.float32), np.where(np.arange(n) % 2, 30, 20))
    if kind == "table":
        source = Frame(
            pd.DataFrame(
                {"x": rng.normal(size=n), "when": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(n) % 9, "D")}
            )
        )
    train = Dataset(
        kind,
        "classification",
        source,
        np.arange(n),
        y,
        ("common", "rare"),
        np.array([f"row-{place}" for place in range(n)]),
    )
    return Splits(train.take(np.arange(n - 8)), None, train.take(np.arange(n - 8, n)))


def test_a_table_shows_its_cells_and_marks_the_changed_ones(table: Path, run: Any) -> None:
    done, page = run(table, "--set", "augmentation=[cell_noise]", "--rows", "4", "--views", "2")
    assert done.code == 0, done.err
    assert done.out.strip().endswith("preview.html")
    lines = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    originals = [line for line in lines if 'class="original"' in line]
    augmented = [line for line in lines if "augmented" in line]
    assert (len(originals), len(augmented)) == (4, 8)
    assert not any('class="changed"' in line for line in originals)
    frame = pd.read_csv(table)
    for place, line in enumerate(originals):
        texts = re.findall(r"<td[^>]*>([^<]*)</td>", line)
        given = frame.iloc[int(re.findall(r"<th>(\d+)</th>", line)[0]) - 1]
        assert texts[0] == str(given["身高"])
        for other in augmented[2 * place : 2 * place + 2]:
            changed = re.findall(r'<td class="changed"[^>]*>([^<]*)</td>', other)
            # The numbers that are known, and they alone; in the column's own unit, and near what they were.
            assert len(changed) == 1 + (texts[2] != "–")
            assert abs(float(changed[0]) - given["身高"]) < 5
            assert texts[2] == "–" or abs(float(changed[1]) / given["gaps"] - 1) < 0.1
    assert "&lt;i&gt;稀有&lt;/i&gt;" in page
    assert "<b>上海" not in page


def test_mixing_shows_the_soft_target(table: Path, run: Any) -> None:
    _, page = run(table, "--set", "augmentation=[{name=mixup, alpha=5}]")
    soft = re.findall(r'<span class="target changed"><bdi>(\d+) % (\S+) \+ (\d+) % (\S+)</bdi>', page)
    assert soft
    assert all(
        int(first) + int(second) == 100 and {one, other} == {"常見", "&lt;i&gt;稀有&lt;/i&gt;"}
        for first, one, second, other in soft
    )


def test_resampling_shows_counts_and_rows_of_every_fate(table: Path, run: Any) -> None:
    done, page = run(
        table,
        "--set",
        "resampling={name=imbalanced_learn, sampler=SMOTETomek}",
        "--set",
        "augmentation=[]",
        "--rows",
        "3",
    )
    assert done.code == 0, done.err
    assert 'id="augmentation"' not in page
    assert "made from" in page
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Rows that stay", "New rows", "Rows that are taken out"]
    rare, more, common, fewer = (int(number) for number in re.findall(r'<td class="number">(\d+)</td>', page))
    new, gone = (int(re.findall(rf"(\d+) {fate}", page)[0]) for fate in ("new", "taken out"))
    assert rare + common + new - gone == more + fewer
    assert rare < fewer < common


def test_the_same_seed_draws_the_same_page(table: Path, run: Any) -> None:
    arguments = ("--set", "augmentation=[cell_noise,mixup]")
    first, again, other = (run(table, *arguments, "--seed", seed)[1] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_pictures_are_part_of_the_page_and_the_original_is_as_it_was(tmp_path: Path) -> None:
    recipe = Recipe(kind="image", network="cnn", augmentation=[{"name": "horizontal_flip", "p": 1.0}])
    splits = data("image")
    page = page_of(recipe, splits, tmp_path, rows=3, views=2)
    found = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]
    assert len(pictures) == 9
    names = re.findall(r'title="row-(\d+)"', page)
    for place, name in enumerate(names):
        original = splits.train.raw()[int(name)].transpose(1, 2, 0)
        assert np.array_equal(pictures[3 * place], original)
        assert np.array_equal(pictures[3 * place + 1], original[:, ::-1])


def test_curves_end_where_the_series_does(tmp_path: Path) -> None:
    recipe = Recipe(kind="series", network="inception_time", augmentation=["jitter"])
    page = page_of(recipe, data("series"), tmp_path, rows=4, views=1)
    curves = re.findall(r'<svg class="curve".*?</svg>', page)
    assert len(curves) == 8
    for original, augmented in zip(curves[::2], curves[1::2], strict=True):
        drawn = [len(points.split()) for points in re.findall(r'points="([^"]*)"', original)]
        assert drawn in ([20, 20], [30, 30])
        lines = re.findall(r'class="([^"]*)" points="([^"]*)"', augmented)
        assert [name for name, _ in lines] == ["behind", "behind", "series-0", "series-1"]
        assert lines[0][1] != lines[2][1]


def test_the_page_loads_nothing_and_holds_no_script(tmp_path: Path) -> None:
    recipe = Recipe(kind="image", network="cnn", augmentation=["noise"])
    page = page_of(recipe, data("image"), tmp_path)
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:image/png|#)', page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("kind", ["image", "series", "table"])
def test_test_rows_are_never_shown(kind: Any, tmp_path: Path) -> None:
    splits = data(kind)
    network = {"image": "cnn", "series": "inception_time", "table": "mlp"}[kind]
    page = page_of(Recipe(kind=kind, network=network, augmentation=["mixup"]), splits, tmp_path, rows=100)
    shown = set(re.findall(r"row-\d+", page))
    assert shown == set(splits.train.ids)


def test_every_class_has_its_turn() -> None:
    train = data("table", n=200).train
    drawn = preview.chosen(train, 8, np.random.default_rng(0))
    assert drawn.class_counts is not None
    assert drawn.class_counts.tolist() == [4, 4]
    alone = train.take(np.append(np.flatnonzero(train.codes == 0), np.flatnonzero(train.codes == 1)[:1]))
    few = preview.chosen(alone, 8, np.random.default_rng(0))
    assert few.class_counts is not None
    assert few.class_counts.tolist() == [7, 1]


def test_augmentation_of_features_is_named_and_left_out(tmp_path: Path) -> None:
    recipe = Recipe(kind="table", network="mlp", augmentation=["feature_smote", "cell_noise"])
    page = page_of(recipe, data("table"), tmp_path)
    assert "&#39;feature_smote&#39; changes features inside the network" in page
    assert "<li><code>feature_smote" not in page


def test_nothing_to_show_is_a_sentence(table: Path, run: Any, tmp_path: Path) -> None:
    done, page = run(table, "--set", "augmentation=[]")
    assert (done.code, page) == (2, "")
    assert "no augmentation and no resampling to show" in done.err
    done, _ = run(table, "--set", "augmentation=[mixupp]")
    assert done.code == 2
    assert "did you mean 'mixup'" in done.err


def test_odd_channels_and_long_curves_are_drawn() -> None:
    flat = preview_page.picture(np.stack([np.zeros((4, 4)), np.ones((4, 4))]))
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(flat.partition(",")[2]))))[0, 0] == 128
    long = preview_page.curve(np.sin(np.linspace(0, 9, 5000))[None], -1.0, 1.0)
    points = re.findall(r'points="([^"]*)"', long)[0].split()
    assert len(points) == preview_page.MOST_POINTS
    assert points[-1].startswith("200.0,")
    assert 'points="0.0,80.0"' in preview_page.curve(np.zeros((1, 1)), 0.0, 0.0)
