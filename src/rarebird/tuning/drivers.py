"""Which drivers of a study are alive. A driver is a process that proposes and records trials; it holds a lock as long
as it lives, so that the trials of one that was killed are known at once.

No process number is asked: containers repeat numbers and host names.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from rarebird.core import locks

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from sqlalchemy.engine import URL, Connection

# Seconds that a driver waits while others make the tables of a study.
LOCK_SECONDS = 60.0
# Seconds after which a driver looks whether its connection, and with it its lock, is lost; and within which all drivers
# of a server that was restarted have their locks again.
LOOK_SECONDS, RETURN_SECONDS = 1.0, 10.0
# The lock of whoever makes tables: the bytes of "rarebird" as a number.
CREATION = int.from_bytes(b"rarebird", "big")
# Whether somebody holds a lock, or the server was just started; and for how many seconds it has run.
HELD = (
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32 | objid::bigint) = :key) "
    "OR now() - pg_postmaster_start_time() < make_interval(secs => :seconds)"
)
UP = "SELECT EXTRACT(EPOCH FROM now() - pg_postmaster_start_time())"
# The server ends a connection, and its lock, when the machine at its other end has not answered for about a minute.
KEEP_ALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


class Drivers(Protocol):
    """The drivers of one study.

    Attributes:
        name: The name of this one, which it records with its trials.
    """

    name: str

    def is_alive(self, name: str) -> bool:
        """Whether a driver is alive."""
        ...

    def settle(self) -> None:
        """Wait until it is known of every other driver whether it is alive."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """A block that no two drivers of a study execute at once."""
        ...

    def close(self) -> None:
        """Release the lock of this driver."""
        ...


def new_name() -> str:
    """A name that no other driver has: the machine's, for people to read, and a random number."""
    return f"{socket.gethostname()}:{uuid.uuid4().int >> 65:016x}"


_THIS_PROCESS = new_name()


class OnlyDriver:
    """The driver of a folder that this process owns: all others are dead."""

    def __init__(self) -> None:
        self.name = _THIS_PROCESS

    def is_alive(self, name: str) -> bool:
        """As `Drivers` defines it."""
        return name == self.name

    def settle(self) -> None:
        """As `Drivers` defines it."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """As `Drivers` defines it."""
        yield

    def close(self) -> None:
        """As `Drivers` defines it."""


class DriversOfFile:
    """Drivers that share a SQLite file: each locks a file of its own in a folder beside it.

    Args:
        database: The SQLite file.
    """

    def __init__(self, database: Path) -> None:
        self.name = new_name()
        self._folder = database.with_name(f"{database.name}-drivers")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = locks.hold(self._file(self.name))

    def is_alive(self, name: str) -> bool:
        """As `Drivers` defines it."""
        return locks.is_held(self._file(name))

    def settle(self) -> None:
        """As `Drivers` defines it."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """As `Drivers` defines it."""
        lock, end = None, time.monotonic() + LOCK_SECONDS
        while lock is None and time.monotonic() < end:
            lock = locks.hold(self._folder / "creation")
            time.sleep(0.0 if lock else 0.05)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def close(self) -> None:
        """As `Drivers` defines it; files of drivers that died are removed, too."""
        if self._lock is None:
            return
        self._lock.release()
        self._lock = None
        for file in list(self._folder.iterdir()):
            lock: BaseFileLock | None = locks.hold(file)
            if lock is not None:
                file.unlink(missing_ok=True)
                lock.release()
        with suppress(OSError):
            self._folder.rmdir()  # another driver is alive

    def _file(self, name: str) -> Path:
        return self._folder / name.rpartition(":")[2]


class DriversOfServer:
    """Drivers that share a PostgreSQL database: each holds an advisory lock on a connection of its own.

    The server releases the lock when the connection ends. After the server was restarted, or the connection was lost,
    a thread takes the lock again.

    Args:
        url: The database's address.

    Raises:
        SQLAlchemyError: The database does not answer.
    """

    def __init__(self, url: URL) -> None:
        self.name = new_name()
        arguments = {"options": KEEP_ALIVE, "connect_timeout": 10}
        self._engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments if _is_psycopg(url) else {}
        )
        self._ended = threading.Event()
        # Driver -> when it was last asked about, on the scale of `time.monotonic`, and the answer.
        self._known: dict[str, tuple[float, bool]] = {}
        self._connection: Connection = self._locked()
        self._thread = threading.Thread(target=self._keep, name="rarebird-driver-lock", daemon=True)
        self._thread.start()

    def is_alive(self, name: str) -> bool:
        """As `Drivers` defines it. A server that was just started holds no locks yet, so that all count as alive."""
        if name == self.name:
            return True
        asked, alive = self._known.get(name, (-LOOK_SECONDS, True))
        if time.monotonic() - asked > LOOK_SECONDS:
            with self._engine.connect() as connection:
                alive = bool(connection.execute(text(HELD), {"key": _key(name), "seconds": RETURN_SECONDS}).scalar())
            self._known[name] = (time.monotonic(), alive)
        return alive

    def settle(self) -> None:
        """As `Drivers` defines it."""
        with self._engine.connect() as connection:
            up = float(connection.execute(text(UP)).scalar() or RETURN_SECONDS)
        time.sleep(max(0.0, RETURN_SECONDS - up))
        self._known.clear()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """As `Drivers` defines it."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": CREATION})
            yield  # the lock ends with the connection

    def close(self) -> None:
        """As `Drivers` defines it."""
        self._ended.set()
        self._thread.join()
        with suppress(SQLAlchemyError):
            self._connection.close()
        self._engine.dispose()

    def _locked(self) -> Connection:
        """A connection that holds this driver's lock."""
        connection = self._engine.connect()
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key(self.name)})
        return connection

    def _keep(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                with suppress(SQLAlchemyError):
                    self._connection.invalidate()
                with suppress(SQLAlchemyError):
                    self._connection = self._locked()


def _is_psycopg(url: URL) -> bool:
    return url.get_driver_name().startswith("psycopg")


def _key(name: str) -> int:
    """The number of an advisory lock; a name that is not of this form has one that nobody holds."""
    try:
        return int(name.rpartition(":")[2], 16) & (2**63 - 1)
    except ValueError:
        return 0
