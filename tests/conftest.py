"""What every test may use: the shared real data where it is present, and one thread per worker. Under `make mutants`
the quickest tests run first, and hypothesis does not shrink what it finds."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
# Set by mutmut, which knows how long each test took.
MUTATED = "MUTANT_UNDER_TEST" in os.environ
DURATIONS = Path("mutmut-stats.json")
if MUTATED:
    finding = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=finding, database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A mutant is killed by the first test that fails, so that the quick ones come first."""
    if MUTATED and DURATIONS.is_file():
        seconds = json.loads(DURATIONS.read_text(encoding="utf-8"))["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is not beside the project")
    return SHARED
