"""The section on a search over time: the best so far, the chosen settings of each trial, and what they explain."""

from __future__ import annotations

from typing import Any

from rarebird.evaluation.result import Scores
from rarebird.evaluation.search_history import SearchHistory
from rarebird.report.figures import search
from rarebird.report.sections.figures import drawn
from rarebird.report.sections.section import RunContents
from rarebird.report.wording import wording

FEWEST_TRIALS = 3
# Lines of the figure of settings need some trials, and at least two settings.
FEWEST_LINES, FEWEST_SETTINGS = 4, 2
MOST_SETTINGS = 10


def search_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """What the section shows; None without a search, or with too few trials for a picture."""
    history = contents.result.search
    if history is None or len(history.trials) < FEWEST_TRIALS:
        return None
    figures = [
        drawn(
            "Best so far",
            "Each dot is a trial that finished, at its value on held-out rows; the line is the best one so far. A line "
            "that has long been flat shows that more time would hardly have helped.",
            lambda: search.best_so_far(history, _criterion(history)),
        )
    ]
    searched = [trial for trial in history.trials if trial.settings]
    settings = {name for trial in searched for name in trial.settings}
    if len(searched) >= FEWEST_LINES and len(settings) >= FEWEST_SETTINGS:
        figures.append(
            drawn(
                "Settings of each trial",
                "One line per trial, from setting to setting, to its value at the right. The best quarter is drawn "
                "strong: settings at which its lines meet matter, those that it crosses anywhere do not.",
                lambda: search.parallel_coordinates(history, _criterion(history), _axes(history)),
            )
        )
    return {
        "sentence": _sentence(history),
        "figures": figures,
        "importance": [(name, round(100 * share)) for name, share in list(history.importance.items())[:MOST_SETTINGS]],
        "searched": len(searched),
    }


def _axes(history: SearchHistory) -> list[str]:
    """The settings that are drawn, the most important first."""
    names = list(dict.fromkeys(name for trial in history.trials for name in trial.settings))
    ranked = sorted(names, key=lambda name: -history.importance.get(name, 0.0))
    return ranked[:MOST_SETTINGS]


def _criterion(history: SearchHistory) -> str:
    return "loss" if history.criterion == "loss" else wording(history.criterion).title.lower()


def _sentence(history: SearchHistory) -> str:
    values = [trial.value for trial in history.trials]
    best = history.trials[values.index(max(values) if history.larger_is_better else min(values))]
    which = f"“{best.name}”" if best.name else f"trial {best.number}"
    return (
        f"{len(values):,} trials finished; the best, {which}, was found after {best.seconds:.0f} of "
        f"{history.trials[-1].seconds:.0f} s. Test rows were not used."
    )
