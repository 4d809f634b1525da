"""A path -> Dataset, by the reader for its type. A reader is imported only when a path needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.data.dataset import Dataset, Kind, Pixels, Splits
from rarebird.data.time_order import gap_of
from rarebird.readers import delimited
from rarebird.readers.boundary import boundary
from rarebird.readers.options import ReadOptions
from rarebird.readers.pictures import is_picture

SUPPORTED = "a folder with one folder per class, .csv, .tsv, .txt, .parquet, .ts or .npz"
TEXT = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}


def read(path: Path, options: ReadOptions) -> Splits:
    """Read a data set; the type of the path decides how, and `options.kind` overrides the guess.

    Args:
        path: A folder with one folder per class (or with ``train.csv`` and perhaps ``val.csv`` and ``test.csv``); a
            table; series; an archive of arrays; or a table of ``path,label`` that lists pictures.
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


def _read(path: Path, options: ReadOptions) -> Splits:
    """`read`, without what the options say of splits."""
    if path.is_dir():
        return _folder(path, options)
    kind, suffix = options.kind, path.suffix.lower()
    if is_picture(path):
        return _picture(path, options)
    if suffix == ".npz":
        from rarebird.readers import npz

        return npz.read(path, options)
    if suffix not in (*TEXT, *_PARQUET, ".ts"):
        raise DataError(f"{path} is of an unknown type ({suffix or 'no suffix'}); give {SUPPORTED}.")
    kind = kind or _guess(path, suffix, options)
    supported = {"image": TEXT, "table": (*TEXT, *_PARQUET), "series": (*TEXT, ".ts")}[kind]
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
    if suffix in _PARQUET:
        return "table"
    from rarebird.readers import picture_lists

    beginning = delimited.decode(path)[0][: picture_lists.BEGINNING]
    named_ucr = path.stem.upper().endswith(("_TRAIN", "_TEST"))
    if (suffix != ".csv" or named_ucr) and delimited.is_label_and_numbers(beginning.lstrip().partition("\n")[0]):
        return "series"
    return "image" if picture_lists.lists_pictures(path, beginning, options) else "table"


def _folder(path: Path, options: ReadOptions) -> Splits:
    """A folder of pictures, or of tables called train, val and test."""
    parts = {part: _named(path, names) for part, names in _PARTS.items()}
    train = parts["train"]
    if train is None or (path / "train").is_dir():
        from rarebird.readers import image_folder

        if options.kind not in (None, "image"):
            raise DataError(
                f"{path} is a folder, which can hold pictures (or train.csv and test.csv); "
                f"give a file for data of kind {options.kind!r}."
            )
        return image_folder.read(path, options)
    first = read(train, options)
    notes = list(first.notes)
    like = replace(options, task=first.train.task, kind=first.train.kind, schema=first.train.known_schema)
    if isinstance(first.train.source, Pixels):
        channels, height, width = first.train.source.array.shape[1:]
        like = replace(like, image_shape=(channels, height, width))

    def other(part: str, role: str) -> Dataset | None:
        file = parts[part]
        if file is None:
            return None
        splits = read(file, replace(like, role=role))
        notes.extend(note for note in splits.notes if note not in notes)
        return splits.train.aligned(first.train.classes)

    return Splits(first.train, val=other("val", "validation rows"), test=other("test", "test rows"), notes=tuple(notes))


def _named(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The table in `folder` with one of the names."""
    return next(
        (file for name in names for suffix in (*TEXT, *_PARQUET) if (file := folder / (name + suffix)).is_file()), None
    )


def _unused_test_file(path: Path, options: ReadOptions) -> list[str]:
    """A note on the archive's own test file, which is used only on request."""
    test = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    if "_TRAIN" not in path.name or options.role != "training rows" or not test.is_file():
        return []
    return [f"{test.name} is in the same folder as {path.name}, but is used only if it is given with --test."]
