"""What every test may use: the shared real data where it is present, and one thread per worker. Under `make mutants`
hypothesis does not shrink what it finds."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
if "MUTANT_UNDER_TEST" in os.environ:
    finding = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=finding, database=None, derandomize=True)
    hypothesis.settings.load_profile("mutants")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is not beside the project")
    return SHARED
