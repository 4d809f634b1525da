"""The profile as plain text for a terminal, in the user's language: aligned columns, also where letters are two columns
wide."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rarebird.core.checks import some
from rarebird.report.language.chosen import told

if TYPE_CHECKING:
    from rarebird.profile.facts import ClassRow, Profile

_MOST_CLASSES = 30
_LONGEST_LABEL = 40


def to_text(profile: Profile, width: int = 100) -> str:
    """The whole profile in lines of at most `width` columns."""
    lines = [*_head(profile), "", *_classes(profile), *_target(profile)]
    lines += [told("Problems found"), *_listed(profile.ailments or ("None.",), width), ""]
    lines += [told("Methods that apply"), *_methods(profile, width)]
    if profile.notes:
        lines += ["", told("Notes"), *_listed(profile.notes, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def display_width(text: str) -> int:
    """Columns that `text` takes in a terminal: two for wide East Asian letters, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table with two spaces between columns; the columns numbered in `left` are aligned left, the others
    right."""
    widths = [max(display_width(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(_padded(cell, widths[i], i in left) for i, cell in enumerate(row)) for row in rows]


def wrapped(text: str, width: int, indent: str) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces and between wide letters if possible; later lines
    start with `indent`."""
    lines, line, glue = [], "", ""
    for rest in _unbroken(text):
        if not rest.strip():
            glue += rest
            continue
        if line.strip(" -") and display_width(line + glue + rest) > width:
            lines.append(line)
            line, glue = indent, ""
        while display_width(line + glue + rest) > width:
            room = width - display_width(line + glue)
            head = _cut(rest, max(room, 2))
            lines.append(line + glue + head)
            line, glue, rest = indent, "", rest[len(head) :]
        line, glue = line + glue + rest, ""
    return [*lines, line]


def _unbroken(text: str) -> list[str]:
    """Pieces that no line break divides: words, single wide letters with the marks after them, and spaces."""
    return re.findall(r" |[^ \u2e80-\uffdc]+[，。、；：）”！？]*|[\u2e80-\uffdc][，。、；：）”！？]*", text)


def _head(profile: Profile) -> Iterator[str]:
    kinds = {"image": "pictures", "table": "table", "series": "time series"}
    split = "".join(
        f", {n:,} {name}" for n, name in ((profile.n_val, "validation"), (profile.n_test, "test")) if n is not None
    )
    yield _cut(told(f"{profile.name}: {kinds[profile.kind]}, {profile.task}"), 100)
    facts = [
        ("rows", f"{profile.n:,} training{split}"),
        ("size", _shape(profile)),
        ("target", _cut(profile.target, 60)),
    ]
    if profile.imbalance_ratio is not None and profile.effective_rows is not None:
        facts.append(
            ("imbalance ratio", f"{profile.imbalance_ratio:,.4g} (effective rows {profile.effective_rows:,.0f})")
        )
    facts.append(("missing", _missing(profile)))
    copies = profile.duplicates
    facts.append(
        (
            "duplicates",
            f"{copies.exact:,} exact, {copies.near:,} near" + (" (by chance or default)" if copies.chance else ""),
        )
    )
    for part, shared in profile.across.items():
        facts.append((f"shared with {part}", f"{shared.exact:,} exact, {shared.near:,} near"))
    facts.append(("label conflicts", f"{profile.conflicts.rows:,} rows" if profile.conflicts.rows else "none"))
    if profile.groups:
        facts.append(("groups", f"{profile.groups.count:,}, the largest has {profile.groups.largest:,} rows"))
    # The target's name is the user's.
    shown = [(told(name), value if name == "target" else told(value)) for name, value in facts]
    yield from ("  " + line for line in aligned(shown, left=(0, 1)))


def _missing(profile: Profile) -> str:
    if not profile.missing_by_column:
        return "none"
    return _cut(f"{profile.missing_share:.2%}, in {some(profile.missing_by_column, 3)}", 75)


def _shape(profile: Profile) -> str:
    shape = {name: int(value) if float(value).is_integer() else value for name, value in profile.shape.items()}
    channels = f"{shape.get('channels')} channel" + ("" if shape.get("channels") == 1 else "s")
    if profile.kind == "image":
        return f"{shape['width']} x {shape['height']} pixels, {channels}"
    if profile.kind == "series":
        short, median, long = shape["shortest"], shape["median_length"], shape["longest"]
        return (
            f"{channels}, {long} steps" if short == long else f"{channels}, {short} to {long} steps (median {median})"
        )
    kinds = [f"{shape[name]} {name}" for name in ("numeric", "categorical", "boolean", "date") if shape[name]]
    return (
        f"{shape['columns']} column{'' if shape['columns'] == 1 else 's'}: {', '.join(kinds)}"
        if kinds
        else "no columns"
    )


def _classes(profile: Profile) -> Iterator[str]:
    rows = sorted(profile.classes, key=lambda row: -row.count)
    if not rows:
        return
    tested = any(row.test is not None for row in rows)
    title = [told(name) for name in ("class", "rows", "share", "effective", *(["test"] if tested else []))]
    # If there are many classes, the largest ten and the smallest twenty are shown: the rare ones matter most.
    shown = rows if len(rows) <= _MOST_CLASSES else rows[:10] + rows[-20:]
    lines = aligned([title, *(_class_cells(row, tested) for row in shown)])
    if len(rows) > len(shown):
        lines.insert(11, told(f"... {len(rows) - len(shown)} more classes"))
    yield from ("  " + line for line in lines)
    yield ""


def _class_cells(row: ClassRow, tested: bool) -> list[str]:
    label = row.label if display_width(row.label) <= _LONGEST_LABEL else _cut(row.label, _LONGEST_LABEL - 3) + "..."
    cells = [label, f"{row.count:,}", f"{row.share:.2%}", f"{row.effective:,.1f}"]
    return [*cells, "" if row.test is None else f"{row.test:,}"] if tested else cells


def _target(profile: Profile) -> Iterator[str]:
    if profile.target_summary:
        yield from (
            "  " + line
            for line in aligned(
                [(told(name.replace("_", " ")), f"{value:.6g}") for name, value in profile.target_summary.items()]
            )
        )
        yield ""


def _listed(sentences: Sequence[str], width: int) -> Iterator[str]:
    for sentence in sentences:
        yield from wrapped(f"  - {told(sentence)}", width, "    ")


def _methods(profile: Profile, width: int) -> Iterator[str]:
    """One line per slot and reason, with all methods that share them."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for entry in profile.applicable:
        by_reason.setdefault((entry.slot, entry.why), []).append(entry.method)
    if not by_reason:
        yield f"  - {told('None.')}"
        return
    column = max(len(slot) for slot, _ in by_reason) + 4
    for (slot, why), names in by_reason.items():
        yield from wrapped(f"  {slot:<{column - 4}}  {', '.join(names)}: {told(why)}", width, " " * column)


def _padded(cell: str, width: int, left: bool) -> str:
    space = " " * (width - display_width(cell))
    return cell + space if left else space + cell


def _cut(text: str, width: int) -> str:
    """The longest beginning of `text` that takes at most `width` columns."""
    end, taken = 0, 0
    for letter in text:
        taken += display_width(letter)
        if taken > width:
            break
        end += 1
    return text[:end]
