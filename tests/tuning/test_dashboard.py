"""optuna-dashboard opens the trials of a run, as the documents say: it is started, and its pages are fetched."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from rarebird.tuning.storage import DATABASE
from rarebird.tuning.study import STUDY
from tests.tuning.searches import study


def fetched(address: str) -> bytes:
    """What a page of the dashboard holds, once it answers."""
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return bytes(answer.read())
        except (URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_the_dashboard_shows_the_trials(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard")
    one = study(tmp_path)
    for value in (0.25, 0.75):
        one.ask().tell(value, {})
    one.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from optuna_dashboard._cli import main; main()"
    words = ["--port", str(port), "--host", "127.0.0.1", f"sqlite:///{tmp_path / DATABASE}"]
    server = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert b"<html" in fetched(f"http://127.0.0.1:{port}/dashboard/").lower()
        (shown,) = json.loads(fetched(f"http://127.0.0.1:{port}/api/studies"))["study_summaries"]
        assert shown["study_name"] == STUDY
        detail = json.loads(fetched(f"http://127.0.0.1:{port}/api/studies/{shown['study_id']}?after=0"))
        assert sorted(trial["values"][0] for trial in detail["trials"]) == [0.25, 0.75]
        assert detail["best_trials"][0]["values"] == [0.75]
    finally:
        server.kill()
        server.wait()
