"""The folder that a command writes: owned by one process, checked before the work, and written in place.

The hidden folder `HIDDEN` in it holds the lock of its owner and the list of the files that commands wrote. Only files
on that list are ever replaced or removed; what users put beside them stays.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rarebird.core import locks
from rarebird.core.atomic_files import put_in_place, whole_file
from rarebird.core.checks import DataError
from rarebird.core.disk_space import naming_the_place
from rarebird.core.temporary_folder import remove_leftovers, temporary_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from rarebird.runs.request import Request

HIDDEN, LOCK, LIST = ".rarebird", "lock", "files.json"
# What a new disk holds, which is nobody's file.
OF_THE_SYSTEM = ("lost+found",)
# A list longer than this is not ours.
MOST_BYTES = 10_000_000


@dataclass
class OutputFolder:
    """A folder that this process owns, from `owned_folder`.

    Attributes:
        path: The folder, as it was asked for.
        files: The files in it that commands wrote, as paths with ``/``; a name that ends so is a folder of which
            everything was written by commands.
        unfinished: Whether it holds the trials of a search that has not ended.
        notes: Sentences for the user on what was found there.
    """

    path: Path
    files: set[str] = field(default_factory=set)
    unfinished: bool = False
    notes: list[str] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether commands wrote a file or folder of this name, and it is still there.

        SQLite's files beside a database (``trials.db-wal``) are the database's own: one that is still open, as where an
        error of an earlier call in the same process holds it, makes them anew.
        """
        own, _, kind = name.rpartition("-")
        names = (name, own) if kind in ("wal", "shm", "journal") else (name,)
        return any(_is_under(file, one) for file in self.files for one in names) and os.path.lexists(self.path / name)

    def announce(self, names: Iterable[str], unfinished: bool = False) -> None:
        """Put files on the list that are about to be written.

        Args:
            names: Files, or folders that end with ``/``.
            unfinished: Whether they belong to a search that can be resumed.
        """
        self.files |= set(names)
        self.unfinished = self.unfinished or unfinished
        self._save()

    @contextmanager
    def replacing(self, last: str | None = None) -> Iterator[Path]:
        """A folder to write into; what is in it at the end of the block replaces the files of the same names.

        Each file, and each folder within, is seen whole or not at all. Files that users put into a folder that is
        replaced stay there.

        Args:
            last: The file whose presence says that all others are complete: an earlier one is removed first, and the
                new one is moved last.

        Raises:
            DiskFullError: The disk is full.
        """
        with naming_the_place(self.path), temporary_folder(self.path / HIDDEN) as temporary:
            building = temporary / "new"
            building.mkdir()
            yield building
            before = set(self.files)
            self.announce(_files_in(building))
            if last is not None:
                (self.path / last).unlink(missing_ok=True)
            for new in sorted(building.iterdir(), key=lambda entry: entry.name == last):
                aside = temporary / f"old-{new.name}"
                put_in_place(new, self.path / new.name, aside)
                _bring_back(aside, self.path / new.name, new.name, before)
            self.files -= {name for name in self.files if not os.path.lexists(self.path / name)}
            self._save()

    def remove(self, names: Iterable[str]) -> None:
        """Remove what commands wrote under these names; a search among them has ended."""
        for name in names:
            for file in [file for file in self.files if _is_under(file, name)]:
                path = self.path / file
                if file.endswith("/"):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                self.files.discard(file)
            with suppress(OSError):
                (self.path / name).rmdir()  # a folder that is now empty
        self._save()

    def finished(self) -> None:
        """Record that the search has ended."""
        self.unfinished = False
        self._save()

    def _save(self) -> None:
        text = json.dumps({"files": sorted(self.files), "unfinished": self.unfinished}, indent=1)
        with whole_file(self.path / HIDDEN / LIST) as building:
            building.write_text(text, encoding="utf-8")


@contextmanager
def owned_folder(
    request: Request, makes: Sequence[str], continues: Sequence[str] = (), resume: bool = False
) -> Iterator[OutputFolder]:
    """The request's folder, owned by this process to the end of the block.

    It is made if it is missing. If nothing was written, for instance because the data are refused, all that was made is
    removed.

    Args:
        request: Its `out`; where that is a default that another process took, a number is added to it.
        makes: The files that the command will write.
        continues: Files of a search, which the command continues or removes.
        resume: Whether a search is continued, so that the results in `makes` may be replaced.

    Raises:
        DataError: Another process owns the folder, nothing can be written there, it holds something else than results
            of commands, or an earlier result that must not be replaced.
    """
    for path in _names(request):
        made, lock = _claimed(path)
        if lock is not None:
            break
    else:
        raise DataError(f"Another process writes into {path}; give another folder with --out.")
    try:
        folder = OutputFolder(path, *_listed(path))
        _check(folder, makes, continues, request.force or resume)
        remove_leftovers(path / HIDDEN)
        remove_leftovers(Path(tempfile.gettempdir()))
        yield folder
    finally:
        _leave(path, made, lock)


def _names(request: Request) -> Iterator[Path]:
    """The folder asked for; where none was asked for, also the same name with a number."""
    yield request.out
    if request.out_is_default:
        for number in range(2, 1000):
            yield request.out.with_name(f"{request.out.name}-{number}")


def _claimed(path: Path) -> tuple[list[Path], BaseFileLock | None]:
    """Make the folder, and lock it: the folders that were made, and the lock; None if another process has it.

    Raises:
        DataError: The folder cannot be made or written.
    """
    made: list[Path] = []
    try:
        place = path.resolve()
        for one in (*reversed(place.parents), place, place / HIDDEN):
            with suppress(FileExistsError):
                # Of folders whose parent cannot be written, those that exist are not made.
                if not one.is_dir():
                    one.mkdir()
                    made.append(one)
        return made, locks.hold(place / HIDDEN / LOCK)
    except RuntimeError:
        raise DataError(f"{path} is a link that leads to itself; give another folder with --out.") from None
    except OSError as error:
        _remove_empty(made)
        raise DataError(_why_not(place, error)) from None


def _why_not(place: Path, error: OSError) -> str:
    existing = next((one for one in (place, *place.parents) if _exists(one)), place)
    if existing.exists() and not existing.is_dir():
        return f"{existing} is a file; give a folder for the results with --out."
    if error.errno == errno.ENAMETOOLONG:
        return f"The name {place.name[:40]}... is too long for a folder; give a shorter one with --out."
    return f"Nothing can be written in {existing} ({error.strerror}); give another folder with --out."


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except OSError:
        return False


def _listed(path: Path) -> tuple[set[str], bool]:
    """The files that commands wrote, and whether a search has not ended; a list that is no list of ours is empty.

    Its names decide what is removed: only names below the folder are believed.
    """
    file = path / HIDDEN / LIST
    try:
        if file.stat().st_size > MOST_BYTES:
            return set(), False
        plain: Any = json.loads(file.read_text(encoding="utf-8"))
        names = {str(name) for name in plain["files"]}
        unfinished = plain["unfinished"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set(), False
    return {name for name in names if _is_below(name) and _has_plain_parents(path, name)}, unfinished


def _is_below(name: str) -> bool:
    pure = PurePosixPath(name)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and pure.parts[0] != HIDDEN


def _has_plain_parents(path: Path, name: str) -> bool:
    """Whether no folder between this one and a file is a link, which could lead elsewhere."""
    return not any((path / parent).is_symlink() for parent in PurePosixPath(name).parents if parent.parts)


def _check(folder: OutputFolder, makes: Sequence[str], continues: Sequence[str], may_replace: bool) -> None:
    """Check that the folder holds nothing that must not be replaced.

    Raises:
        DataError: It does.
    """
    path = folder.path
    held = [entry.name for entry in path.iterdir() if entry.name not in (HIDDEN, *OF_THE_SYSTEM)]
    if held and not folder.files:
        raise DataError(f"{path} exists and is not a run of rarebird; give another folder with --out.")
    there = [name for name in makes if os.path.lexists(path / name)]
    foreign = [name for name in (*makes, *continues) if os.path.lexists(path / name) and not folder.has(name)]
    if foreign:
        raise DataError(
            f"{path / foreign[0]} was not written by rarebird and would be replaced; move it, or give another folder "
            "with --out."
        )
    if there and not may_replace:
        raise DataError(
            f"{path} holds the result of an earlier command ({there[0]}); replace it with --force, or give another "
            "folder with --out."
        )


def _leave(path: Path, made: Sequence[Path], lock: BaseFileLock) -> None:
    """Release the folder; where nothing was written, remove what was made."""
    files, _ = _listed(path)
    place = path.resolve()
    if not any(os.path.lexists(place / name) for name in files):
        hidden = place / HIDDEN
        for name in (LIST, LOCK):
            with suppress(OSError):
                (hidden / name).unlink()
        remove_leftovers(hidden)
        _remove_empty([*made, *([] if hidden in made else [hidden])])
    lock.release()


def _remove_empty(made: Sequence[Path]) -> None:
    for one in reversed(made):
        with suppress(OSError):
            one.rmdir()


def _files_in(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]


def _is_under(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name.rstrip('/')}/")


def _bring_back(old: Path, new: Path, name: str, written: set[str]) -> None:
    """Move the files that commands did not write from a folder that was replaced into its successor."""
    if not old.is_dir():
        return
    for file in _files_in(old):
        back = new / file
        if f"{name}/{file}" not in written and not os.path.lexists(back):
            back.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(old / file, back)
