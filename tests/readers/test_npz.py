"""Archives: MedMNIST's keys and `X, y`, every shape and range of pictures, and hostile or foolish files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Splits
from rarebird.readers import npz
from rarebird.readers.options import ReadOptions

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (6, 10, 12), dtype=np.uint8)
COLOR = RNG.integers(0, 256, (6, 10, 12, 3), dtype=np.uint8)
Y = np.array([0, 1, 0, 1, 2, 0])
ANY = ReadOptions()


def saved(folder: Path, options: ReadOptions = ANY, **arrays: Any) -> Splits:
    np.savez(folder / "data.npz", **arrays)
    return npz.read(folder / "data.npz", options)


def refusal(path: Path, options: ReadOptions = ANY, **arrays: Any) -> str:
    if arrays:
        np.savez(path, **arrays)
    with pytest.raises(DataError) as caught:
        npz.read(path, options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    return message


@pytest.mark.parametrize("labels", [Y, Y[:, None], Y.astype(np.uint8), Y.astype(float), np.eye(3, dtype=int)[Y]])
def test_medmnist_keys_and_labels_of_any_shape(tmp_path: Path, labels: np.ndarray) -> None:
    splits = saved(
        tmp_path,
        train_images=GRAY,
        train_labels=labels,
        val_images=GRAY[:2],
        val_labels=Y[:2],
        test_images=GRAY[4:5],
        test_labels=Y[4:5],
    )
    data = splits.train
    assert (data.kind, data.task, data.name, data.classes) == ("image", "classification", "data", ("0", "1", "2"))
    assert data.codes.tolist() == Y.tolist()
    assert data.ids.tolist() == ["1", "2", "3", "4", "5", "6"]
    assert (data.raw()[:, 0] == GRAY).all()
    assert splits.val is not None
    assert splits.test is not None
    assert splits.val.codes.tolist() == [0, 1]
    assert splits.test.codes.tolist() == [2]
    assert splits.test.name == "data/test"


@pytest.mark.parametrize(("x", "y", "valid"), [("x", "y", "val"), ("X", "y", "valid"), ("X", "Y", "dev")])
def test_the_keys_of_keras(tmp_path: Path, x: str, y: str, valid: str) -> None:
    """As `keras.datasets` names and saves them: `x_train, y_train, x_test, y_test`."""
    parts = {"train": slice(0, 6), valid: slice(0, 2), "test": slice(4, 5)}
    arrays = {f"{x}_{part}": GRAY[rows] for part, rows in parts.items()}
    arrays |= {f"{y}_{part}": Y[rows] for part, rows in parts.items()} | {"groups_train": Y}
    splits = saved(tmp_path, ReadOptions(groups="groups"), **arrays | {"groups_" + valid: Y[:2], "groups_test": Y[4:5]})
    assert splits.val is not None
    assert splits.test is not None
    assert (splits.train.kind, splits.train.name, splits.test.name) == ("image", "data", "data/test")
    assert [part.codes.tolist() for part in (splits.train, splits.val, splits.test)] == [Y.tolist(), [0, 1], [2]]
    assert splits.train.group is not None
    table = saved(tmp_path, x_train=RNG.normal(size=(6, 4)), y_train=Y)
    assert (table.train.kind, table.test) == ("table", None)
    assert splits.notes == table.notes == ()


def test_groups_weights_time_and_missing_labels(tmp_path: Path) -> None:
    y = np.where(np.arange(6) == 2, np.nan, Y)
    arrays = {"images": GRAY, "labels": y, "groups": np.arange(6) // 2, "weights": Y + 1, "day": Y}
    splits = saved(tmp_path, ReadOptions(time="day"), **{f"train_{key}": array for key, array in arrays.items()})
    data = splits.train
    assert data.ids.tolist() == ["1", "2", "4", "5", "6"]
    assert data.codes.tolist() == [0, 1, 1, 2, 0]
    assert data.group is not None
    assert data.group.tolist() == ["0", "0", "1", "2", "2"]
    assert data.weights.tolist() == [1, 2, 2, 3, 1]
    assert data.time is not None
    assert data.time.tolist() == [0, 1, 1, 2, 0]
    assert (data.raw()[:, 0] == GRAY[[0, 1, 3, 4, 5]]).all()
    assert "1 of 6 rows" in splits.notes[0]


def test_a_table(tmp_path: Path) -> None:
    X = RNG.normal(size=(6, 3))
    X[1, 2] = np.nan
    splits = saved(tmp_path, X=X, y=np.array(["b", "a", "b", "a", "a", "猫"]), groups=Y, extra=Y)
    frame = splits.train.raw()
    assert list(frame.columns) == ["c0", "c1", "c2"]
    assert np.array_equal(frame.to_numpy(), X, equal_nan=True)
    assert splits.train.classes == ("a", "b", "猫")
    assert splits.notes[0].endswith("not used: extra.")


def test_a_table_of_text_is_typed_by_column(tmp_path: Path) -> None:
    frame = saved(tmp_path, X=np.array([["1", "x"], ["2", "y"], ["", "x"]]), y=Y[:3]).train.raw()
    assert frame["c0"].dtype == np.float64
    assert frame["c1"].tolist() == ["x", "y", "x"]


def test_series(tmp_path: Path) -> None:
    X = RNG.normal(size=(6, 2, 9)).astype(np.float32)
    X[0, :, 7:] = np.nan
    X[1, 0, 3:] = np.nan  # the other channel goes on
    source = saved(tmp_path, X=X, y=Y).train.source
    assert isinstance(source, Curves)
    assert source.lengths.tolist() == [7, 9, 9, 9, 9, 9]
    assert np.array_equal(source.values, X, equal_nan=True)
    single = saved(tmp_path, ReadOptions(kind="series"), X=X[:, 1], y=Y).train.source
    assert isinstance(single, Curves)
    assert single.values.shape == (6, 1, 9)


def test_series_with_more_channels_than_steps_are_named_and_can_be_turned(tmp_path: Path) -> None:
    steps_first = RNG.normal(size=(6, 40, 3))
    splits = saved(tmp_path, X=steps_first, y=Y)
    assert "40 channels of 3 steps" in splits.notes[0]
    assert "--channels-last" in splits.notes[0]
    turned = saved(tmp_path, ReadOptions(channels_last=True), X=steps_first, y=Y)
    usual = saved(tmp_path, X=steps_first.transpose(0, 2, 1), y=Y)
    assert turned.notes == usual.notes == ()
    for one, other in zip(turned.train.raw(), usual.train.raw(), strict=True):
        np.testing.assert_array_equal(one, other)
    # A model that has learned 3 channels reads them wherever they are.
    as_learned = saved(tmp_path, ReadOptions(channels=3), X=steps_first, y=Y)
    np.testing.assert_array_equal(as_learned.train.raw()[0], usual.train.raw()[0])
    assert "40 steps of 3 channels" in as_learned.notes[0]


def test_regression(tmp_path: Path) -> None:
    y = RNG.normal(size=(40, 1))
    data = saved(tmp_path, X=np.zeros((40, 5, 5), np.uint8), y=y).train
    assert (data.kind, data.task, data.classes) == ("image", "regression", ())
    assert data.y is not None
    assert np.allclose(data.y, y[:, 0])
    assert saved(tmp_path, ReadOptions(task="regression"), X=GRAY, y=Y).train.task == "regression"


def test_where_the_channels_stand(tmp_path: Path) -> None:
    """Channels-last, channels-first, with and without alpha: the same pictures."""
    alpha = np.concatenate([COLOR, np.full((6, 10, 12, 1), 9, np.uint8)], axis=3)
    for X in (COLOR, alpha, COLOR.transpose(0, 3, 1, 2), alpha.transpose(0, 3, 1, 2)):
        assert (saved(tmp_path, X=X, y=Y).train.raw() == COLOR.transpose(0, 3, 1, 2)).all()
    for X in (GRAY[..., None], GRAY[:, None]):
        assert (saved(tmp_path, X=X, y=Y).train.raw()[:, 0] == GRAY).all()
    assert "channels" in refusal(tmp_path / "a.npz", X=np.zeros((6, 8, 8, 8), np.uint8), y=Y)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_whole_values_up_to_255_are_the_same_pictures_in_any_type(tmp_path: Path, dtype: type) -> None:
    raw = saved(tmp_path, ReadOptions(kind="image"), X=GRAY.astype(dtype), y=Y).train.raw()
    assert raw.dtype == np.uint8
    assert (raw[:, 0] == GRAY).all()


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (GRAY / 255, GRAY / 255),
        (GRAY / 255 * 2 - 1, GRAY / 255),
        (GRAY * 0.5, GRAY * 0.5 / 255),
        (GRAY.astype(np.uint16), GRAY / 65535),
        (GRAY.astype(np.int32) * 257, GRAY / 255),
    ],
)
def test_other_ranges_become_0_to_1(tmp_path: Path, X: np.ndarray, expected: np.ndarray) -> None:
    raw = saved(tmp_path, ReadOptions(kind="image"), X=X, y=Y).train.raw()
    assert raw.dtype == np.float32
    assert np.allclose(raw[:, 0], expected, atol=1e-6)


def test_booleans_are_black_and_white(tmp_path: Path) -> None:
    raw = saved(tmp_path, ReadOptions(kind="image"), X=GRAY > 99, y=Y).train.raw()
    assert (raw[:, 0] == (GRAY > 99) * 255).all()


def test_the_scale_is_the_same_for_all_parts(tmp_path: Path) -> None:
    dark = np.full((2, 10, 12), 0.5)
    splits = saved(tmp_path, train_images=GRAY * 0.5, train_labels=Y, test_images=dark, test_labels=Y[:2])
    assert splits.test is not None
    assert np.allclose(splits.test.raw(), 0.5 / 255)


def test_pictures_are_resized_only_where_a_size_is_asked_for(tmp_path: Path) -> None:
    assert saved(tmp_path, X=COLOR, y=Y).train.raw().shape == (6, 3, 10, 12)
    assert saved(tmp_path, ReadOptions(image_size=5), X=COLOR, y=Y).train.raw().shape == (6, 3, 5, 6)
    even = np.full((6, 10, 12), 77, np.uint8)
    for shape in ((1, 4, 4), (3, 20, 30)):
        for X, value in (
            (even, 77),
            (even / 255, 77 / 255),
            (np.dstack([even[..., None]] * 3).reshape(6, 10, 12, 3), 77),
        ):
            raw = saved(tmp_path, ReadOptions(image_shape=shape, kind="image"), X=X, y=Y).train.raw()
            assert raw.shape == (6, *shape)
            assert np.allclose(raw, value)


def test_color_to_gray_is_the_same_for_bytes_and_floats(tmp_path: Path) -> None:
    options = ReadOptions(image_shape=(1, 10, 12))
    whole = saved(tmp_path, options, X=COLOR, y=Y).train.raw()
    floats = saved(tmp_path, options, X=COLOR / 255, y=Y).train.raw()
    assert np.abs(whole / 255 - floats).max() < 1 / 255


def test_without_labels(tmp_path: Path) -> None:
    assert saved(tmp_path, ReadOptions(labelled=False), X=GRAY).train.y is None
    assert saved(tmp_path, ReadOptions(labelled=False), X=GRAY, y=Y).train.y is None
    only_test = saved(tmp_path, ReadOptions(role="test rows"), test_images=GRAY, test_labels=np.ones(6))
    assert only_test.train.classes == ("1",)


def test_refused_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("a,b\n1,2\n")
    assert "not an .npz archive" in refusal(path)
    np.savez_compressed(path, X=RNG.normal(size=(50, 50)), y=np.arange(50) % 2)
    path.write_bytes(path.read_bytes()[:-300])
    assert ".npz archive" in refusal(path)
    np.savez(path, X=GRAY, y=Y)
    flipped = bytearray(path.read_bytes())
    flipped[300] ^= 255
    path.write_bytes(flipped)
    assert "damaged" in refusal(path)


def test_pickles_are_refused_before_they_are_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was loaded",))

    objects = np.empty(6, dtype=object)
    objects[0] = Trap()
    message = refusal(tmp_path / "a.npz", X=GRAY, y=objects)
    assert "'y'" in message
    assert "run code" in message


def forged(path: Path, shape: tuple[int, ...], payload: int) -> Path:
    """An archive whose `X` declares `shape` in front of `payload` zero bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", head.getvalue() + b"\0" * payload)
    return path


def test_archives_that_declare_more_than_they_hold_or_than_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "fewer bytes" in refusal(forged(tmp_path / "a.npz", (1 << 40, 1 << 20), 100))
    assert "fewer bytes" in refusal(forged(tmp_path / "a.npz", (-1, 10), 100))
    assert "fewer bytes" in refusal(forged(tmp_path / "a.npz", (10**12, 0), 100))
    monkeypatch.setattr("rarebird.core.memory.free_bytes", lambda: 1 << 20)
    assert "of memory, but only 1 MiB are free" in refusal(forged(tmp_path / "a.npz", (2 << 20, 1), 2 << 20))


def test_a_member_is_an_array_by_its_own_format_and_not_by_its_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=GRAY, y=Y)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("X", b"\0" * 1000)  # numpy.load would give these bytes for the key X
    assert len(npz.read(tmp_path / "a.npz", ReadOptions()).train) == len(GRAY)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("X.npy", archive.read("X.npy"))
    assert "two arrays of one name" in refusal(tmp_path / "a.npz")


def test_texts_without_letters_declare_no_rows(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<U0", "fortran_order": False, "shape": (10**12, 1)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", head.getvalue())
    assert "fewer bytes" in refusal(tmp_path / "a.npz")


def test_arrays_of_another_byte_order_are_read(tmp_path: Path) -> None:
    X = np.arange(40.0).reshape(20, 2)
    np.savez(tmp_path / "a.npz", X=X.astype(">f8"), y=(np.arange(20) % 2).astype(">i8"))
    read = npz.read(tmp_path / "a.npz", ReadOptions()).train
    np.testing.assert_array_equal(read.raw().to_numpy(), X)


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"a": GRAY, "b": Y}, "none of the keys 'train_images', 'x_train' and 'X'"),
        ({"x_test": GRAY, "y_test": Y}, "no key 'x_train'"),
        ({"x_train": GRAY, "y_test": Y}, "no key 'y_train'"),
        ({"X": GRAY}, "no key 'y'"),
        ({"test_images": GRAY, "test_labels": Y}, "no key 'train_images'"),
        ({"train_images": GRAY, "labels": Y}, "no key 'train_labels'; did you mean 'labels'?"),
        ({"X": GRAY, "y": Y[:5]}, "has 6 rows, but 'y' has 5"),
        ({"X": GRAY, "y": Y, "groups": Y[:, None] * np.ones(2)}, "one value per row"),
        ({"X": GRAY[:0], "y": Y[:0]}, "holds no rows"),
        ({"X": np.float64(3), "y": Y}, "holds no rows"),
        ({"X": GRAY[:, 0, 0], "y": Y}, "1 axes"),
        ({"X": GRAY, "y": Y * 0}, "only one class"),
        ({"X": GRAY, "y": np.full(6, np.nan)}, "missing in every row"),
        ({"X": GRAY, "y": np.array([[1, 1, 0]] * 6)}, "multi-label"),
        ({"X": GRAY, "y": Y, "weights": np.array([1, 1, 1, 1, 1, -1])}, "row 6"),
        ({"X": GRAY, "y": Y, "weights": np.zeros(6)}, "weight 0"),
        ({"train_images": np.where(GRAY > 250, np.nan, GRAY), "train_labels": Y}, "NaN"),
        ({"train_images": GRAY / 100 - 1.5, "train_labels": Y}, "bring pictures to 0..255 or 0..1"),
        ({"train_images": GRAY * 1000.0, "train_labels": Y}, "bring pictures"),
        ({"train_images": GRAY.astype(str), "train_labels": Y}, "pictures are numbers"),
        ({"train_images": GRAY, "train_labels": Y, "test_images": GRAY[:1], "test_labels": np.array([7])}, "'7'"),
        ({"X": np.array([[1.0, np.inf], [1, 2]]), "y": Y[:2]}, "infinite value (row 1)"),
        ({"X": np.full((6, 2, 4), np.inf), "y": Y}, "infinite value"),
    ],
)
def test_refused_arrays(tmp_path: Path, arrays: dict[str, Any], part: str) -> None:
    assert part in refusal(tmp_path / "a.npz", **arrays)


def test_refused_options(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert "did you mean 'patient'" in refusal(path, ReadOptions(groups="patien"), X=GRAY, y=Y, patient=Y)
    assert "--groups-pattern" in refusal(path, ReadOptions(groups_pattern="(a)"), X=GRAY, y=Y)
    assert "a table is" in refusal(path, ReadOptions(kind="table"), X=GRAY, y=Y)
    assert "series are" in refusal(path, ReadOptions(kind="series"), X=COLOR, y=Y)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("pneumoniamnist", [1214, 3494], [234, 390]), ("fashion_lt100", [4000, *[0] * 8, 40], [1000] * 10)],
)
def test_real_archives(shared_data: Path, name: str, train: list[int], test: list[int]) -> None:
    splits = npz.read(shared_data / "images" / f"{name}.npz", ANY)
    assert splits.train.raw().shape[1:] == (1, 28, 28)
    counts, test_counts = splits.train.class_counts, splits.test.class_counts  # type: ignore[union-attr]
    assert counts is not None
    assert test_counts is not None
    assert (counts[0], counts[-1]) == (train[0], train[-1])
    assert test_counts.tolist() == test
    assert (splits.val is not None) == (name == "pneumoniamnist")


def test_series_that_may_be_pictures_get_a_note(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = ((8, 6, 9), np.uint16, True), ((8, 6, 6), float, True), ((8, 2, 9), float, False)
    for name, (shape, dtype, noted) in zip("abc", cases, strict=True):
        np.savez(tmp_path / f"{name}.npz", X=rng.integers(0, 9, shape).astype(dtype), y=np.arange(8) % 2)
        found = npz.read(tmp_path / f"{name}.npz", ReadOptions())
        assert found.train.kind == "series"
        assert any("give --kind image" in note for note in found.notes) == noted
        assert not npz.read(tmp_path / f"{name}.npz", ReadOptions(kind="series")).notes


def test_labels_of_numpy_are_plain_texts(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=np.array(["u", "v", "u", "v"]))
    assert {type(label) for label in npz.read(tmp_path / "a.npz", ReadOptions()).train.classes} == {str}
