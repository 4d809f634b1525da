"""Cut-offs and floors: counted by hand, tested against scipy's binomial and beta distributions, and sequences of tests
walked one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from rarebird.methods.decision._floors import FIGURES, STARTS, Cuts, _starts, kept, number_of, promised
from rarebird.metrics.uncertainty import effective_rows

P = np.array([0.7, 0.95, 0.2, 0.9, 0.4, 0.7])
IS_CLASS = np.array([False, True, False, True, True, True])
# The row of .95 counts for nothing.
ROWS = np.array([2.0, 0.0, 2.0, 1.0, 3.0, 1.0])


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and rows of the class as often as they say."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, n)
    return p, rng.random(n) < p


def test_cut_offs_lie_between_distinct_probabilities_of_rows_with_weight() -> None:
    cuts = Cuts.of(P, IS_CLASS, ROWS, None)
    np.testing.assert_allclose(cuts.at, [0.8, 0.55, 0.3])
    np.testing.assert_array_equal([cuts.above, cuts.hits, cuts.squares], [[1, 4, 7], [1, 2, 5], [1, 4, 7]])
    assert (cuts.n, cuts.n_class) == (9, 5)
    whole = Cuts.of(P, IS_CLASS, ROWS, None, with_all=True)
    np.testing.assert_allclose(whole.at, [0.8, 0.55, 0.3, 0])
    np.testing.assert_array_equal([whole.above, whole.hits, whole.squares], [[1, 4, 7, 9], [1, 2, 5, 5], [1, 4, 7, 9]])
    for with_all in (False, True):
        none = Cuts.of(P[:0], IS_CLASS[:0], ROWS[:0], None, with_all)
        assert (len(none.at), none.n, none.n_class) == (0, 0, 0)


def test_shares_are_of_rows_or_of_effective_rows() -> None:
    cuts = Cuts.of(P, IS_CLASS, ROWS, None)
    hits = {"precision": [1, 2, 5], "recall": [1, 2, 5], "specificity": [4, 2, 2], "alerts": [8, 5, 2]}
    of = {"precision": [1, 4, 7], "recall": [5] * 3, "specificity": [4] * 3, "alerts": [9] * 3}
    # Halves only compare rows: Kish's number, from sums of squares .25, 1, .25, 2.25, 1.
    halves = Cuts.of(P, IS_CLASS, ROWS / 2, None)
    kish = {
        "precision": [0.25 / 0.25, 4 / 1.5, 12.25 / 3.75],
        "recall": [6.25 / 2.75] * 3,
        "specificity": [4 / 2] * 3,
        "alerts": [20.25 / 4.75] * 3,
    }
    for figure in FIGURES:
        np.testing.assert_allclose(cuts.share(figure), [hits[figure], of[figure]])
        share = np.divide(hits[figure], of[figure])
        np.testing.assert_allclose(halves.share(figure), [share * kish[figure], kish[figure]])


@pytest.mark.parametrize("grouped", [False, True])
def test_no_rows_show_no_share(grouped: bool) -> None:
    group = np.arange(6) // 2 if grouped else None
    for figure, is_class in (("specificity", np.ones(6, dtype=bool)), ("recall", np.zeros(6, dtype=bool))):
        cuts = Cuts.of(P, is_class, np.ones(6), group)
        np.testing.assert_array_equal(cuts.share(figure), np.zeros((2, len(cuts.at))))
        assert not kept(cuts, figure, 0.01, 0.4).any()
        np.testing.assert_array_equal(promised(cuts, figure, 0.01, 0.4), np.zeros(len(cuts.at)))


def test_rows_of_groups_count_as_the_effective_rows_of_their_share() -> None:
    p, is_class = drawn(60, 0)
    p[7] = 0.0
    rng = np.random.default_rng(1)
    weight, group = rng.integers(1, 4, 60).astype(float), rng.integers(0, 15, 60)
    cuts = Cuts.of(p, is_class, weight, group, with_all=True)
    everything = np.ones(60, dtype=bool)
    for place in (0, 20, 45, len(cuts.at) - 1):
        called = p >= cuts.at[place]
        for figure, among, hit in (
            ("precision", called, is_class),
            ("recall", is_class, called),
            ("specificity", ~is_class, ~called),
            ("alerts", everything, ~called),
        ):
            share = np.average(hit[among], weights=weight[among])
            rows = effective_rows(weight[among], hit[among] - share, group[among])
            found = [part[place] for part in cuts.share(figure)]
            np.testing.assert_allclose(found, [share * rows, rows], err_msg=f"{figure} at {place}")


def test_grouped_rows_are_cut_at_two_hundred_places_from_the_first_to_the_last() -> None:
    p, is_class = drawn(1000, 2)
    ones = np.ones(1000)
    every, some = Cuts.of(p, is_class, ones, None), Cuts.of(p, is_class, ones, np.arange(1000))
    assert len(every.at) == 999
    places = np.rint(np.arange(200) * 998 / 199).astype(int)
    np.testing.assert_array_equal(some.at, every.at[places])
    np.testing.assert_array_equal(some.hits, every.hits[places])
    few = Cuts.of(p[:201], is_class[:201], ones[:201], np.arange(201))
    np.testing.assert_array_equal(few.at, Cuts.of(p[:201], is_class[:201], ones[:201], None).at)


def test_weights_that_count_rows_are_summed_and_others_are_rows() -> None:
    assert number_of(np.array([1.0, 2.0, 0.0])) == 3
    assert number_of(np.array([0.5, 0.0, 0.25, 2.0])) == 3


@pytest.mark.parametrize(("figure", "floor"), [("recall", 0.6), ("specificity", 0.7), ("alerts", 0.4)])
def test_a_floor_is_kept_where_the_exact_test_refutes_less(figure: str, floor: float) -> None:
    p, is_class = drawn(300, 3)
    cuts = Cuts.of(p, is_class, np.ones(300), None)
    hits, rows = cuts.share(figure)
    refuted = binom.sf(hits - 1, rows, 1 - floor if figure == "alerts" else floor) <= 0.1
    assert 10 < refuted.sum() < 290
    np.testing.assert_array_equal(kept(cuts, figure, floor, 0.1), refuted)
    levels = np.where(hits > 0, beta.ppf(0.1, np.maximum(hits, 1), rows - hits + 1), 0)
    np.testing.assert_allclose(promised(cuts, figure, floor, 0.1), levels, atol=1e-12)
    # What is promised and what is kept are one statement.
    np.testing.assert_array_equal(levels >= (1 - floor if figure == "alerts" else floor), refuted)


def starts_by_hand(cuts: Cuts, floor: float, error: float) -> list[int]:
    """The first places at which the rows reach eight counts in geometric progression."""
    first = math.log(error) / math.log(min(max(floor, 1e-6), 0.5))
    most = cuts.share("alerts")[1][0]
    first, rows = min(max(first, 1.0), most), cuts.share("precision")[1]
    counts = [first * (max(most, 1.0) / first) ** (step / STARTS) for step in range(STARTS)]
    reached = [[place for place in range(len(rows)) if rows[: place + 1].max() >= count] for count in counts]
    return sorted({places[0] if places else len(rows) - 1 for places in reached})


@pytest.mark.parametrize("n", [2, 4, 30, 403])
@pytest.mark.parametrize("floor", [1e-9, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("counted", [True, False])
def test_sequences_start_at_numbers_of_rows_that_depend_on_their_total_alone(
    n: int, floor: float, counted: bool
) -> None:
    p, is_class = drawn(n, 4)
    # Weights of very different size: the effective number of rows falls in between.
    weight = np.ones(n) if counted else np.random.default_rng(5).lognormal(0, 1.5, n)
    cuts = Cuts.of(p, is_class, weight, None)
    found = _starts(cuts, floor, 0.1 / STARTS)
    assert found.tolist() == starts_by_hand(cuts, floor, 0.1 / STARTS)
    if counted:
        other = Cuts.of(p, ~is_class, weight, None)
        np.testing.assert_array_equal(_starts(other, floor, 0.1 / STARTS), found)
        # All right at the first start: enough for the test, and one row less is not.
        rows = cuts.above[found[0]]
        if n > 10:
            assert min(floor, 0.5) ** rows <= 0.1 / STARTS
            assert rows == 1 or min(floor, 0.5) ** (rows - 1) > 0.1 / STARTS


def test_without_cut_offs_no_sequence_starts() -> None:
    alike = Cuts.of(np.full(5, 0.3), np.arange(5) < 2, np.ones(5), None)
    assert len(alike.at) == 0
    assert len(_starts(alike, 0.5, 0.1)) == 0
    assert len(kept(alike, "precision", 0.5, 0.1)) == len(promised(alike, "precision", 0.5, 0.1)) == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("floor", [0.35, 0.6])
def test_a_precision_is_kept_from_each_start_up_to_its_first_failure(seed: int, floor: float) -> None:
    p, is_class = drawn(500, seed)
    cuts = Cuts.of(p, is_class, np.ones(500), None)
    hits, rows = cuts.share("precision")
    passes = binom.sf(hits - 1, rows, floor) <= 0.2 / STARTS
    starts = starts_by_hand(cuts, floor, 0.2 / STARTS)
    walked = np.zeros(len(passes), dtype=bool)
    for start in starts:
        for place in range(start, len(passes)):
            if not passes[place]:
                break
            walked[place] = True
    assert walked.any()
    np.testing.assert_array_equal(kept(cuts, "precision", floor, 0.2), walked)
    level = promised(cuts, "precision", floor, 0.2)
    np.testing.assert_allclose(level[starts], beta.ppf(0.2 / STARTS, hits[starts], rows[starts] - hits[starts] + 1))
    assert np.isneginf(np.delete(level, starts)).all()


def test_a_failure_between_two_starts_ends_the_first_sequence_alone() -> None:
    """30 rows right, 70 wrong, 900 right: the precision falls and rises again."""
    is_class = np.concatenate([np.ones(30, bool), np.zeros(70, bool), np.ones(900, bool)])
    cuts = Cuts.of(np.linspace(1, 0, 1000), is_class, np.ones(1000), None)
    floor = kept(cuts, "precision", 0.7, 0.1)
    passes = binom.sf(cuts.hits - 1, cuts.above, 0.7) <= 0.1 / STARTS
    first = passes[::-1].argmin()
    assert floor[starts_by_hand(cuts, 0.7, 0.1 / STARTS)[0] :][:5].any() == passes[6]
    assert not floor[60]
    assert floor[-1]
    # Rows between the last failure and the next start are not claimed, although they would pass.
    again = next(start for start in starts_by_hand(cuts, 0.7, 0.1 / STARTS) if start >= len(passes) - first)
    assert passes[again - 1] or again == len(passes) - first
    assert not floor[len(passes) - first : again].any()
    assert floor[again:].all()


def test_another_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="figure is one of precision, recall, specificity, alerts"):
        kept(Cuts.of(P, IS_CLASS, ROWS, None), "accuracy", 0.5, 0.1)
