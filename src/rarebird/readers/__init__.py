"""A path -> Dataset, by the reader for its type. A reader is imported only when a path needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Kind, Pixels, Splits
from rarebird.data.time_order import gap_of
from rarebird.readers import compressed, delimited, folder_layout, json_rows, parquet_file, table_folder, worksheet
from rarebird.readers.boundary import boundary
from rarebird.readers.options import ReadOptions
from rarebird.readers.pictures import is_picture
from rarebird.readers.targets import WithoutTarget

SUPPORTED = "a folder with one folder per class, .csv, .tsv, .txt, .xlsx, .json, .parquet, .ts or .npz"
TEXT = table_folder.TEXT
_TABLES = (*parquet_file.SUFFIXES, *json_rows.SUFFIXES, *worksheet.SUFFIXES)
_GIVE = f"give {SUPPORTED}"
_UNPACK = "unpack it, and give what is inside"
_SAVE_TABLE = "save the table as Parquet or CSV, and give that file"
_HINTS = {
    **dict.fromkeys((*compressed.SUFFIXES, ".tgz", ".7z", ".rar", ".tar"), _UNPACK),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), worksheet.SAVE),
    **dict.fromkeys((".feather", ".arrow", ".ipc", ".orc", ".avro", ".h5", ".hdf5"), _SAVE_TABLE),
    ".npy": "save X and y together with numpy.savez, and give that .npz",
    **dict.fromkeys(
        (".dta", ".sav", ".rds", ".rdata", ".sas7bdat", ".pkl", ".pickle", ".arff", ".db", ".sqlite", ".mat", ".xml"),
        _SAVE_TABLE,
    ),
}
# Names that programs give to delimited text.
_TEXT_TOO = (".tab", ".psv", ".dat", ".data")


def read(path: Path, options: ReadOptions) -> Splits:
    """Read a data set; the type of the path decides how, and `options.kind` overrides the guess.

    Args:
        path: A folder with one folder per class, or with ``train.csv`` and perhaps ``val.csv`` and ``test.csv``, or
            with Parquet files that are one table; a table; series; an archive of arrays; or a table of ``path,label``
            that lists pictures.
        options: Further information for the reader.

    Raises:
        DataError: There is nothing at the path, no reader for it, or it cannot be read for any reason.
    """
    with boundary(Path(path)):
        splits = _read(Path(path), options)
    if options.gap is None or options.role != ReadOptions.role:  # only training rows are split
        return splits
    if splits.train.time is None:
        raise DataError("--gap needs rows with a time; give the column with --time.")
    return replace(splits, train=replace(splits.train, gap=gap_of(options.gap, splits.train.time)))


def read_scored(path: Path, options: ReadOptions) -> tuple[Splits | None, list[str]]:
    """Validation or test rows beside training rows; None and a note if they have no target, so that no model can be
    scored by them.

    Raises:
        DataError: As for `read`.
    """
    try:
        return read(path, options), []
    except WithoutTarget:
        return None, [
            f"The {options.role} of {path} have no target, so they cannot be scored and are left out; "
            "`rarebird predict` predicts them."
        ]


def _read(path: Path, options: ReadOptions) -> Splits:
    """`read`, without what the options say of splits."""
    if path.is_dir():
        return _folder(path, options)
    kind, suffix = options.kind, compressed.suffix(path)
    suffix = ".txt" if suffix in _TEXT_TOO else suffix
    if is_picture(path):
        return _picture(path, options)
    if suffix == ".npz":
        from rarebird.readers import npz

        return npz.read(path, options)
    if suffix not in (*TEXT, *_TABLES, ".ts"):
        todo = _HINTS.get(suffix, f"call it {path.stem}.csv if it is delimited text, or {_GIVE}")
        raise DataError(f"{path} is of an unknown type ({suffix or 'no suffix'}); {todo}.")
    kind = kind or _guess(path, suffix, options)
    supported = {"image": TEXT, "table": (*TEXT, *_TABLES), "series": (*TEXT, ".ts")}[kind]
    if suffix not in supported:
        raise DataError(
            f"{path} cannot be read as data of kind {kind!r}; give {', '.join(supported)} or .npz, or another --kind."
        )
    if kind == "image":
        from rarebird.readers import picture_lists

        return picture_lists.read(path, options)
    if kind == "table":
        from rarebird.readers import table

        return table.read(path, options)
    from rarebird.readers import series

    splits = series.read(path, options)
    return replace(splits, notes=(*splits.notes, *_unused_test_file(path, options)))


def _picture(path: Path, options: ReadOptions) -> Splits:
    """A single picture: one row to predict; it cannot be learned from."""
    if options.labelled:
        raise DataError(f"{path} is a single picture; give a folder with one folder of pictures per class.")
    from rarebird.readers import image_folder

    return image_folder.read(path, options)


def _guess(path: Path, suffix: str, options: ReadOptions) -> Kind:
    """The kind of a file: series in UCR's layout have a first line of numbers; a list of pictures names files."""
    if suffix == ".ts":
        return "series"
    if suffix in _TABLES:
        return "table"
    from rarebird.readers import picture_lists

    beginning = delimited.beginning(path, picture_lists.BEGINNING)
    named_ucr = compressed.stem(path).upper().endswith(("_TRAIN", "_TEST"))
    if (suffix != ".csv" or named_ucr) and delimited.is_label_and_numbers(
        beginning.lstrip().partition("\n")[0], any_label=named_ucr
    ):
        return "series"
    return "image" if picture_lists.lists_pictures(path, beginning, options) else "table"


def _folder(path: Path, options: ReadOptions) -> Splits:
    """A folder of pictures, or of tables called train, val and test, or a table in several Parquet files."""
    pictures = (path / "train").is_dir() and folder_layout.has_pictures(path / "train")
    parts = {} if pictures else table_folder.parts_in(path)
    if parts:
        return _parts(parts, options)
    if options.kind in (None, "table") and (single := table_folder.single_table(path)) is not None:
        from rarebird.readers import table

        return table.read(single, options) if single == path else _read(single, options)
    from rarebird.readers import image_folder

    if options.kind not in (None, "image"):
        raise DataError(
            f"{path} is a folder, which can hold pictures (or train.csv and test.csv, or Parquet files); "
            f"give a file for data of kind {options.kind!r}."
        )
    return image_folder.read(path, options)


def _parts(parts: dict[str, Path], options: ReadOptions) -> Splits:
    """Tables of training, validation and test rows."""
    first = read(parts["train"], options)
    notes = [*_notes_on_parts(parts), *first.notes]
    like = replace(options, task=first.train.task, kind=first.train.kind, schema=first.train.known_schema)
    if isinstance(first.train.source, Pixels):
        channels, height, width = first.train.source.array.shape[1:]
        like = replace(like, image_shape=(channels, height, width))

    def other(part: str, role: str) -> Dataset | None:
        if part not in parts:
            return None
        # Where a model is asked to score the folder, its training rows do not take the place of the test rows.
        own = replace(like, role=role)
        splits, note = (
            read_scored(parts[part], own) if options.role == ReadOptions.role else (read(parts[part], own), [])
        )
        notes.extend(note for note in (*(splits.notes if splits else ()), *note) if note not in notes)
        return None if splits is None else splits.train.aligned(first.train.classes)

    return Splits(first.train, val=other("val", "validation rows"), test=other("test", "test rows"), notes=tuple(notes))


def _notes_on_parts(parts: dict[str, Path]) -> list[str]:
    """A note where the names of files are not simply those of the parts."""
    if compressed.stem(parts["train"]).lower() in ("train", "training"):
        return []
    words = {"train": "training", "val": "validation", "test": "test"}
    listed = ", ".join(f"{file.name} ({words[part]} rows)" for part, file in parts.items())
    return [f"{parts['train'].parent} is read as a split: {listed}."]


def _unused_test_file(path: Path, options: ReadOptions) -> list[str]:
    """A note on the archive's own test file, which is used only on request."""
    test = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    asked = options.role != "training rows" or options.has_test
    if "_TRAIN" not in path.name or asked or not test.is_file():
        return []
    return [f"{test.name} is in the same folder as {path.name}, but is used only if it is given with --test."]
