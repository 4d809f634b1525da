"""The folder of a search by `tune`: who may write into it, and what stays in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rarebird.core.checks import DataError
from rarebird.runs import folder as run_folder
from rarebird.runs.file_names import RESULT
from rarebird.runs.output_folder import OutputFolder, owned_folder
from rarebird.runs.request import Request
from rarebird.tuning.storage import DATABASE, FILES
from rarebird.tuning.study import has_finished


@contextmanager
def trials_folder(request: Request, resumes: bool, is_shared: bool) -> Iterator[OutputFolder]:
    """The folder of a search, owned by this process: a new search needs a free one, and a search that is resumed the
    folder of its trials. Trials that finished stay in it, whatever ends the search.

    Args:
        request: Names the folder.
        resumes: Whether its search is continued.
        is_shared: Whether the trials are in a database elsewhere.

    Raises:
        DataError: The folder cannot be used.
    """
    with owned_folder(request, (), (*run_folder.FILES, *FILES), resumes) as out:
        has_trials = out.has(DATABASE)
        if (has_trials or out.has(RESULT)) and not (resumes or request.force):
            raise DataError(
                f"{out.path} holds the trials of an earlier search; continue it with --resume, start anew with "
                "--force, or give another folder with --out."
                if has_trials
                else f"{out.path} holds the result of an earlier command; replace it with --force, or give another "
                "folder with --out."
            )
        if resumes and not has_trials and not is_shared:
            if out.has(RESULT):
                raise DataError(f"{out.path} holds no trials to continue; give the search's folder with --out.")
            out.notes.append("No trial had finished, so that there was nothing to continue: the search started anew.")
        if not resumes:
            out.remove(FILES)
        if not is_shared:
            out.announce(FILES)
        try:
            yield out
        except BaseException as error:
            if has_finished(out.path):
                error.add_note(f"{out.path} keeps the trials that have finished: --resume continues with them.")
            else:
                out.remove(FILES)
            raise
