"""The model of a search whose time was up before any recipe was trained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.core.checks import DataError, LateError
from rarebird.training.part_seconds import LONGEST_OVERRUN


def train_late(race: Race, entries: Sequence[PortfolioEntry]) -> None:
    """Train one entry although the time is up: any model is worth a few seconds.

    The first entry is the quickest of the networks, as one that is hardly trained would be no better than chance; where
    it takes too long nevertheless, as on a busy machine, a reference may not, unless rows are so large that to prepare
    them takes long. Where time was not what the first entry lacked, the default recipe is trained.

    Args:
        race: It has trained nothing.
        entries: Those that it tried, in order.

    Raises:
        DataError: None of them can be trained, or would end soon enough; the error is that of the first.
    """
    default = next(entry for entry in entries if entry.role == "default")
    first = entries[0] if entries[0].name in race.late else default
    start = time.monotonic()
    try:
        race.run([replace(first, must=True)])
    except LateError as error:
        if time.monotonic() - start > LONGEST_OVERRUN / 2:
            raise
        for entry in entries:
            if entry.is_reference and entry.name != first.name:
                with suppress(DataError):
                    race.run([replace(entry, must=True)])
                    return
        raise error from None
