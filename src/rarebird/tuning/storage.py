"""Where trials stand: Optuna's storage, in a SQLite file or at a database's address."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.engine import make_url

DATABASE = "trials.db"
WORKER = "worker"
# With what SQLite keeps beside a file that is open, or that a killed process left: by it the next one puts right what
# was half-written.
FILES = (DATABASE, *(f"{DATABASE}-{kind}" for kind in ("journal", "wal", "shm")))
# Several processes may write one file: each waits so many seconds for the other's lock rather than giving up.
PATIENCE = 60.0


def opened(where: Path | str) -> RDBStorage:
    """The storage in a folder's `DATABASE`, which is made where it is not there, or at a database's address."""
    if isinstance(where, Path):
        where.mkdir(parents=True, exist_ok=True)
        where = f"sqlite:///{where / DATABASE}"
    file = _file(where)
    return _Named(where, engine_kwargs={"creator": lambda: _connected(file)} if file else None)


def close(storage: RDBStorage) -> None:
    """Let go of the storage; what SQLite kept beside its file goes into it, unless another process is still at it."""
    file = _file(storage.url)
    storage.remove_session()
    storage.engine.dispose()
    if file and Path(file).is_file():
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")


class _Named(RDBStorage):
    """Begins trials with their worker's name in them: a process that is killed right after could not leave it behind
    any more."""

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        named = template_trial or create_trial(state=TrialState.RUNNING, user_attrs={WORKER: worker()})
        return super()._create_new_trial(study_id, named)


def worker() -> str:
    """Who drives a trial: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _file(address: str) -> str | None:
    url = make_url(address)
    return url.database if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") else None


def _connected(file: str) -> sqlite3.Connection:
    """A connection that writes ahead: a trial is some twenty small transactions, each of which would else wait for the
    disk.

    What is written survives the end of the process at once, and that of the machine as soon as the disk has it; the
    file is whole in any case. Where the file system cannot serve this, SQLite stays with its slower way.
    """
    connection = sqlite3.connect(file, timeout=PATIENCE, check_same_thread=False)
    with suppress(sqlite3.OperationalError):
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'wal' else 'FULL'}")
    return connection
