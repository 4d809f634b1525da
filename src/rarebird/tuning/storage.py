"""Where trials are stored: Optuna's storage, in a SQLite file or at a database's address."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from rarebird.core.checks import DataError
from rarebird.tuning import database_address
from rarebird.tuning.driver_storage import StorageWithDrivers, WaitingStorage
from rarebird.tuning.drivers import Drivers, DriversOfFile, DriversOfServer, OnlyDriver

DATABASE = "trials.db"
# The file, and those that SQLite keeps beside an open file. A killed process leaves them behind, and the next process
# needs them to repair what was half-written.
FILES = (DATABASE, *(f"{DATABASE}-{kind}" for kind in ("journal", "wal", "shm")))
# Several processes may write one file: each waits this many seconds for the lock of another before it gives up.
LOCK_SECONDS = 60.0


@contextmanager
def opening(where: Path | str) -> Iterator[StorageWithDrivers]:
    """The storage in a folder's `DATABASE`, which is created if it is missing, or at a database's address.

    In the block, no other driver opens the same storage: a study is created, and its identity recorded, once. The
    storage stays open after the block, and is closed where the block ends with an error.

    Raises:
        DataError: The file is damaged, or the database does not answer.
    """
    if isinstance(where, Path):
        where.mkdir(parents=True, exist_ok=True)
        name, drivers = str(where / DATABASE), OnlyDriver()
        address = f"sqlite:///{where / DATABASE}"
        yield from _opened(lambda: _of_file(address, str(where / DATABASE), drivers), drivers, name)
        return
    url = database_address.parsed(where)
    shown = database_address.shown(url)
    if database_address.is_postgresql(url):
        try:
            server = DriversOfServer(url)
        except SQLAlchemyError as error:
            why = database_address.reason(error, url)
            raise DataError(f"The database at {shown} does not answer ({why}); check the address.") from None
        yield from _opened(lambda: _of_server(url, shown, server), server, shown)
        return
    file = DriversOfFile(Path(str(url.database)))
    yield from _opened(lambda: _of_file(where, str(url.database), file), file, shown)


def _opened(open_it: Any, drivers: Drivers, name: str) -> Iterator[StorageWithDrivers]:
    """Open a storage exclusively, and close it, with its drivers, where the block ends with an error."""
    storage: StorageWithDrivers | None = None
    try:
        with drivers.exclusive():
            storage = open_it()
            yield storage
    except (SQLAlchemyError, StorageInternalError) as error:
        _close(storage, drivers)
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        why = str(getattr(cause, "orig", None) or type(cause).__name__).splitlines()[0]
        raise DataError(
            f"The trials in {name} cannot be read ({why}); give another folder with --out, or start anew with --force."
        ) from None
    except BaseException:
        _close(storage, drivers)
        raise


def _of_file(address: str, file: str, drivers: Drivers) -> StorageWithDrivers:
    storage = StorageWithDrivers(_literal(address), engine_kwargs={"creator": lambda: _connect(file)})
    storage.drivers = drivers
    return storage


def _of_server(url: Any, shown: str, drivers: Drivers) -> StorageWithDrivers:
    address = url.render_as_string(hide_password=False)
    storage = WaitingStorage(_literal(address), engine_kwargs={"pool_pre_ping": True})
    storage.drivers, storage.shown = drivers, f"The database at {shown}"
    return storage


def _literal(address: str) -> str:
    # Optuna formats the address, so that braces in it (of a password, or a folder's name) must be doubled.
    return address.replace("{", "{{").replace("}", "}}")


def close(storage: StorageWithDrivers) -> None:
    """Close the storage; the files beside a SQLite file are merged into it, unless another process still uses them."""
    _close(storage, storage.drivers)


def _close(storage: StorageWithDrivers | None, drivers: Drivers) -> None:
    if storage is not None:
        storage.remove_session()
        storage.engine.dispose()
        file = _file(storage.url)
        if file and Path(file).is_file():
            with suppress(sqlite3.Error), closing(sqlite3.connect(file, timeout=0)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
    drivers.close()


def _file(address: str) -> str | None:
    url = make_url(address)
    return url.database if url.get_backend_name() == database_address.SQLITE else None


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
