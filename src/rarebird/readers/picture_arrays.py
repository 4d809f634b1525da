"""Arrays of pictures -> pixels: the axis of channels, the range of values and the size are made uniform."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data.dataset import Pixels
from rarebird.readers.options import ReadOptions
from rarebird.readers.pictures import Shape, resized, sides

_LUMA = np.array([299, 587, 114], dtype=np.float32) / 1000  # ITU-R 601, as Pillow turns color to gray
_CHANNELS = (1, 3, 4)


def pixels(arrays: Sequence[np.ndarray], options: ReadOptions, where: str) -> list[Pixels]:
    """Pictures of one or more parts of a data set, on one scale.

    The last of four axes holds the channels if it has 1, 3 or 4 elements, otherwise the second does. An alpha channel
    is dropped. The scale is decided by the range over all parts: uint8 stays; booleans and integers up to 255 become
    uint8; uint16 and integers up to 65535 are divided by 65535; floats in 0..1 stay; in 0..255 they become uint8 if all
    are whole, and are divided by 255 otherwise; in -1..1 they become (x + 1) / 2. Any other range is refused, because
    no rule could treat a later file in the same way.

    Args:
        arrays: Per part ``(n, height, width)``, ``(n, height, width, channels)`` or ``(n, channels, height, width)``.
        options: `image_shape`, or `image_size` for the shorter side; without them all parts get the first one's size.
        where: Name of the pictures in messages.

    Raises:
        DataError: Another number of axes or channels, values that are not finite numbers, or an unknown range.
    """
    scaled = _scaled([_channels_first(array, where) for array in arrays], where)
    shape = _shape(scaled[0], options)
    return [Pixels(fitted(array, shape)) for array in scaled]


def _channels_first(array: np.ndarray, where: str) -> np.ndarray:
    """``(n, 1 or 3, height, width)``, still a view."""
    if array.dtype.kind not in "biuf" or array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(
            f"{where} has the shape {array.shape} of {array.dtype}; "
            "pictures are numbers (n, height, width[, channels]), and no axis is empty."
        )
    if array.ndim == 3:
        return array[:, None]
    if array.shape[3] in _CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    elif array.shape[1] not in _CHANNELS:
        raise DataError(
            f"{where} has the shape {array.shape}; pictures have 1, 3 or 4 channels, on the last axis or the second."
        )
    return array[:, :3]


def _scaled(arrays: list[np.ndarray], where: str) -> list[np.ndarray]:
    """uint8, or float32 in 0..1, decided by the range over all arrays."""
    dtype = np.result_type(*arrays)
    if dtype == np.uint8:
        return arrays
    if dtype.kind == "b":
        return [array.astype(np.uint8) * np.uint8(255) for array in arrays]
    for array in arrays:
        finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            number = finite.argmin() + 1
            raise DataError(
                f"{where} holds NaN or an infinite value (picture {number}); remove that picture or correct it."
            )
    low, high = min(array.min() for array in arrays), max(array.max() for array in arrays)
    whole = dtype.kind in "iu" or (high > 1 and all((array == np.rint(array)).all() for array in arrays))
    if whole and low >= 0 and high <= 255 and dtype != np.uint16:
        return [array.astype(np.uint8) for array in arrays]
    if dtype.kind in "iu" and low >= 0 and high <= 65535:
        return [array.astype(np.float32) / 65535 for array in arrays]
    if dtype.kind == "f" and low >= -1 and high <= 1:
        return [array.astype(np.float32) if low >= 0 else (array.astype(np.float32) + 1) / 2 for array in arrays]
    if dtype.kind == "f" and low >= 0 and high <= 255:
        return [array.astype(np.float32) / 255 for array in arrays]
    raise DataError(f"{where} holds values from {low:g} to {high:g}; bring pictures to 0..255 or 0..1 first.")


def _shape(array: np.ndarray, options: ReadOptions) -> Shape:
    """Channels, height and width as the options ask, or the pictures' own."""
    _, channels, height, width = array.shape
    if options.image_shape is not None:
        return options.image_shape
    return (channels, *(sides(options.image_size, width / height) if options.image_size else (height, width)))


def fitted(array: np.ndarray, shape: Shape) -> np.ndarray:
    """``(n, *shape)``: resized like picture files; gray is repeated to get color, color is weighted to get gray."""
    if array.shape[1:] == shape:
        return np.ascontiguousarray(array)
    out = np.empty((len(array), *shape), array.dtype)
    for row, picture in enumerate(array):
        out[row] = _fit(picture, shape)
    return out


def _fit(picture: np.ndarray, shape: Shape) -> np.ndarray:
    from PIL import Image

    if picture.dtype == np.uint8:
        image = Image.fromarray(np.ascontiguousarray(picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)))
        return resized(image, shape, deep=False)
    planes = picture if len(picture) == shape[0] or len(picture) == 1 else np.tensordot(_LUMA, picture, axes=1)[None]
    fitted = [resized(Image.fromarray(np.ascontiguousarray(plane)), (1, *shape[1:]), deep=True) for plane in planes]
    return np.broadcast_to(np.concatenate(fitted), shape)
