"""How often the 95 % intervals of scores contain the truth, on simulated test rows whose truth is known.

    python benchmarks/coverage.py                                   # the whole table, some minutes on one core
    python benchmarks/coverage.py --rows 5 10 --groups 0 20 --structure pure --samples 1000
    python benchmarks/coverage.py --values                          # errors of predicted numbers instead

A rare class of ``--rows`` rows and a common one, of four times these but 200 at least, have normal scores that differ
by the strength of the model; a row is predicted as rare above a threshold half-way (`good`: ROC AUC .90, recall .82;
`strong`: .983 and .88). Stated probabilities are calibrated, or overconfident by a factor of two in the log-odds.
Groups of 1, 5 or 20 rows share ``--icc`` of the scores' variance; they hold rows of both classes (`mixed`: tracks,
sites) or of one (`pure`: patients). 0 stands for scoring without groups. The last columns are the shares of samples
with perfect recall and with a perfect ROC AUC. With ``--values``, errors are normal, of Student's distribution with 5
degrees of freedom, or log-normal, and groups share half of their variance.
"""

from __future__ import annotations

import argparse
from statistics import NormalDist

import numpy as np

from rarebird.evaluation.scoring import score
from rarebird.evaluation.value_intervals import value_estimates
from rarebird.metrics.calibration import BINS, expected_calibration_error_interval

FIGURES = ("recall", "precision", "f1", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision")
CALIBRATION = ("ece_calibrated", "ece_overconfident")
# Name -> distance of the classes in standard deviations, and threshold.
MODELS = {"good": (1.8, 0.9), "strong": (3.0, 1.8)}
LOWEST, HIGHEST = 0.93, 0.99
NORMAL = NormalDist()


def stated(scores: np.ndarray, distance: float, rare: int, common: int, factor: float) -> np.ndarray:
    """``(n,)`` the model's probability of the rare class; `factor` stretches its log-odds."""
    log_odds = np.log(rare / common) + distance * scores - distance**2 / 2
    return np.asarray(1 / (1 + np.exp(-factor * log_odds)))


def truths(distance: float, threshold: float, rare: int, common: int) -> dict[str, float]:
    """Each figure on endlessly many rows of this mix."""
    recall, false = NORMAL.cdf(distance - threshold), 1 - NORMAL.cdf(threshold)
    grid = np.linspace(-9, 13, 100_001)
    of_rare, of_common = np.exp(-((grid - distance) ** 2) / 2), np.exp(-(grid**2) / 2)
    of_rare, of_common = rare * of_rare / of_rare.sum(), common * of_common / of_common.sum()
    hits, wrong = (np.cumsum(part[::-1])[::-1] for part in (of_rare, of_common))
    found = rare * recall + common * false
    f1 = 2 * rare * recall / (rare + found)
    f1_common = 2 * common * (1 - false) / (common + rare + common - found)
    known = {
        "recall": recall,
        "precision": rare * recall / found,
        "f1": f1,
        "balanced_accuracy": (recall + 1 - false) / 2,
        "macro_f1": (f1 + f1_common) / 2,
        "roc_auc": NORMAL.cdf(distance / 2**0.5),
        "average_precision": float((of_rare * hits / (hits + wrong).clip(1e-300)).sum() / rare),
    }
    for name, factor in zip(CALIBRATION, (1.0, 2.0), strict=True):
        probability = stated(grid, distance, rare, common, factor)
        top = np.maximum(probability, 1 - probability)
        place = (np.searchsorted(np.linspace(0, 1, BINS + 1), top, side="left") - 1).clip(0, BINS - 1)
        gap = np.where(probability > 0.5, of_rare, of_common) - (of_rare + of_common) * top
        known[name] = float(np.abs(np.bincount(place, gap, minlength=BINS)).sum() / (rare + common))
    return known


def sample(
    y: np.ndarray, distance: float, size: int, icc: float, structure: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores of the rows, and their groups of `size` rows."""
    n = len(y)
    noise = rng.normal(size=n)
    if not size:
        return distance * y + noise, None
    group = np.arange(n) // size
    if structure == "mixed":
        group = group[rng.permutation(n)]
    else:
        group = np.concatenate([np.arange((y == code).sum()) // size + n * code for code in (0, 1)])
    _, code = np.unique(group, return_inverse=True)
    if size == 1:
        return distance * y + noise, group
    shared = rng.normal(size=code.max() + 1)[code]
    return distance * y + np.sqrt(icc) * shared + np.sqrt(1 - icc) * noise, group


def cover(rare: int, size: int, structure: str, model: str, samples: int, icc: float, seed: int) -> dict[str, float]:
    """Share of samples in which each figure's interval contains the truth, and shares of perfect samples."""
    distance, threshold = MODELS[model]
    common = max(200, 4 * rare)
    y = np.repeat([0, 1], [common, rare])
    truth = truths(distance, threshold, rare, common)
    rng = np.random.default_rng([seed, rare, size, len(structure), len(model)])
    held: dict[str, list[bool]] = {name: [] for name in (*FIGURES, *CALIBRATION, "perfect recall", "perfect AUC")}
    for _ in range(samples):
        scores, group = sample(y, distance, size, icc, structure, rng)
        probability = stated(scores, distance, rare, common, 1.0)
        metrics = score(
            y,
            np.c_[1 - probability, probability],
            (scores > threshold).astype(int),
            ["common", "rare"],
            group=group,
            positive=1,
        ).metrics
        ends = {name: (metrics[name].low, metrics[name].high) for name in FIGURES}
        ends[CALIBRATION[0]] = metrics["expected_calibration_error"].low, metrics["expected_calibration_error"].high
        bold = stated(scores, distance, rare, common, 2.0)
        ends[CALIBRATION[1]] = expected_calibration_error_interval(y, np.c_[1 - bold, bold], np.ones(len(y)), group)
        for name, (low, high) in ends.items():
            if low is not None and high is not None:
                held[name].append(low <= truth[name] <= high)
        held["perfect recall"].append(metrics["recall"].value == 1)
        held["perfect AUC"].append(metrics["roc_auc"].value == 1)
    return {name: float(np.mean(inside)) for name, inside in held.items()}


def errors_of(tail: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """``(n,)`` errors of mean 0 and variance 1."""
    if tail == "normal":
        return rng.normal(size=n)
    if tail == "student_5":
        return rng.standard_t(5, n) / np.sqrt(5 / 3)
    spread = 0.8
    skewed = np.exp(spread * rng.normal(size=n)) - np.exp(spread**2 / 2)
    return np.asarray(skewed / np.sqrt((np.exp(spread**2) - 1) * np.exp(spread**2)))


def cover_values(tail: str, n: int, size: int, samples: int, seed: int) -> dict[str, float]:
    """Share of samples in which each interval of an error contains the truth; the predictions explain .8."""
    rng = np.random.default_rng([seed, n, size, len(tail)])
    group = None if not size else np.arange(n) // size

    def drawn(rows: int, of: np.ndarray | None) -> np.ndarray:
        if of is None or size == 1:
            return 0.5 * errors_of(tail, rows, rng)
        return 0.5 * (errors_of(tail, of.max() + 1, rng)[of] + errors_of(tail, rows, rng)) / np.sqrt(2)

    many = drawn(2_000_000, None if group is None else np.arange(2_000_000) // size)
    truth = {"mean_squared_error": 0.25, "mean_absolute_error": float(np.abs(many).mean()), "r2": 0.8}
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(samples):
        predicted = rng.normal(size=n)
        found = value_estimates(predicted + drawn(n, group), predicted, np.ones(n), group)
        for name, value in truth.items():
            low, high = found[name].low, found[name].high
            if low is not None and high is not None:
                held[name].append(low <= value <= high)
    return {name: float(np.mean(inside)) for name, inside in held.items()}


def print_values(rows: list[int], groups: list[int], samples: int, seed: int) -> None:
    """The table of `cover_values`."""
    print("| errors | groups | rows | mean squared error | mean absolute error | R2 |\n|---|---|---|---|---|---|")
    for tail in ("normal", "student_5", "log_normal"):
        for size in groups:
            for n in (n for n in rows if n >= 2 * size):
                shares = cover_values(tail, n, size, samples, seed)
                print(
                    f"| {tail} | {size or 'none'} | {n} |", *(f"{share:.3f} |" for share in shares.values()), flush=True
                )


def main() -> None:
    """Print the table, and what lies outside the promised range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[5, 10, 20, 50, 200])
    parser.add_argument("--groups", type=int, nargs="+", default=[0, 1, 5, 20], help="rows of a group; 0: no groups")
    parser.add_argument("--structure", nargs="+", default=["mixed", "pure"], choices=["mixed", "pure"])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--icc", type=float, default=0.3, help="share of the scores' variance that a group shares")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--values", action="store_true", help="errors of predicted numbers")
    given = parser.parse_args()
    if given.values:
        print_values(given.rows, given.groups, given.samples, given.seed)
        return
    outside: list[str] = []
    print("| model | groups | rows |", *(f"{name} |" for name in (*FIGURES, *CALIBRATION)), "perfect recall | AUC |")
    print("|---|---|---|" + "---|" * (len(FIGURES) + len(CALIBRATION) + 2))
    for model in given.models:
        for size in given.groups:
            for structure in given.structure if size > 1 else given.structure[:1]:
                kind = "none" if not size else "1" if size == 1 else f"{size} {structure}"
                for rare in given.rows:
                    shares = cover(rare, size, structure, model, given.samples, given.icc, given.seed)
                    print(
                        f"| {model} | {kind} | {rare} |", *(f"{share:.3f} |" for share in shares.values()), flush=True
                    )
                    outside += [
                        f"{name} {shares[name]:.3f} ({model}, groups {kind}, {rare} rows)"
                        for name in (*FIGURES, *CALIBRATION)
                        if not LOWEST <= shares[name] <= HIGHEST
                    ]
    print(f"\nOutside {LOWEST} to {HIGHEST}: {len(outside)}", *outside, sep="\n  ")


if __name__ == "__main__":
    main()
