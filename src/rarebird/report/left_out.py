"""Why a figure or a page is left out: a defect of one picture must not cost the result that it shows."""

from __future__ import annotations

import os

LONGEST = 200  # characters of an error's text


def why_left_out(error: Exception) -> str:
    """The end of a sentence on what is left out, with the error's name and first line.

    Raises:
        Exception: The error itself where the user looks for a defect, with RAREBIRD_TRACEBACK=1.
    """
    if os.environ.get("RAREBIRD_TRACEBACK"):
        raise error
    text = (str(error).splitlines() or [""])[0][:LONGEST].rstrip(".")
    return f" ({type(error).__name__}{': ' if text else ''}{text})"
