"""Boosted trees that make a table's row column after column: categories by classifiers, numbers by flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Frame
from rarebird.data.row_counts import rows_of
from rarebird.methods.synthesis._generator import reported
from rarebird.methods.synthesis._table_codec import TableCodec
from rarebird.slots.lightgbm_text import Expected, checked

if TYPE_CHECKING:
    import lightgbm


# Drawn rows of a column: classes share them by the roots of their rows; and how often a row comes, at other times.
MOST_DRAWN, MOST_REPEATS, FEWEST_REPEATS = 30_000, 60, 2
# Scores beyond are not followed.
FARTHEST = 5.0
# Leaves and rounds of a classifier of categories, at most; a leaf's rows, at least.
CATEGORY_LEAVES, CATEGORY_ROUNDS, CATEGORY_ROWS = 8, 60, 5
L2, LEAST_HESSIAN = 1.0, 1e-3


@dataclass(frozen=True, eq=False)
class TreeFlowRows:
    """The trees of all columns.

    Attributes:
        codec: Raw rows <-> numbers and codes.
        n_classes: Classes, each an input of all trees.
        times: Steps from noise to a number.
        codes: For each column of codes its classifier; None where all rows have one code.
        numbers: For each column of numbers its flow.
    """

    codec: TableCodec
    n_classes: int
    times: int
    codes: tuple[lightgbm.Booster | None, ...]
    numbers: tuple[lightgbm.Booster, ...]

    def rows(self, code: int, n: int, draw: np.random.Generator) -> Frame:
        """Raw rows of a class."""
        known = np.tile(np.eye(self.n_classes)[code], (n, 1))
        codes = np.zeros((n, len(self.codes)), np.int64)
        for place, trees in enumerate(self.codes):
            if trees is not None:
                codes[:, place] = _drawn_codes(trees, known, draw)
            known = np.column_stack([known, codes[:, place]])
        numbers, gaps = np.zeros((n, len(self.numbers))), _gaps(self.codec, codes)
        for place, trees in enumerate(self.numbers):
            numbers[:, place] = _followed(trees, known, draw.normal(size=n), self.times)
            known = np.column_stack([known, np.where(gaps[:, place], np.nan, numbers[:, place])])
        return self.codec.decode(numbers, codes, draw)

    def state(self) -> dict[str, Any]:
        """The columns and sizes."""
        codes = [trees is not None for trees in self.codes]
        return {"codec": self.codec.state(), "n_classes": self.n_classes, "times": self.times, "codes": codes}

    def arrays(self) -> dict[str, np.ndarray]:
        """LightGBM's texts as bytes."""
        found = {f"codec {name}": values for name, values in self.codec.arrays().items()}
        found |= {f"code {place}": _bytes(trees) for place, trees in enumerate(self.codes) if trees is not None}
        return found | {f"flow {place}": _bytes(trees) for place, trees in enumerate(self.numbers)}


def fit(settings: Any, train: Dataset, compute: Compute, draw: np.random.Generator) -> TreeFlowRows:
    """Trees for each column, that know the class and the columns before it."""
    codec = TableCodec.fit(train)
    rows, count = codec.encode(train, draw), rows_of(train.weights)
    # A rare class counts more than its rows, so that trees have leaves for it.
    weight = count / np.sqrt(np.maximum(np.bincount(train.codes, count), 1e-12))[train.codes]
    told, n_columns = reported(compute, settings.name), max(rows.codes.shape[1] + rows.numbers.shape[1], 1)
    known, codes, numbers = np.eye(train.n_classes)[train.codes], [], []
    for place, (column, size) in enumerate(zip(rows.codes.T, codec.cardinalities, strict=True)):
        codes.append(_classifier(settings, known, column, weight, size))
        known = np.column_stack([known, column])
        told((place + 1) / n_columns)
    for place in range(rows.numbers.shape[1]):
        own = rows.known[:, place] & (weight > 0)
        part = Column(known[own], rows.numbers[own, place], weight[own], train.codes[own])
        done = (len(codes) + place) / n_columns
        numbers.append(_flow(settings, part, draw, lambda share, done=done: told(done + share / n_columns)))  # type: ignore[misc]
        known = np.column_stack([known, np.where(rows.known[:, place], rows.numbers[:, place], np.nan)])
    return TreeFlowRows(codec, train.n_classes, settings.times, tuple(codes), tuple(numbers))


def restore(settings: Any, like: Dataset, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TreeFlowRows:
    """The trees from their texts, each checked before LightGBM reads it."""
    within = {name.removeprefix("codec "): values for name, values in arrays.items() if name.startswith("codec ")}
    codec, known = TableCodec.restore(like, state["codec"], within), like.n_classes
    codes: list[lightgbm.Booster | None] = []
    for place, (size, is_tree) in enumerate(zip(codec.cardinalities, state["codes"], strict=True)):
        expected = Expected(known, *((1, "binary sigmoid:1") if size == 2 else (size, f"multiclass num_class:{size}")))
        codes.append(_booster(arrays[f"code {place}"], expected) if is_tree else None)
        known += 1
    numbers = []
    for place in range(len(codec.numbers)):
        # A flow also knows where the number is, and the time.
        numbers.append(_booster(arrays[f"flow {place}"], Expected(known + 2, 1, "regression")))
        known += 1
    return TreeFlowRows(codec, like.n_classes, int(state["times"]), tuple(codes), tuple(numbers))


@dataclass(frozen=True, eq=False)
class Column:
    """A column of numbers to learn: ``(n, width)`` what is known of each row, ``(n,)`` the scores, weights and
    classes."""

    known: np.ndarray
    scores: np.ndarray
    weight: np.ndarray
    classes: np.ndarray

    def repeats(self) -> np.ndarray:
        """``(n,)`` how often each row is drawn: rows of rare classes more often, at more times and noises."""
        counts = np.bincount(self.classes)
        share = np.sqrt(counts) / np.sqrt(counts).sum()
        each = np.rint(MOST_DRAWN * share / np.maximum(counts, 1)).astype(np.int64)
        of_row: np.ndarray = np.clip(each, FEWEST_REPEATS, MOST_REPEATS)[self.classes]
        return of_row


def _flow(settings: Any, column: Column, draw: np.random.Generator, told: Callable[[float], bool]) -> lightgbm.Booster:
    """Trees of the velocity of a number."""
    if not len(column.scores):
        column = Column(np.zeros((1, column.known.shape[1])), np.zeros(1), np.ones(1), np.zeros(1, np.int64))
    scores, repeats = column.scores, column.repeats()
    row = np.repeat(np.arange(len(scores)), repeats)
    # Times are spread evenly for each row: a time at random within each of its parts of 0..1.
    part = np.arange(len(row)) - np.repeat(repeats.cumsum() - repeats, repeats)
    time = (part + draw.random(len(row))) / repeats[row]
    noise = draw.normal(size=len(row))
    at = (1 - time) * noise + time * scores[row]
    parameters = {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": max(1, round(settings.fewest_rows * repeats.max())),
        "lambda_l2": L2,
    }
    inputs = np.column_stack([column.known[row], at, time])
    weight = (column.weight / repeats)[row]
    return _grown(parameters, inputs, scores[row] - noise, weight, settings.steps, told)


def _followed(trees: lightgbm.Booster, known: np.ndarray, start: np.ndarray, times: int) -> np.ndarray:
    """``(n,)`` the numbers at time 1 of flows from the noise `start` ``(n,)``, by Euler's steps."""
    at = start
    for step in range(times):
        inputs = np.column_stack([known, at, np.full(len(at), (step + 0.5) / times)])
        at = np.clip(at + np.asarray(trees.predict(inputs, num_threads=1)) / times, -FARTHEST, FARTHEST)
    return at


def _classifier(
    settings: Any, known: np.ndarray, codes: np.ndarray, weight: np.ndarray, size: int
) -> lightgbm.Booster | None:
    """Trees of the probabilities of a column's codes; None where all rows have the first one."""
    if size < 2:
        return None
    parameters = {
        **({"objective": "binary"} if size == 2 else {"objective": "multiclass", "num_class": size}),
        "learning_rate": settings.learning_rate,
        "num_leaves": CATEGORY_LEAVES,
        "min_data_in_leaf": CATEGORY_ROWS,
        "min_sum_hessian_in_leaf": LEAST_HESSIAN,
    }
    rounds = min(settings.steps, CATEGORY_ROUNDS)
    return _grown(parameters, known, codes, weight, rounds, lambda share: False)


def _drawn_codes(trees: lightgbm.Booster, known: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """``(n,)`` codes drawn from the classifier's probabilities."""
    shares = np.asarray(trees.predict(known, num_threads=1))
    if shares.ndim == 1:
        shares = np.column_stack([1 - shares, shares])
    above = shares.cumsum(axis=1) > draw.random((len(known), 1)) * shares.sum(axis=1, keepdims=True)
    codes: np.ndarray = above.argmax(axis=1)
    return codes


def _grown(
    parameters: dict[str, Any],
    inputs: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    rounds: int,
    told: Callable[[float], bool],
) -> lightgbm.Booster:
    """LightGBM's trees; True from `told` ends after the round."""
    import lightgbm

    def after_round(env: Any) -> None:
        if told((env.iteration + 1) / rounds):
            raise lightgbm.callback.EarlyStopException(env.iteration, [])

    settings = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1, "seed": 0}
    data = lightgbm.Dataset(inputs, target, weight=weight / weight.mean(), params={"verbose": -1})
    return lightgbm.train(settings | parameters, data, rounds, callbacks=[after_round])


def _gaps(codec: TableCodec, codes: np.ndarray) -> np.ndarray:
    """``(n, n_numbers)`` bool, the numbers that the codes say are missing."""
    gaps = np.zeros((len(codes), len(codec.numbers)), bool)
    names = list(codec.numbers)
    for place, name in enumerate(codec.with_gaps, start=len(codec.categories)):
        gaps[:, names.index(name)] = codes[:, place] == 1
    return gaps


def _bytes(trees: lightgbm.Booster) -> np.ndarray:
    return np.frombuffer(trees.model_to_string().encode(), np.uint8)


def _booster(text: np.ndarray, expected: Expected) -> lightgbm.Booster:
    """Trees from a checked text."""
    import lightgbm

    return lightgbm.Booster(model_str=checked(text.astype(np.uint8).tobytes().decode("ascii"), expected))
