"""The data card of a run: how many rows of what, and which problems were found in them.

After Gebru et al., "Datasheets for Datasets" (Communications of the ACM 2021). It has counts and names of columns and
classes, and no row.
"""

from __future__ import annotations

from rarebird.core.checks import some
from rarebird.core.version import VERSION
from rarebird.evaluation.result import Result
from rarebird.profile.duplicates import Duplicates
from rarebird.profile.facts import Profile
from rarebird.report.cards.markdown import plain, sentences, table
from rarebird.report.cards.model_card import KINDS, TO_STATE

MOST_COLUMNS = 20


def data_card(profile: Profile, result: Result, fingerprint: str) -> str:
    """The card as Markdown.

    Args:
        profile: Of the rows.
        result: Of the run that learned from them; it knows of rows from elsewhere.
        fingerprint: Of the training rows.
    """
    parts = [
        f"# Data card: {plain(profile.name)}",
        f"Written by rarebird {VERSION} from the profile of the rows; it holds no row. {TO_STATE} marks what the "
        "program cannot know.",
        "## Rows",
        _rows(profile, fingerprint),
        *_target(profile),
        "## Problems found",
        sentences(profile.ailments),
        "## Columns and cells",
        _columns(profile),
        "## Rows from elsewhere",
        _elsewhere(result),
        "## Origin",
        f"- {TO_STATE} who collected the rows, when, where and why; whether the people concerned agreed; the licence; "
        "who is missing among the rows; how labels were given, and how often two people would give the same one.",
    ]
    if profile.notes:
        parts += ["## Notes", sentences(profile.notes)]
    return "\n\n".join(parts) + "\n"


def _rows(profile: Profile, fingerprint: str) -> str:
    groups = profile.groups
    facts = [
        ("kind", KINDS[profile.kind]),
        ("training rows", f"{profile.n:,}"),
        ("validation rows", "none were given" if profile.n_val is None else f"{profile.n_val:,}"),
        ("test rows", "a part of the above was held out" if profile.n_test is None else f"{profile.n_test:,}"),
        ("size", ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in profile.shape.items())),
        ("fingerprint of the training rows", fingerprint),
        ("groups", "none" if groups is None else f"{groups.count:,}, the largest of {groups.largest:,} rows"),
        ("copies among the training rows", _copies(profile.duplicates)),
        *((f"copies in the {name} rows", _copies(found)) for name, found in profile.across.items()),
        ("equal rows with different labels", f"{profile.conflicts.rows:,}"),
    ]
    return table(["", ""], facts)


def _copies(found: Duplicates) -> str:
    return f"{found.exact:,} exact, {found.near:,} near{' (chance explains them)' if found.chance else ''}"


def _target(profile: Profile) -> list[str]:
    if profile.target_summary:
        summary = [(name.replace("_", " "), f"{value:.6g}") for name, value in profile.target_summary.items()]
        return [f"## Target: {plain(profile.target)}", table(["", ""], summary)]
    if not profile.classes:
        return []
    tested = any(row.test is not None for row in profile.classes)
    ordered = sorted(profile.classes, key=lambda row: -row.count)
    rows: list[list[object]] = [
        [row.label, f"{row.count:,}", f"{100 * row.share:.3g} %", *([row.test or 0] if tested else [])]
        for row in ordered
    ]
    head = ["class", "training rows", "share", *(["test rows"] if tested else [])]
    ratio = f"The largest class has {profile.imbalance_ratio:,.4g} times the rows of the smallest."
    return [f"## Target: {plain(profile.target)}", table(head, rows), ratio]


def _columns(profile: Profile) -> str:
    missing = [f"{name} {100 * share:.3g} %" for name, share in profile.missing_by_column.items()]
    identifiers = [f"{name} ({reason})" for name, reason in profile.identifier_columns.items()]
    facts = [
        ("missing cells", f"{100 * profile.missing_share:.3g} %: {some(missing, MOST_COLUMNS)}" if missing else "none"),
        ("columns with one value, not used", some(profile.constant_columns, MOST_COLUMNS) or "none"),
        ("columns that identify rows, not used", some(identifiers, MOST_COLUMNS) or "none"),
        ("columns that alone give the target away", some([leak.column for leak in profile.leaks]) or "none found"),
    ]
    return table(["", ""], facts)


def _elsewhere(result: Result) -> str:
    lines = []
    if result.external is not None:
        lines += [f"{one.joined:,} of {one.given:,} rows of {one.name} joined." for one in result.external.sources]
    if result.synthesis is not None:
        used = "The model learned from rows" if result.synthesis.used else "The model learned from no row"
        lines.append(f"{used} of a generator; the report has the verdict of the gate.")
    return sentences(lines)
