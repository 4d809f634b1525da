"""Compressed files of text -> their content, as far as it fits into the free memory: gzip, bzip2, xz, Zstandard, and
zip archives of one file.

The first bytes of a file tell how it is compressed, not its name: what is called data.csv.gz was often unpacked on its
way, and a server may send gzip under the name data.csv.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rarebird.core.checks import DataError, some
from rarebird.core.memory import require_memory

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_BLOCK = 1 << 22  # bytes that are unpacked between two looks at the free memory
_WORKBOOK = "xl/workbook.xml"


def suffix(path: Path) -> str:
    """The suffix of what a file holds, in lower case.

    >>> suffix(Path("Data.CSV.gz")), suffix(Path("data.zip")), suffix(Path("data.csv"))
    ('.csv', '.zip', '.csv')
    """
    last = path.suffix.lower()
    return (Path(path.stem).suffix.lower() or last) if last in SUFFIXES else last


def stem(path: Path) -> str:
    """The name of a file without its suffixes.

    >>> stem(Path("data.csv.gz")), stem(Path("data.v2.csv"))
    ('data', 'data.v2')
    """
    return Path(path.stem).stem if path.suffix.lower() in SUFFIXES and Path(path.stem).suffix else path.stem


def content(path: Path, expansion: float) -> bytes:
    """All bytes of a file, unpacked.

    Args:
        path: A file, compressed or not.
        expansion: How many times its bytes are needed while they are read; as soon as so much is not free, nothing
            more is unpacked, whatever sizes the file declares.

    Raises:
        DataError: It does not fit into the memory, is damaged, or is an archive of several files.
    """

    def require(size: int) -> None:
        require_memory(expansion * size, f"The text of {path}", "split it, or save it as Parquet")

    require(path.stat().st_size)
    found = bytearray()
    with _opened(path) as file:
        while block := file.read(_BLOCK):
            found += block
            require(len(found))
    return bytes(found)


def beginning(path: Path, most: int) -> bytes:
    """The first bytes of a file, unpacked: at most so many, fewer only where the file ends.

    Raises:
        DataError: As for `content`.
    """
    found = b""
    with _opened(path) as file:
        while len(found) < most and (block := file.read(most - len(found))):
            found += block
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file whose bytes come unpacked.

    Raises:
        DataError: Its compressed content is damaged.
    """
    with path.open("rb") as file:
        start = file.read(10)
        unpack = next((unpack for mark, unpack in _FORMATS if mark.match(start)), None)
        if unpack is None or (unpack is _member and path.suffix.lower() != ".zip" and not zipfile.is_zipfile(file)):
            file.seek(0)
            yield file
            return
        file.seek(0)
        try:
            with unpack(file, path) as unpacked:
                yield unpacked
        except (EOFError, OSError, ValueError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
            if isinstance(error, DataError):
                raise
            said = str(error).partition("\n")[0].rstrip(".")
            raise DataError(f"{path} cannot be unpacked ({said}); compress the table again.") from error


def _zstandard(file: BinaryIO, path: Path) -> BinaryIO:
    import pyarrow as pa

    found: BinaryIO = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    return found


def _member(file: BinaryIO, path: Path) -> BinaryIO:
    """The only file of a zip archive; programs add hidden ones and folders."""
    archive = zipfile.ZipFile(file)
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if _WORKBOOK in names:
        raise DataError(f"{path} is an Excel workbook, despite its name; call it {path.stem}.xlsx.")
    shown = [name for name in names if not name.startswith(("__MACOSX/", ".")) and "/." not in name]
    if len(shown) != 1:
        held = some(shown) if shown else "no file"
        raise DataError(f"{path} is an archive that holds {held}; unpack it, and give what is inside.")
    found: BinaryIO = archive.open(shown[0])  # type: ignore[assignment]
    return found


def _gzip(file: BinaryIO, path: Path) -> BinaryIO:
    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def _bzip2(file: BinaryIO, path: Path) -> BinaryIO:
    return bz2.BZ2File(file)  # type: ignore[return-value]


def _xz(file: BinaryIO, path: Path) -> BinaryIO:
    return lzma.LZMAFile(file)  # type: ignore[return-value]


# The first bytes of a file -> what unpacks it.
_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, Path], BinaryIO]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), _gzip),
    (re.compile(rb"BZh[1-9]1AY&SY", re.DOTALL), _bzip2),
    (re.compile(rb"\xfd7zXZ\x00"), _xz),
    (re.compile(rb"\x28\xb5\x2f\xfd"), _zstandard),
    (re.compile(rb"PK\x03\x04"), _member),
)
