"""The sections on recipe, profile and run: all that is needed to repeat the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rarebird.evaluation.result import Scores
from rarebird.report.sections.section import RunContents


def recipe_values(contents: RunContents, scores: Scores) -> str | None:
    """The recipe as TOML."""
    return contents.recipe_toml or None


def profile_values(contents: RunContents, scores: Scores) -> dict[str, Any] | None:
    """The profile as text, and the methods that apply."""
    if not contents.profile_text:
        return None
    return {"text": contents.profile_text, "applicable": contents.profile.get("applicable") or []}


def run_values(contents: RunContents, scores: Scores) -> dict[str, Any]:
    """The command that repeats the run, and what identifies it."""
    searched = bool(contents.result.tried) or contents.result.search is not None
    return {"command": contents.command, "is_exact": not searched, "facts": list(_facts(contents))}


def _facts(contents: RunContents) -> Iterator[tuple[str, str]]:
    result = contents.result
    seed = next((line for line in contents.recipe_toml.splitlines() if line.startswith("seed = ")), "")
    if seed:
        yield "Seed", seed.removeprefix("seed = ")
    if result.steps is not None:
        of = f" of {result.steps.full_steps:,}" if result.steps.full_steps > result.steps.steps else ""
        passes = "" if result.steps.epochs is None else f", {result.steps.epochs:.3g} passes over the training rows"
        what = "Rounds" if result.steps.epochs is None else "Steps"
        yield what, f"{result.steps.steps:,}{of}{passes}"
    for part, title in (("train", "Fingerprint of the training rows"), ("test", "Fingerprint of the test rows")):
        if found := contents.fingerprints.get(part):
            yield title, found
    if not contents.shows_rows:
        yield "Single rows", "left out of this page (--no-rows)"
