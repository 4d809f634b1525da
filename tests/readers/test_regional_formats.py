"""A typed frame, written as people of many regions write it, reads back as the same frame; and a model that was trained
on one file predicts the same on all others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rarebird.data.dataset import Dataset, Splits
from rarebird.data.schema import Schema
from rarebird.experiment.run import run
from rarebird.readers import table
from rarebird.readers.options import ReadOptions
from rarebird.recipe.recipe import Recipe

ROWS = 40
GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August"]
GERMAN += ["September", "Oktober", "November", "Dezember"]
MONTHS = {"%d. %B %Y": GERMAN}


@dataclass(frozen=True)
class Region:
    """How a region writes tables.

    Attributes:
        decimal, thousands: Marks in numbers; thousands may be empty.
        unit: Before (``$``) or after (``%``, `` €``) amounts.
        minus: The sign of negative numbers.
        date: Format of dates.
        truths: Yes and no.
        missing: What a missing cell holds.
        encoding, delimiter: Of the file.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    minus: str = "-"
    date: str = "%Y-%m-%d"
    truths: tuple[str, str] = ("True", "False")
    missing: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","

    def number(self, value: float, decimals: int) -> str:
        text = f"{abs(value):,.{decimals}f}".replace(",", "T").replace(".", self.decimal).replace("T", self.thousands)
        sign = self.minus if value < 0 else ""
        return sign + (self.unit + text if self.unit == "$" else text + self.unit)

    def day(self, value: pd.Timestamp) -> str:
        if (names := MONTHS.get(self.date)) is None:
            return value.strftime(self.date)
        return value.strftime(self.date.replace("%B", names[value.month - 1]).replace("%b", names[value.month - 1]))

    def cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame as text cells; a Parquet file may hold such cells, too."""
        write: dict[str, Callable[[Any], str]] = {
            "amount": lambda value: self.number(value, 2),
            "count": lambda value: self.number(value, 0),
            "smoker": lambda value: self.truths[0 if value else 1],
            "visit": self.day,
            "town": str,
        }
        return pd.DataFrame(
            {
                name: [self.missing if pd.isna(value) else write[name](value) for value in column]
                for name, column in frame.items()
            }
        )


REGIONS = {
    "plain": Region(),
    "german": Region(",", ".", " €", "-", "%d.%m.%Y", ("ja", "nein"), "k.A.", "cp1252", ";"),
    "german dates": Region(",", "", "", "-", "%d. %B %Y", ("Ja", "Nein"), "unbekannt", "utf-8-sig", ";"),
    "french": Region(",", "\u202f", "", "\u2212", "%d/%m/%Y", ("oui", "non"), "n.d.", "utf-8", "\t"),
    "american": Region(".", ",", "$", "-", "%m/%d/%Y", ("yes", "no"), "N/A", "utf-8", ","),
    "swiss": Region(".", "'", "", "-", "%d.%m.%y", ("VRAI", "FAUX"), "*", "utf-16", "|"),
    "indian": Region(".", "", "%", "-", "%d-%m-%Y", ("Y", "N"), "#DIV/0!", "utf-8", ","),
    "chinese": Region(".", "", "", "\u2212", "%Y年%m月%d日", ("是", "否"), "未知", "gb18030", ","),
    "sas": Region(".", "", "", "-", "%d %b %Y", ("1", "0"), ".", "utf-8", ","),
}


def made(seed: int, missing: bool = True) -> pd.DataFrame:
    """Rows of each type; the class depends on two of the columns."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": np.round(rng.normal(0, 4000, ROWS), 2),
            "count": rng.integers(0, 9000, ROWS),
            "smoker": rng.random(ROWS) < 0.5,
            "visit": pd.Timestamp(2023, 1, 1) + pd.to_timedelta(rng.integers(0, 364, ROWS), unit="D"),
            "town": rng.choice(["Köln", "Besançon", "Bonn"], ROWS),
        }
    )
    frame.loc[0, "smoker"], frame.loc[1, "smoker"] = True, False
    if missing:
        frame = frame.astype({"count": float, "smoker": object})
        for name, row in zip(frame, (5, 6, 7, 8, 9), strict=True):
            frame.loc[row, name] = None
    return frame


def write(folder: Path, region: Region, frame: pd.DataFrame, parquet: bool) -> Path:
    cells = region.cells(frame)
    if region.encoding == "gb18030":  # which has other letters of these towns than its readers expect among words
        cells["town"] = cells["town"].replace({"Köln": "科隆", "Besançon": "贝桑松"})
    target = np.where((frame["amount"].fillna(0) > 0) & (frame["town"] == "Bonn"), "ill", "well")
    target[:2] = "ill", "well"
    whole = cells.assign(target=target)
    path = folder / f"rows.{'parquet' if parquet else 'csv'}"
    if parquet:
        whole.to_parquet(path, index=False)
    else:
        path.write_bytes(whole.to_csv(index=False, sep=region.delimiter).encode(region.encoding))
    return path


def read(path: Path, schema: Schema | None = None) -> Dataset:
    return table.read(path, ReadOptions(schema=schema)).train


def same(found: pd.DataFrame, frame: pd.DataFrame, region: Region) -> None:
    expected = frame.copy()
    if region.encoding == "gb18030":
        expected["town"] = expected["town"].replace({"Köln": "科隆", "Besançon": "贝桑松"})
    if region.truths == ("1", "0"):
        expected["smoker"] = expected["smoker"].astype(float)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    for name in frame:
        kinds = {found[name].dtype.kind, expected[name].dtype.kind}
        assert len(kinds) == 1 or kinds <= {"i", "f", "O"}, name


@pytest.mark.parametrize("parquet", [False, True], ids=["csv", "parquet"])
@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_each_region_reads_back(region: Region, parquet: bool, tmp_path: Path) -> None:
    for seed, missing in ((0, True), (1, False)):
        frame = made(seed, missing)
        same(read(write(tmp_path, region, frame, parquet)).raw(), frame, region)


FREE = st.builds(
    Region,
    decimal=st.just("."),
    thousands=st.sampled_from(["", ",", " ", "\u00a0", "'"]),
    unit=st.sampled_from(["", "$", "%", " €", " USD"]),
    minus=st.sampled_from(["-", "\u2212"]),
    date=st.sampled_from(
        ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%y", "%d-%b-%Y", "%B %d, %Y"]
    ),
    truths=st.sampled_from([("True", "False"), ("yes", "no"), ("Y", "N"), ("t", "f"), ("ja", "nein"), ("да", "нет")]),
    missing=st.sampled_from(["", "NA", ".", "?", "-", "*", "unknown", "n/a", "#DIV/0!", "Not Available", "null"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
MIRRORED = {"": "", ",": ".", " ": " ", "\u00a0": "\u00a0", "'": "'"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(region=FREE, seed=st.integers(0, 1000), comma=st.booleans(), parquet=st.booleans())
def test_any_region_reads_back(region: Region, seed: int, comma: bool, parquet: bool, tmp_path: Path) -> None:
    if comma:
        region = Region(**{**region.__dict__, "decimal": ",", "thousands": MIRRORED[region.thousands]})
    frame = made(seed, missing=bool(seed % 2))
    same(read(write(tmp_path, region, frame, parquet)).raw(), frame, region)


LEARNED = ("plain", "german", "american", "sas")
# A Chinese file has other towns, and 1 and 0 are read as yes and no only after training has seen these.
OTHERS = [name for name in REGIONS if name != "chinese"]


@pytest.mark.parametrize("learned", LEARNED)
def test_a_model_of_one_file_predicts_the_same_on_all_others(learned: str, tmp_path: Path) -> None:
    frame, new = made(2), made(3)
    train = read(write(tmp_path, REGIONS[learned], frame, parquet=False))
    recipe = Recipe(kind="table", network="mlp", steps=3, folds=2)
    model = run(recipe, Splits(train), test_share=0).model
    predicted = {}
    for name, parquet in itertools.product(OTHERS, (False, True)):
        rows = read(write(tmp_path, REGIONS[name], new, parquet), model.row_schema)
        assert rows.reading is not None
        assert not rows.reading.unseen
        predicted[name, parquet] = model.outputs(rows)
    first = predicted["plain", False]
    for outputs in predicted.values():
        np.testing.assert_array_equal(outputs, first)
