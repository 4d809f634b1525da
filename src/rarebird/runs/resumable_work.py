"""Work whose unfinished parts stay in a run's folder: the next command resumes it, begins anew, or is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rarebird.core.checks import DataError
from rarebird.runs.file_names import RESULT
from rarebird.runs.output_folder import OutputFolder


@dataclass(frozen=True)
class ResumableWork:
    """A kind of work that a killed command leaves in its folder.

    Attributes:
        name: In sentences: ``search`` or ``training``.
        keeps: The files and folders of its parts.
        is_kept: Whether a folder holds a finished part of it.
        nothing_kept: The note where it was to be resumed, and no part had finished.
    """

    name: str
    keeps: Sequence[str]
    is_kept: Callable[[Path], bool]
    nothing_kept: str

    def begin(self, out: OutputFolder, resume: bool, force: bool) -> None:
        """Leave the parts of a killed command in the folder if they are resumed; otherwise remove them.

        Args:
            out: The folder, which this process owns.
            resume: Whether the work is to be resumed.
            force: Whether it may begin anew in place of unfinished work.

        Raises:
            DataError: The folder holds unfinished work that is not to be resumed, or finished work that is.
        """
        killed = out.unfinished and self.is_kept(out.path)
        if killed and not (resume or force):
            raise DataError(
                f"{out.path} holds a {self.name} that did not end; resume it with --resume, start it anew with "
                "--force, or give another --out."
            )
        if resume and not killed and out.has(RESULT):
            raise DataError(
                f"{out.path} holds no {self.name} to resume: its run is finished; leave out --resume, and give another "
                "--out, or --force to replace the run."
            )
        if not (killed and resume):
            out.remove(self.keeps)
        if resume and not killed:
            out.notes.append(self.nothing_kept)
