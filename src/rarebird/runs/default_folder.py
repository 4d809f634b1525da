"""The folder that a command writes where none was named."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

LONGEST_NAME = 80  # characters; a file system takes 255 bytes


def default_folder(name: str) -> Path:
    """``runs/NAME-DATE``, which does not exist yet (``-2`` and so on are added); a long name is shortened."""
    first = Path("runs") / f"{name[:LONGEST_NAME] or 'data'}-{time.strftime('%Y%m%d-%H%M%S')}"
    later = (first.with_name(f"{first.name}-{number}") for number in itertools.count(2))
    return next(folder for folder in itertools.chain([first], later) if not os.path.lexists(folder))
