"""Where `synthesize` writes new rows and their page."""

from __future__ import annotations

import re
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.report.left_out import why_left_out
from rarebird.report.pages import synthetic_rows as page_file
from rarebird.runs import new_rows_page, row_files
from rarebird.runs.request import Request
from rarebird.runs.synthesize import Asked, NewRows

REJECTED = "rejected"


def check_place(out: Path, force: bool) -> None:
    """Raises:
    DataError: A file is there already, or its folder is not.
    """
    if not out.absolute().parent.is_dir():
        raise DataError(f"There is no folder {out.absolute().parent}; make it, or give --out another place.")
    for place in (out, rejected(out)):
        if place.exists() and not force:
            raise DataError(f"{place} is there already; give --force to replace it, or --out another name.")


def rejected(place: Path) -> Path:
    """The name of rows that the gate rejects."""
    return place.with_name(f"{place.stem}.{REJECTED}{place.suffix}")


def write(found: NewRows, asked: Asked, request: Request) -> tuple[dict[str, str], list[str]]:
    """Write the rows, and then the page.

    Returns:
        What was written -> its path; and a note if the page could not be made.

    """
    place = asked.out
    if place is None:
        name = re.sub(r"[^\w.-]+", "_", f"{request.data.stem}-{found.verdict.label}")
        place = Path(f"{name}-synthetic{row_files.usual_suffix(request.data, found.train.kind)}")
        check_place(place, request.force)
    place = place if found.verdict.passes else rejected(place)
    row_files.write_rows(found.made, place, request.read)
    page = place.with_name(f"{place.name if row_files.is_folder(place, found.made.kind) else place.stem}.html")
    try:
        page_file.write(page, new_rows_page.page_of(found, place.name))
    except Exception as error:
        return {"file": str(place)}, [f"{page} could not be written{why_left_out(error)}; {place} is complete."]
    return {"file": str(place), "page": str(page)}, []
