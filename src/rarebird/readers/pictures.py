"""One picture file: its header, its working size, and its pixels at that size."""

from __future__ import annotations

import stat
import statistics
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.memory import require_memory
from rarebird.readers.options import ReadOptions

if TYPE_CHECKING:
    from PIL import Image

Shape = tuple[int, int, int]
"""Channels, height, width."""

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm")
)
# Listed, because Pillow would otherwise try every format whatever the suffix, also those that start other programs
# (EPS). JPEG covers MPO.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "GIF", "WEBP", "PPM")
MAX_PIXELS = 178_956_970
"""A picture with more pixels is refused before it is decoded; this is the limit at which Pillow itself raises."""
MAX_SIDE, MIN_SIDE = 96, 8
"""Limits of the shorter working side, if it is chosen by the pictures' own sizes."""
STRIP_PIXELS = 2**20
"""Pixels of a transparent picture that are put on white at a time."""
PIXEL_MEMORY, LARGE_PIXELS = 16, 2**24
"""Bytes that a pixel takes at most while its picture is decoded; a picture with more pixels is decoded alone."""
_alone = threading.Lock()
_SAME_RATIO = 1.1
_SAMPLED_PER_FOLDER = 16
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Header:
    """Facts from a picture's header, without decoding it.

    Attributes:
        path: The file.
        width, height: Sides in pixels, after the EXIF orientation.
        gray: Whether the file's mode has no color.
        deep: Whether it has more than 8 bits per pixel and channel. 16-bit color is read with 8 bits, as by Pillow.
    """

    path: Path
    width: int
    height: int
    gray: bool
    deep: bool


def is_picture(path: Path) -> bool:
    """Whether the file's suffix, in upper or lower case, is that of a picture."""
    return path.suffix.lower() in SUFFIXES


def header(path: Path) -> Header:
    """The header of one file; broken files raise what Pillow raises."""
    with _opened(path) as image:
        width, height = image.size[::-1] if _orientation(image) >= 5 else image.size
        deep = image.mode.startswith("I")
        return Header(path, width, height, deep or image.mode in ("1", "L", "LA", "La"), deep)


def working_shape(heads: Sequence[Header], options: ReadOptions) -> Shape:
    """Channels, height and width at which the pictures are kept.

    `options.image_shape` overrides everything. The shorter side is `options.image_size`, or the median of the pictures'
    shorter sides, at least 8 and at most `options.largest_side` (None: 96). Pictures whose aspect ratios agree within
    10 % keep their ratio; others become squares. There is one channel if all are gray (color files are sampled, up to
    16 from each folder, so that rare classes are included), otherwise three.

    Args:
        heads: At least one header; training pictures only.
        options: `image_shape`, `image_size` and `largest_side` are used.
    """
    if options.image_shape is not None:
        return options.image_shape
    shorter = statistics.median(min(head.width, head.height) for head in heads)
    side = options.image_size or int(min(max(shorter, MIN_SIDE), options.largest_side or MAX_SIDE))
    ratios = [head.width / head.height for head in heads]
    ratio = statistics.median(ratios) if max(ratios) <= _SAME_RATIO * min(ratios) else 1.0
    channels = 1 if _colorless([head.path for head in heads if not head.gray]) else 3
    return (channels, *sides(side, ratio))


def sides(shorter: int, ratio: float) -> tuple[int, int]:
    """Height and width for a shorter side in pixels and a ratio of width to height."""
    return (shorter, round(shorter * ratio)) if ratio >= 1 else (round(shorter / ratio), shorter)


def decode_one(path: Path, shape: Shape, *, deep: bool = False) -> np.ndarray:
    """One picture, turned upright, with a white background behind transparent parts.

    Returns:
        ``(channels, height, width)`` uint8, or float32 in 0..1 if `deep`.

    Raises:
        DataError: It has more than `MAX_PIXELS` pixels, or floating-point ones. Broken files raise what Pillow raises.
    """
    with _opened(path) as image:
        if image.format in ("JPEG", "MPO"):
            # A JPEG is decoded at a half, a quarter or an eighth of its size if that is still twice the working size,
            # in both orientations.
            image.draft("L" if shape[0] == 1 else None, (2 * max(shape[1:]), 2 * max(shape[1:])))
        pixels = image.width * image.height
        require_memory(PIXEL_MEMORY * pixels, f"its {pixels:,} pixels", "shrink it")
        with _alone if pixels > LARGE_PIXELS else nullcontext():
            image.load()
            return resized(_upright(image), shape, deep)


def resized(image: Image.Image, shape: Shape, deep: bool) -> np.ndarray:
    """A loaded picture as ``(channels, height, width)``: antialiased if it shrinks, unchanged if it has that size."""
    from PIL import Image

    channels, height, width = shape
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float32) / 65535
        if values.min() < 0 or values.max() > 1:
            raise DataError("holds values beyond 16 bits")
        # Pillow resizes 32-bit floats with full precision, which its 16-bit modes lack.
        image = Image.fromarray(values if deep else values * 255)
    elif image.mode != "F":
        image = _opaque(image).convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.asarray(image)
    if deep:
        pixels = pixels if pixels.dtype == np.float32 else pixels.astype(np.float32) / 255
    elif pixels.dtype != np.uint8:
        pixels = np.rint(pixels).astype(np.uint8)
    return np.broadcast_to(pixels, shape) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _opaque(image: Image.Image) -> Image.Image:
    """The picture as a viewer shows it: on white where it is transparent."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    # In strips: whole layers would take several times the memory of a large picture.
    opaque = Image.new("RGB", image.size)
    step = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, step):
        layer = image.crop((0, top, image.width, min(top + step, image.height))).convert("RGBA")
        opaque.paste(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"), (0, top))
    return opaque


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An open picture whose size and mode are supported; nothing is decoded yet."""
    from PIL import Image

    state = path.stat()
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        raise DataError("not a file")  # but a pipe or a device, which may have no end
    if state.st_size == 0:
        raise DataError("the file is empty")
    with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if image.mode == "F":
            raise DataError("holds floating-point pixels; save it with 8 or 16 bits")
        yield image


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 5 and above swap the sides. Pillow itself turns TIFF, and would decode a whole PNG to find
    the orientation."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    with suppress(Exception):  # a picture with a damaged EXIF block is still readable
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _upright(image: Image.Image) -> Image.Image:
    """The picture, turned and flipped by its EXIF orientation."""
    from PIL.Image import Transpose

    turns = (
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    )
    orientation = _orientation(image)
    return image.transpose(turns[orientation - 2]) if 2 <= orientation <= 8 else image


def _colorless(files: Sequence[Path]) -> bool:
    """Whether a sample of color files, up to 16 from each folder, has equal channels (within 2 of 255, for JPEG's
    rounding)."""
    sampled: Counter[Path] = Counter()
    with quiet():
        for path in files:
            sampled[path.parent] += 1
            if sampled[path.parent] <= _SAMPLED_PER_FOLDER:
                with suppress(Exception):  # `decode` reports broken pictures
                    if np.ptp(decode_one(path, (3, MAX_SIDE, MAX_SIDE)), axis=0).max() > 2:
                        return False
    return True


def reason(error: Exception) -> str:
    """Why a picture could not be read, in a few words without its path."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS} pixels"
    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return str(error.strerror).lower()
    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    return "truncated" if "truncated" in str(error).lower() else "broken"


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings of odd metadata in files that it can read. Entered once around all threads, because
    warning filters belong to the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
