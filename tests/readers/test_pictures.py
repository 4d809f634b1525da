"""Decoding: pixels against Pillow's own, the working shape, broken and hostile files, and the memory-mapped store."""

from __future__ import annotations

import gc
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rarebird.core.checks import DataError
from rarebird.readers import picture_store, pictures
from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_store import decode, headers
from rarebird.readers.pictures import Header, decode_one, working_shape

GRAY = np.random.default_rng(0).integers(0, 256, (12, 20), dtype=np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (12, 20, 3), dtype=np.uint8)
SMOOTH = np.outer(np.linspace(0, 1, 64), np.linspace(0, 1, 64))


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def heads_of(*sizes: tuple[int, int]) -> list[Header]:
    return [Header(Path("a.png"), width, height, gray=True, deep=False) for width, height in sizes]


def bomb(path: Path, side: int = 100_000) -> Path:
    """A PNG of a few bytes that claims side x side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".TIFF", ".webp", ".ppm"])
def test_color_of_the_same_size_is_untouched(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", COLOR, **({"lossless": True} if suffix == ".webp" else {}))
    assert (decode_one(path, (3, 12, 20)) == COLOR.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".pgm"])
def test_gray_of_the_same_size_is_untouched_and_repeated_as_color(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", GRAY)
    assert (decode_one(path, (1, 12, 20)) == GRAY).all()
    assert (decode_one(path, (3, 12, 20)) == GRAY).all()


def test_modes_become_what_they_show(tmp_path: Path) -> None:
    one_bit = Image.fromarray(GRAY > 128)
    one_bit.save(tmp_path / "bit.png")
    assert (decode_one(tmp_path / "bit.png", (1, 12, 20)) == (GRAY > 128) * 255).all()
    few = COLOR // 64 * 64  # at most 64 colors, so that a palette holds them all
    Image.fromarray(few).quantize(64).save(tmp_path / "palette.png")
    assert np.abs(decode_one(tmp_path / "palette.png", (3, 12, 20)).astype(int) - few.transpose(2, 0, 1)).mean() < 12
    Image.fromarray(np.full((16, 16, 3), (200, 30, 60), np.uint8)).convert("CMYK").save(
        tmp_path / "cmyk.jpg", quality=100
    )
    assert np.abs(decode_one(tmp_path / "cmyk.jpg", (3, 16, 16)).mean(axis=(1, 2)) - (200, 30, 60)).max() < 4


def test_first_frame_of_a_gif(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (10, 250)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (decode_one(tmp_path / "a.gif", (1, 8, 8)) == 10).all()


def test_transparent_pixels_show_white_and_half_of_it_when_half_transparent(tmp_path: Path) -> None:
    layer = np.zeros((4, 3, 4), np.uint8)
    layer[:, 1, 3], layer[:, 2, 3] = 128, 255
    save(tmp_path / "a.png", layer)
    shown = decode_one(tmp_path / "a.png", (3, 4, 3))[0, 0]
    assert shown.tolist() == [255, 127, 0]


def test_sixteen_bits_are_kept_as_floats_and_narrowed_where_others_are_asked_for(tmp_path: Path) -> None:
    values = np.array([[0, 1, 256], [30_000, 65_534, 65_535]], np.uint16)
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, values)
        deep = decode_one(path, (1, 2, 3), deep=True)
        assert deep.dtype == np.float32
        assert np.allclose(deep[0], values / 65535, atol=1e-7)
        assert (decode_one(path, (1, 2, 3))[0] == np.rint(values / 257)).all()
    eight = save(tmp_path / "b.png", GRAY)
    assert np.allclose(decode_one(eight, (1, 12, 20), deep=True)[0], GRAY / 255)


def test_depths_that_have_no_agreed_range_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "float.tif", SMOOTH.astype(np.float32))
    save(tmp_path / "wide.tif", np.full((4, 4), 70_000, np.int32))
    _, reasons = decode([tmp_path / "float.tif", tmp_path / "wide.tif"], (1, 4, 4), deep=True, cache=None)
    assert "floating-point" in reasons[0]
    assert "beyond 16 bits" in reasons[1]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    """The same as Pillow's own `exif_transpose`, and header and pixels agree about which side is which."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    quadrants = np.kron(np.array([[0, 80, 160], [200, 120, 240]], np.uint8), np.ones((8, 8), np.uint8))
    path = save(tmp_path / f"a{suffix}", np.dstack([quadrants] * 3), exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("L"))
    head = pictures.header(path)
    assert (head.height, head.width) == upright.shape
    assert (decode_one(path, (1, *upright.shape)) == upright).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_shrinking_is_antialiased(tmp_path: Path, suffix: str) -> None:
    """A checkerboard at the limit of the resolution becomes even gray, and a smooth picture stays the smooth
    picture."""
    checkers = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    path = save(tmp_path / f"a{suffix}", checkers)
    assert np.abs(decode_one(path, (1, 16, 16)).astype(int) - 127.5).max() < 8
    smooth = save(tmp_path / f"b{suffix}", np.kron((SMOOTH * 255), np.ones((8, 8))).astype(np.uint8))
    assert np.abs(decode_one(smooth, (1, 32, 32))[0] - 255 * SMOOTH.reshape(32, 2, 32, 2).mean(axis=(1, 3))).max() < 4


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ([(28, 28)] * 3, (1, 28, 28)),
        ([(32, 32), (32, 32)], (1, 32, 32)),
        ([(640, 480)] * 3, (1, 96, 128)),  # one ratio is kept
        ([(480, 640), (481, 640)], (1, 128, 96)),
        ([(640, 480), (480, 640)], (1, 96, 96)),  # two are not
        ([(30, 40), (50, 50), (60, 400)], (1, 50, 50)),  # median of the shorter sides
        ([(3, 3)], (1, 8, 8)),  # the smallest that networks take
    ],
)
def test_working_shape(sizes: list[tuple[int, int]], shape: tuple[int, int, int]) -> None:
    assert working_shape(heads_of(*sizes), ReadOptions()) == shape


def test_working_shape_that_is_asked_for() -> None:
    assert working_shape(heads_of((640, 480)), ReadOptions(image_size=24)) == (1, 24, 32)
    assert working_shape(heads_of((640, 480)), ReadOptions(image_size=24, image_shape=(3, 5, 7))) == (3, 5, 7)


def test_gray_pictures_saved_in_color_have_one_channel_until_one_of_a_rare_folder_shows_color(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "rare").mkdir()
    files = [save(tmp_path / "many" / f"{number}.jpg", np.dstack([GRAY] * 3)) for number in range(40)]
    assert working_shape(headers(files), ReadOptions())[0] == 1
    files.append(save(tmp_path / "rare" / "a.png", COLOR))
    assert working_shape(headers(files), ReadOptions())[0] == 3


def test_broken_files_are_named_and_others_stand_in_their_rows(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.png", GRAY)
    noise = np.random.default_rng(2).integers(0, 256, (64, 64), dtype=np.uint8)
    cut = save(tmp_path / "cut.jpg", noise)
    cut.write_bytes(cut.read_bytes()[:-900])
    text = tmp_path / "text.jpg"
    text.write_text("%!PS-Adobe-3.0 EPSF-3.0\nnot a picture")
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    files = [cut, whole, text, empty, tmp_path / "absent.png", bomb(tmp_path / "bomb.png"), whole]
    array, reasons = decode(files, (1, 12, 20), deep=False, cache=None)
    assert reasons == {
        0: "truncated",
        2: "not a picture",
        3: "the file is empty",
        4: "no such file or directory",
        5: f"more than {pictures.MAX_PIXELS} pixels",
    }
    assert (array[[1, 6], 0] == GRAY).all()
    assert not array[[0, 2, 3, 4, 5]].any()
    assert [head.path for head in headers(files)] == [cut, whole, whole]


def test_a_picture_just_over_the_limit_is_refused_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.png", GRAY)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12 * 20)
    assert decode_one(path, (1, 12, 20)).shape == (1, 12, 20)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12 * 20 - 1)
    with pytest.raises(Image.DecompressionBombError):
        decode_one(path, (1, 12, 20))


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fits in memory."""
    monkeypatch.setattr(picture_store, "IN_MEMORY", 0)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "图片").mkdir()
    found = [save(tmp_path / "图片" / f"{number}.png", GRAY + np.uint8(number)) for number in range(150)]
    found[7].write_bytes(b"broken")
    return found


@pytest.mark.usefixtures("mapped")
def test_the_store_holds_what_memory_would_and_is_found_again(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "new" / "cache"
    first, reasons = decode(files, (1, 6, 10), deep=False, cache=cache)
    assert isinstance(first, np.memmap)
    assert reasons == {7: "not a picture"}
    expected = np.stack(
        [np.zeros((1, 6, 10), np.uint8) if row == 7 else decode_one(path, (1, 6, 10)) for row, path in enumerate(files)]
    )
    assert (first == expected).all()
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]  # no partial file stays
    with monkeypatch.context() as patch:
        patch.setattr(picture_store, "decode_one", lambda *_, **__: pytest.fail("decoded again"))
        again, same_reasons = decode(files, (1, 6, 10), deep=False, cache=cache)
    assert (again == expected).all()
    assert same_reasons == reasons


@pytest.mark.usefixtures("mapped")
def test_a_stale_or_damaged_store_is_made_again(files: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = np.array(decode(files, (1, 6, 10), deep=False, cache=cache)[0])
    (store,) = cache.glob("*.npy")
    for damage in (b"", store.read_bytes()[:-100], b"not an array at all"):
        store.write_bytes(damage)
        assert (decode(files, (1, 6, 10), deep=False, cache=cache)[0] == first).all()
    store.with_suffix(".json").write_text("[]")
    assert decode(files, (1, 6, 10), deep=False, cache=cache)[1] == {7: "not a picture"}
    save(files[3], 255 - GRAY)
    changed, _ = decode(files, (1, 6, 10), deep=False, cache=cache)
    assert (changed[3] == decode_one(files[3], (1, 6, 10))).all()
    assert not (changed[3] == first[3]).all()


@pytest.mark.usefixtures("mapped")
def test_the_temporary_folder_goes_with_the_array(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    array, _ = decode(files, (1, 6, 10), deep=False, cache=None)
    assert len(list(home.rglob("*.npy"))) == 1
    del array
    gc.collect()
    assert not list(home.iterdir())


@pytest.mark.usefixtures("mapped")
def test_a_full_disk_is_said_before_anything_is_written(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(DataError, match="GiB of free space"):
        decode(files, (1, 6, 10), deep=False, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_in_memory_nothing_is_written(files: list[Path], tmp_path: Path) -> None:
    array, _ = decode(files, (1, 6, 10), deep=False, cache=tmp_path / "cache")
    assert not isinstance(array, np.memmap)
    assert not (tmp_path / "cache").exists()
