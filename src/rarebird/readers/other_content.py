"""Text files that hold something else than their name says: one sentence in place of a table of nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rarebird.core.checks import DataError

_BEGINNING = 1_000
_FEWEST_WORDS = 3


# The first bytes of formats that are no text -> what such a file is, and its suffix.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", ".parquet"),
    (b"ARROW1", "an Arrow file", ".arrow"),
    (b"ORC", "an ORC file", ".orc"),
    (b"\x93NUMPY", "a NumPy array", ".npy"),
    (b"%PDF-", "a PDF document", ".pdf"),
    (b"{\\rtf", "a text document", ".rtf"),
    (b"\x89HDF", "an HDF5 file", ".h5"),
    (b"SQLite format 3", "a SQLite database", ".db"),
    (b"\x1f\x8b\x08", "a compressed file within a compressed one", ""),
    (b"\x89PNG", "a picture", ".png"),
    (b"\xff\xd8\xff", "a picture", ".jpg"),
    (b"GIF8", "a picture", ".gif"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", ".xls"),
)
_READ = (".parquet", ".png", ".jpg", ".gif")


def refuse_binary(raw: bytes, path: Path) -> None:
    """Refuse bytes of a format that is no text, by their beginning.

    Raises:
        DataError: It is another format.
    """
    for start, what, suffix in _SIGNATURES:
        # A column may be called PAR1; only these two formats begin as texts do.
        binary = start in (b"%PDF-", b"{\\rtf") or b"\0" in raw[:_BEGINNING]
        if binary and raw.startswith(start) and path.suffix.lower() != suffix:
            todo = f"call it {path.stem}{suffix}" if suffix in _READ else "save the table as CSV, and give that file"
            raise DataError(f"{path} is {what}, despite its name; {todo}.")


def refuse_other_content(text: str, path: Path) -> None:
    """Refuse a text that is no table, by its first letters.

    Raises:
        DataError: It is a web page, a pointer of Git LFS, or JSON.
    """
    start = text[:_BEGINNING].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html")):
        raise DataError(f"{path} is a web page, despite its name; download the file itself.")
    if start.startswith("version https://git-lfs.github.com"):
        raise DataError(f"{path} is a pointer of Git LFS; fetch the file itself with `git lfs pull`.")
    if start.startswith(("[{", '{"')):
        raise DataError(f"{path} holds JSON, despite its name; call it {path.stem}.json.")


def refuse_blanks(names: Sequence[str], rows: Sequence[Sequence[str]], path: Path) -> None:
    """Refuse a table whose cells are separated by blanks, and so would be one column.

    Args:
        names: The column names.
        rows: The cells of the first rows.
        path: For the message.

    Raises:
        DataError: There is one column, and its rows have as many words as its name has, with numbers among them.
    """
    words = [row[0].split() for row in rows if len(row) == 1]
    width = len(names[0].split())
    if len(names) > 1 or width < _FEWEST_WORDS or len(words) < len(rows) or not rows:
        return
    numbers = any(word.replace(".", "").lstrip("+-").isdigit() for row in words for word in row)
    if numbers and all(len(row) == width for row in words):
        raise DataError(
            f"The cells of {path} are separated by blanks ({names[0]!r} would be one column); separate them by commas, "
            "tabs, semicolons or bars."
        )
