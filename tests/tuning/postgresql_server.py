"""A PostgreSQL server of the tests' own: in a temporary folder, on this machine's loopback alone, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER, PASSWORD = "bird", "s3cret/w@rd"
QUOTED = "s3cret%2Fw%40rd"


def program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs; Debian keeps them in a folder of their version."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


class Server:
    """A running server.

    Attributes:
        port: Its port on 127.0.0.1.
    """

    def __init__(self, folder: Path, user: str | None) -> None:
        self._folder, self._user = folder, user
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def address(self, database: str = "postgres", password: str = QUOTED) -> str:
        """What ``--storage`` is given."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def initialize(self) -> None:
        """Make the server's files."""
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        if self._user:
            shutil.chown(secret, self._user)
        where = ["-D", str(self._folder / "data")]
        self._run("initdb", *where, "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off"
        log = ["-l", str(self._folder / "log")]
        self._run("pg_ctl", "-D", str(self._folder / "data"), *log, "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once: connections are cut."""
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def new_database(self, name: str) -> str:
        """The address of a new, empty database."""
        import psycopg

        with psycopg.connect(self.address().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        return self.address(name)

    def _run(self, name: str, *arguments: str) -> None:
        path = program(name)
        assert path is not None
        more: dict[str, Any] = {"user": self._user, "group": None} if self._user else {}
        if self._user:
            more["group"] = pwd.getpwnam(self._user).pw_gid
            more["extra_groups"] = []
        # Whoever reads the output of a server that stays would wait for its end.
        with (self._folder / f"{name}.out").open("w") as out:
            done = subprocess.run(
                [path, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd="/", check=False, **more
            )
        assert done.returncode == 0, (self._folder / f"{name}.out").read_text()


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    if any(program(name) is None for name in ("initdb", "pg_ctl", "postgres")):
        return "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed (pip install 'rarebird[postgres]')"
    return None


@contextmanager
def running_server() -> Iterator[Server]:
    """A server that is stopped, and whose files are removed, at the end of the block. It never runs as root."""
    users = {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in ("postgres", "nobody") if name in users) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="rarebird-postgresql-"))
    folder.chmod(0o755)
    if user:
        shutil.chown(folder, user)
    server = Server(folder, user)
    try:
        server.initialize()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
