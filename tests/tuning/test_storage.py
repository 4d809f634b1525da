"""The file of the trials: an ordinary SQLite file once it is closed, with the process that records each trial."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import IntegrityError, OperationalError, PendingRollbackError

from rarebird.tuning import storage
from rarebird.tuning.driver_storage import WORKER, is_lost
from rarebird.tuning.storage import DATABASE
from tests.tuning.searches import study


@pytest.mark.parametrize("as_address", [False, True])
def test_a_closed_study_is_one_ordinary_file(as_address: bool, tmp_path: Path) -> None:
    where: Any = f"sqlite:///{tmp_path / DATABASE}" if as_address else tmp_path
    one = study(where)
    one.ask().tell(1.0, {})
    assert (tmp_path / f"{DATABASE}-wal").is_file()
    other = study(where)
    other.ask().tell(1.0, {})
    other.close()
    # The first study still has the file open.
    one.ask().tell(1.0, {})
    one.close()
    assert [path.name for path in tmp_path.iterdir()] == [DATABASE]
    connection = sqlite3.connect(tmp_path / DATABASE)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert len(study(where).finished()) == 3


def test_a_trial_names_its_process_from_its_first_moment(tmp_path: Path) -> None:
    with storage.opening(tmp_path) as opened:
        trial = optuna.create_study(storage=opened).ask()
    assert opened.get_trial(trial._trial_id).user_attrs == {WORKER: opened.drivers.name}
    storage.close(opened)


@pytest.mark.parametrize(
    ("inner", "lost"),
    [
        (OperationalError("select", {}, Exception("server closed the connection")), True),
        (PendingRollbackError("Can't reconnect until invalid transaction is rolled back."), True),
        (IntegrityError("insert", {}, Exception("duplicate key")), False),
    ],
)
def test_a_lost_connection_is_known_by_what_it_leads_to(inner: Exception, lost: bool) -> None:
    """Optuna tries a query in another way after any error of the connection; the session then refuses the second one,
    and of the first nothing is left in the cause."""
    outer = StorageInternalError("An exception is raised during the commit.")
    outer.__cause__ = inner
    assert is_lost(outer) == lost
