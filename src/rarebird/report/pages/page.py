"""Fill a template and write the page: shared by all pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rarebird.core.atomic_files import whole_file
from rarebird.report.figures.drawing import FONTS
from rarebird.report.language.chosen import ENGLISH, TAGS, language

TEMPLATES = Path(__file__).parents[1] / "templates"


def template_text(name: str) -> str:
    """A file of `TEMPLATES` as it is."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def rendered(template: str, **values: Any) -> str:
    """The page of a template in `templates/`, filled with these values, in the language that the user chose; all their
    text is escaped."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    document = environment.get_template(template).render(fonts=FONTS, **values)
    chosen = language()
    if chosen == ENGLISH:
        return document
    from rarebird.report.language.catalogue import catalogue
    from rarebird.report.language.page import translated_page

    return translated_page(document, catalogue(chosen), TAGS.get(chosen, chosen))


def write_page(path: Path, document: str) -> None:
    """Write a page; a reader of `path` sees the old file or the new one, never a part."""
    with whole_file(path) as building:
        # A file name that is not Unicode contains lone surrogates, which UTF-8 refuses.
        building.write_text(document, encoding="utf-8", errors="backslashreplace", newline="\n")
