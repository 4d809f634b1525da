"""The gate rejects planted faults and passes real held-out rows, on real data; no class that it cannot judge passes.

How often it is wrong over hundreds of draws is measured by `benchmarks/synthesis_gate.py` (docs/synthesis.md).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Pixels
from rarebird.methods.synthesis import _gate
from rarebird.methods.synthesis.mixture import Mixture
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.slots.gate_verdict import ClassVerdict
from tests.methods.synthesis.made_classes import ellipses
from tests.methods.synthesis.planted import FAULTS, At, Fault, Planted, halves, real

# The figures of which at least one must fail.
BY = {
    "copier": {"nearness", "copies"},
    "noisy_copier": {"nearness", "copies"},
    "one_mode": {"coverage", "energy", "tree_area", "marginal"},
    "class_ignored": {"other_class", "energy", "tree_area", "marginal", "outside"},
    "other_class": {"other_class", "energy", "tree_area", "marginal"},
    "independent_columns": {"dependence", "lost_dependence", "tree_area", "energy", "other_class"},
    "shuffled_column": {"dependence", "lost_dependence", "tree_area", "energy", "other_class"},
    "out_of_bounds": {"outside", "marginal", "tree_area"},
}


def judged(rows: Dataset, fault: Fault, code: int, most: int = 160, seed: int = 0) -> ClassVerdict:
    train, reserve = halves(rows, code, np.random.default_rng(seed), most)
    return _gate.judge(Planted(fault, reserve), train, [code], Compute(), seed).classes[0]


def made() -> Dataset:
    return ellipses((400, 160), slope=0.85)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_rejected_with_its_reason(name: str) -> None:
    verdict = judged(made(), FAULTS[name], 1)
    assert not verdict.passes
    failing = {figure.name for figure in verdict.figures if figure.fails}
    assert failing & BY[name], verdict.reason
    assert any(_gate.REASONS[figure] in verdict.reason for figure in failing)


def test_real_rows_that_nobody_saw_pass() -> None:
    """Of six draws one may be rejected by chance: each is with a probability of about .03."""
    verdicts = [judged(made(), real, code, seed=seed) for code in (0, 1) for seed in range(3)]
    assert all(verdict.usefulness is not None for verdict in verdicts)
    assert sum(verdict.passes for verdict in verdicts) >= 5, [verdict.reason for verdict in verdicts]


def stripes(n: int) -> Dataset:
    """Gray pictures of noise, and pictures with diagonal stripes at random places; both have `n`."""
    draw = np.random.default_rng(0)
    down, across = np.indices((28, 28))
    waves = np.sin(2 * np.pi * (down + across + draw.uniform(0, 3, (2 * n, 1, 1))) / 3)
    is_striped = np.repeat([0, 1], n)
    array = 120 + draw.normal(0, 20, (2 * n, 28, 28)) + 50 * waves * is_striped[:, None, None]
    source = Pixels(array.clip(0, 255).astype(np.uint8)[:, None])
    ids = np.arange(2 * n).astype(str)
    return Dataset("image", "classification", source, np.arange(2 * n), is_striped, ("noise", "stripes"), ids)


def mirrored(at: At, code: int, n: int) -> Dataset:
    """Unseen pictures from left to right: a small gray picture, its contrast and its sharpness stay as they are."""
    rows = real(at, code, n)
    return replace(rows, source=Pixels(np.ascontiguousarray(rows.raw()[..., ::-1])), index=np.arange(n))


def test_a_fault_that_only_texture_shows_is_rejected() -> None:
    rows = stripes(80)
    found = [
        {figure.name: figure for figure in judged(rows, fault, 1).figures}["tree_area"].fails
        for fault in (real, mirrored)
    ]
    assert found == [False, True]


def test_equal_rows_of_more_columns_than_rows_are_no_copies() -> None:
    """Components are those of held-out and new rows alike: rows that took part in them are farther from all others."""
    found = []
    for seed in range(6):
        draw = np.random.default_rng(seed)
        pool = _gate.Pool()
        for _ in range(3):
            pool.rows.append(ellipses((7, 7)))
            pool.points.append(draw.normal(size=(14, 70)))
            pool.known.append(draw.normal(size=(14, 70)))
            pool.scores.append(draw.normal(size=14))
            pool.outside.append(np.zeros(14, bool))
            pool.related.append(np.zeros(14))
        figures = {figure.name: figure for figure in _gate._figures(pool, draw)}
        found.append((figures["nearness"].value, figures["copies"].value))
    nearness, copies = np.mean(found, axis=0)
    assert 0.35 < nearness < 0.65
    assert abs(copies) < 0.15


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "label"),
    [("tables/mammography.train.csv", None), ("tables/abalone.train.csv", None), ("series/ECG5000_TRAIN.tsv", "2")],
)
def test_real_data(shared_data: Path, file: str, label: str | None) -> None:
    rows = read(shared_data / file, ReadOptions()).train
    counts = rows.class_counts
    assert counts is not None
    code = int(np.argmin(counts)) if label is None else rows.classes.index(label)
    assert judged(rows, real, code).passes
    for name in ("copier", "noisy_copier", "one_mode", "other_class"):
        assert not judged(rows, FAULTS[name], code).passes, name


def test_a_class_of_too_few_rows_does_not_pass_and_says_so() -> None:
    rows = ellipses((60, 4))
    (verdict,) = _gate.judge(Mixture(), rows, [1], Compute()).classes
    assert not verdict.passes
    assert "too few rows to tell" in verdict.reason


def test_the_verdict_repeats_and_tells_its_progress() -> None:
    rows, told = ellipses((60, 30)), []

    def progress(share: float, what: str) -> bool:
        told.append(what)
        return False

    first, again = (_gate.judge(Mixture(), rows, [0, 1], Compute(progress=progress), seed=3) for _ in range(2))
    assert first.classes == again.classes
    assert first.passing == tuple(one.label for one in first.classes if one.passes)
    assert set(told) == {"synthesis: mixture, for the gate"}


def test_the_generator_never_sees_the_rows_that_it_is_compared_with(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    fit = Mixture.fit

    def watched(self: Mixture, train: Dataset, compute: Compute, draw: np.random.Generator) -> object:
        seen.append(set(train.ids))
        return fit(self, train, compute, draw)

    monkeypatch.setattr(Mixture, "fit", watched)
    rows = ellipses((60, 30))
    compared = _gate._compared

    def checked(pool: object, judged: object, generated: object, part: _gate.Rows, draw: object) -> None:
        assert not seen[-1] & set(part.held.ids)
        compared(pool, judged, generated, part, draw)  # type: ignore[arg-type]

    monkeypatch.setattr(_gate, "_compared", checked)
    _gate.judge(Mixture(), rows, [1], Compute())
    assert len(seen) == _gate.PARTS
