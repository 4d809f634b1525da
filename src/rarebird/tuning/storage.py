"""Where trials are stored: Optuna's storage, in a SQLite file or at a database's address."""

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
# The user attribute of a trial that names its process.
WORKER = "worker"
# The file, and those that SQLite keeps beside an open file. A killed process leaves them behind, and the next process
# needs them to repair what was half-written.
FILES = (DATABASE, *(f"{DATABASE}-{kind}" for kind in ("journal", "wal", "shm")))
# Several processes may write one file: each waits this many seconds for the lock of another before it gives up.
LOCK_SECONDS = 60.0


def open_storage(where: Path | str) -> RDBStorage:
    """The storage in a folder's `DATABASE`, which is created if it is missing, or at a database's address."""
    if isinstance(where, Path):
        where.mkdir(parents=True, exist_ok=True)
        where = f"sqlite:///{where / DATABASE}"
    file = _file(where)
    return _StorageWithWorkers(where, engine_kwargs={"creator": lambda: _connect(file)} if file else None)


def close(storage: RDBStorage) -> None:
    """Close the storage; the files beside a SQLite file are merged into it, unless another process still uses them."""
    file = _file(storage.url)
    storage.remove_session()
    storage.engine.dispose()
    if file and Path(file).is_file():
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")


class _StorageWithWorkers(RDBStorage):
    """Writes the worker's name in the same transaction that creates a trial, so that a kill in between cannot leave a
    trial without it."""

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        named = template_trial or create_trial(state=TrialState.RUNNING, user_attrs={WORKER: worker()})
        return super()._create_new_trial(study_id, named)


def worker() -> str:
    """The name of this process as the one that records a trial: machine and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _file(address: str) -> str | None:
    url = make_url(address)
    return url.database if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") else None


def _connect(file: str) -> sqlite3.Connection:
    """A connection with a write-ahead log: a trial is some twenty small transactions, and without the log each of them
    would wait for the disk.

    A kill of the process loses nothing that was written; a crash of the machine may lose the last transactions but
    never damages the file. Where the file system does not support the log, SQLite keeps its slower way.
    """
    connection = sqlite3.connect(file, timeout=LOCK_SECONDS, check_same_thread=False)
    with suppress(sqlite3.OperationalError):
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'wal' else 'FULL'}")
    return connection
