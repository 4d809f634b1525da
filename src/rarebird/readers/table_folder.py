"""Folders of tables: which of the files are training, validation and test rows, or parts of one table."""

from __future__ import annotations

from pathlib import Path

from rarebird.core.checks import DataError, some
from rarebird.readers import compressed, folder_layout, json_rows, parquet_file, worksheet

TEXT = (".csv", ".tsv", ".txt")
# What is called train.json beside pictures describes these.
_SUFFIXES = (*TEXT, *parquet_file.SUFFIXES, *json_rows.LINES, *worksheet.SUFFIXES)
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def parts_in(folder: Path) -> dict[str, Path]:
    """Part -> the table in a folder that is called so, such as Train.csv or train.csv.gz; without training rows there
    are no parts."""
    tables = {(compressed.stem(file).lower(), compressed.suffix(file)): file for file in reversed(_tables(folder))}
    found = {}
    for part, names in _PARTS.items():
        wanted = ((name, suffix) for name in names for suffix in _SUFFIXES)
        file = next((tables[name] for name in wanted if name in tables), None)
        if file is not None:
            found[part] = file
    if "train" in found:
        return found
    return _parts_in_folders(folder) if folder_layout.folders(folder) else _worded_parts(list(tables.values()))


def _parts_in_folders(folder: Path) -> dict[str, Path]:
    """Part -> the folder that is called so, such as train or train.parquet, where each holds one table and no
    picture."""
    named = {compressed.stem(child).lower(): child for child in folder_layout.folders(folder)}
    found = {
        part: named[name]
        for part, names in _PARTS.items()
        for name in reversed(names)
        if name in named and not folder_layout.has_pictures(named[name]) and single_table(named[name]) is not None
    }
    return found if "train" in found and len(found) > 1 else {}


def _worded_parts(tables: list[Path]) -> dict[str, Path]:
    """Part -> the table whose name has such a word, as adult_train.csv and adult_test.csv; empty unless each table is
    another part and one holds training rows."""
    parts = {folder_layout.part_of(compressed.stem(file)): file for file in tables}
    whole = len(parts) == len(tables) > 1 and "train" in parts
    return {part: parts[part] for part in _PARTS if part in parts} if whole and None not in parts else {}


def single_table(folder: Path) -> Path | None:
    """What a folder without parts holds as one table: itself, if Parquet files are all that it holds, or its only table
    of text; None if it may be a folder of pictures or holds nothing.

    Raises:
        DataError: It holds several tables of text, and nothing tells which are training rows.
    """
    if _is_parquet(folder):
        return folder
    children = [child for child in folder.iterdir() if not child.name.startswith((".", "_"))]
    tables = [table for table in _tables(folder) if compressed.suffix(table) in (".csv", ".tsv")]
    if not tables or any(child.is_dir() for child in children):
        return None
    if len(tables) > 1:
        raise DataError(
            f"{folder} holds {len(tables)} tables ({some(table.name for table in tables)}); give one of them, or call "
            "them train.csv and test.csv."
        )
    return tables[0]


def _tables(folder: Path) -> list[Path]:
    visible = (file for file in folder.iterdir() if folder_layout.is_visible(file.name))
    return sorted(file for file in visible if compressed.suffix(file) in _SUFFIXES and file.is_file())


def _is_parquet(folder: Path) -> bool:
    """Whether a folder is a data set of Parquet files: it has some itself, or in folders named ``column=value``."""
    if any(compressed.suffix(file) in parquet_file.SUFFIXES for file in _tables(folder)):
        return True
    named = (child for child in folder.iterdir() if child.is_dir() and "=" in child.name)
    return any(parquet_file.files_in(child) for child in named)
