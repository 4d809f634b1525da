"""An object in a file that many processes of one machine map: its arrays are in memory once, however many processes
read them."""

from __future__ import annotations

import io
import mmap
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# Arrays begin at multiples of this many bytes, which fits every type and the processor's cache lines.
ALIGNMENT = 64


def write(path: Path, value: Any) -> None:
    """Write a value: its arrays one after another, and all else, with the arrays' positions, into ``PATH.index``.

    An array that is already mapped from a file is not copied: readers map that file, too.
    """
    arrays: list[pickle.PickleBuffer] = []
    head = io.BytesIO()
    _ByReference(head, protocol=5, buffer_callback=arrays.append).dump(value)
    places = []
    with path.open("wb") as file:
        for array in arrays:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            raw = array.raw()
            places.append((file.tell(), raw.nbytes))
            file.write(raw)
        if not file.tell():
            file.write(b"\0")  # an empty file cannot be mapped
    path.with_suffix(".index").write_bytes(pickle.dumps((head.getvalue(), places)))


def read(path: Path) -> Any:
    """The value, its arrays mapped; a change to an array is seen by this process alone.

    Unpickling runs code from the file, so the file must be one that this program wrote, in a folder that only its user
    can enter.
    """
    head, places = pickle.loads(path.with_suffix(".index").read_bytes())
    with path.open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    return pickle.loads(head, buffers=[mapped[start : start + size] for start, size in places])


class _ByReference(pickle.Pickler):
    """Pickles a memory-mapped array as the name of its file."""

    def reducer_override(self, value: Any) -> Any:
        """As `pickle.Pickler` defines it."""
        import numpy as np

        # A view of a part of the file has another array as its base, and is copied like any other array.
        if (
            type(value) is np.memmap
            and isinstance(getattr(value, "base", None), mmap.mmap)
            and value.filename is not None
        ):
            return _mapped, (
                str(value.filename),
                value.dtype.str,
                value.offset,
                value.shape,
                "F" if value.flags.fnc else "C",
            )
        return NotImplemented


def _mapped(filename: str, dtype: str, offset: int, shape: tuple[int, ...], order: Any) -> np.ndarray:
    import numpy as np

    return np.memmap(filename, dtype=dtype, mode="c", offset=offset, shape=shape, order=order)
