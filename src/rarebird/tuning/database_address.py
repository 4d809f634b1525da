"""The address of a database that several drivers share: its driver, and messages that never show its password."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from rarebird.core.checks import DataError

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# SQLAlchemy's name of the driver, and the module that must be there.
PSYCOPG = "psycopg"
HIDDEN = "***"
# A password of fewer characters would be found everywhere in a text, so that the text is left out.
SHORT = 4


def parsed(address: str) -> URL:
    """The address, with psycopg 3 as the driver where none is named.

    Raises:
        DataError: It is no address of a SQLite file or a PostgreSQL database, or its driver is not installed.
    """
    try:
        url = make_url(address)
    except (SQLAlchemyError, ValueError):
        # The text may hold a password.
        raise DataError(
            "--storage is no address of a database; it has the form postgresql://USER@HOST/DATABASE or sqlite:///FILE."
        ) from None
    backend, _, driver = url.drivername.partition("+")
    if backend in ("postgres", POSTGRESQL):
        url = url.set(drivername=f"{POSTGRESQL}+{driver or PSYCOPG}")
    elif backend != SQLITE or url.database in (None, "", ":memory:"):
        raise DataError(
            f"--storage takes postgresql://USER@HOST/DATABASE or sqlite:///FILE, but got an address of {backend!r}."
        )
    if url.host and "@" in url.host:
        raise DataError("--storage has more than one @; write an @ of the password as %40.")
    _check_driver(url)
    return url


def is_postgresql(url: URL) -> bool:
    """Whether the address is of a PostgreSQL database."""
    return url.get_backend_name() == POSTGRESQL


def shown(url: URL) -> str:
    """The address for people, without its password, nor the driver that every address has."""
    plain = url.difference_update_query(["password", "sslpassword"])
    return plain.render_as_string(hide_password=True).replace(f"{POSTGRESQL}+{PSYCOPG}:", f"{POSTGRESQL}:", 1)


def reason(error: BaseException, url: URL) -> str:
    """The first line of what a database says, without the password."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    text = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    secrets = [url.password, *(value for key, value in url.query.items() if "password" in key)]
    for secret in [str(one) for one in secrets if one]:
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            if form in text:
                text = type(cause).__name__ if len(secret) < SHORT else text.replace(form, HIDDEN)
    return text


def _check_driver(url: URL) -> None:
    try:
        url.get_dialect().import_dbapi()
    except ImportError:
        named = url.get_driver_name()
        extra = " Install it with pip install 'rarebird[postgres]'." if named == PSYCOPG else ""
        raise DataError(f"{shown(url)} needs {_package(named)}, which is not installed.{extra}") from None
    except SQLAlchemyError:
        raise DataError(f"There is no driver {url.get_driver_name()!r} for PostgreSQL; use postgresql://...") from None


def _package(driver: str) -> str:
    return "psycopg 3" if driver == PSYCOPG else driver
