"""What a section of a run's report is: a name, a title, and the values that its template shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rarebird.evaluation.result import Result, Scores
from rarebird.report.left_out import why_left_out


@dataclass(frozen=True)
class RunContents:
    """Everything that a run's report shows.

    Attributes:
        result: With scores on test or validation rows.
        recipe_toml: The recorded recipe.
        profile: The profile as plain values; what is absent is not shown.
        profile_text: The profile as the command line shows it.
        data: The path of the data, as the user gave it; empty where Python code gave the rows.
        command: A command that trains the recorded recipe again; empty where it is not known.
        fingerprints: ``train`` and ``test`` -> the fingerprint of these rows.
        shows_rows: Whether single rows may be on the page: their pictures, values and names.
        folder: Where the files beside the report are, for sections that show them; None: there are none.
    """

    result: Result
    recipe_toml: str
    profile: Mapping[str, Any] = field(default_factory=dict)
    profile_text: str = ""
    data: str = ""
    command: str = ""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    shows_rows: bool = True
    folder: Path | None = None


# The values of a section's template; None leaves the section out.
Values = Callable[[RunContents, Scores], Any]


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        name: Its place in addresses, and the name of its template in ``templates/run``.
        title: Its heading, and its entry in the list of sections.
        values: What the template shows.
        template: The name of the template, if that is not `name`.
    """

    name: str
    title: str
    values: Values
    template: str = ""


@dataclass(frozen=True)
class ShownSection:
    """A section with its values, or a sentence on why it is left out."""

    name: str
    title: str
    template: str
    values: Any
    left_out: str = ""


def shown(sections: tuple[Section, ...], contents: RunContents, scores: Scores) -> list[ShownSection]:
    """The sections that have something to show; one that fails costs no other."""
    found = []
    for one in sections:
        template = one.template or one.name
        try:
            values = one.values(contents, scores)
        except Exception as error:
            sentence = f"This section could not be made{why_left_out(error)}; result.json holds all values."
            found.append(ShownSection(one.name, one.title, template, None, sentence))
            continue
        if values is not None:
            found.append(ShownSection(one.name, one.title, template, values))
    return found
