"""Small valid files of every format, which `fuzz.py` changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Kind -> the unchanged file or folder.
FILES = {
    "csv": "table.csv",
    "csv-gz": "table.csv.gz",
    "json": "records.json",
    "jsonl": "lines.jsonl",
    "xlsx": "table.xlsx",
    "parquet": "table.parquet",
    "npz": "arrays.npz",
    "npz-images": "images.npz",
    "ts": "series.ts",
    "ucr": "series_TRAIN.tsv",
    "pictures": "pictures",
    "model-table": "model-table",
    "model-image": "model-image",
    "model-series": "model-series",
    "rows": "table.csv",
}
# Kind of model -> rows that it predicts.
ROWS = {"model-table": "table.csv", "model-image": "pictures", "model-series": "series.ts"}
FORMATS = ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm")


def make(folder: Path) -> None:
    """Write all of them into a folder."""
    rng = np.random.default_rng(0)
    _tables(folder, rng)
    _arrays(folder, rng)
    _series(folder, rng)
    _pictures(folder / FILES["pictures"], rng)
    _models(folder)


def _tables(folder: Path, rng: np.random.Generator, n: int = 40) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "income": rng.normal(3e4, 1e4, n).round(2),
            "city": rng.choice(["Rome", "Oslo", "Köln"], n),
            "member": rng.choice([True, False], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "target": rng.choice(["yes", "no"], n),
        }
    )
    frame.loc[::7, "income"] = np.nan
    frame.to_csv(folder / FILES["csv"], index=False)
    frame.to_csv(folder / FILES["csv-gz"], index=False)
    frame.to_json(folder / FILES["json"], orient="records", date_format="iso")
    frame.to_json(folder / FILES["jsonl"], orient="records", date_format="iso", lines=True)
    frame.to_excel(folder / FILES["xlsx"], index=False)
    frame.to_parquet(folder / FILES["parquet"], index=False, compression="none")


def _arrays(folder: Path, rng: np.random.Generator) -> None:
    np.savez(folder / FILES["npz"], X=rng.normal(size=(20, 4)), y=rng.integers(0, 2, 20))
    images = {
        f"{part}_{what}": rng.integers(0, 255, (12, 8, 8), dtype=np.uint8) if what == "images" else np.arange(12) % 2
        for part in ("train", "val", "test")
        for what in ("images", "labels")
    }
    np.savez(folder / FILES["npz-images"], **images)


def _series(folder: Path, rng: np.random.Generator) -> None:
    values = np.char.mod("%.3f", rng.normal(size=(12, 2, 16)))
    head = "@problemName p\n@timestamps false\n@dimensions 2\n@classLabel true a b\n@data\n"
    lines = [":".join([",".join(one), ",".join(two), "ab"[row % 2]]) for row, (one, two) in enumerate(values)]
    (folder / FILES["ts"]).write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    ucr = ["\t".join([str(row % 2), *one]) for row, (one, _) in enumerate(values)]
    (folder / FILES["ucr"]).write_text("\n".join(ucr) + "\n", encoding="utf-8")


def _pictures(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for suffix in FORMATS:
            pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{suffix}.{suffix}")
    pixels = rng.integers(0, 255, (12, 12, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "cat" / "clear.png")


def _models(folder: Path) -> None:
    """An ensemble for a table with a network, boosted trees and a forest; small networks for the other kinds."""
    from rarebird import readers
    from rarebird.experiment.run import run
    from rarebird.readers.options import ReadOptions
    from rarebird.recipe.ensemble import Ensemble
    from rarebird.recipe.recipe import Recipe

    common = {"steps": 3, "folds": 2, "threads": 1}
    small = {"kind": "table", "network": {"name": "mlp", "width": 8, "depth": 1}, **common}
    table = [Recipe(**small), *(Recipe(**small, reference=name) for name in ("boosted_trees", "extra_trees"))]
    recipes = {
        "model-table": Ensemble.of([(1.0, recipe) for recipe in table], ("temperature",)),
        "model-image": Recipe(kind="image", network={"name": "resnet", "width": 4}, **common),
        "model-series": Recipe(kind="series", network={"name": "inception_time", "depth": 1, "width": 2}, **common),
    }
    for name, recipe in recipes.items():
        data = readers.read(folder / ROWS[name], ReadOptions())
        run(recipe, data, device="cpu").model.save(folder / name)
