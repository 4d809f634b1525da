"""What `prepare` learns from the training rows of a part, learned once: all recipes of a search share their parts."""

from __future__ import annotations

import hashlib
import weakref
from collections import OrderedDict

import numpy as np

from rarebird.data import prepare
from rarebird.data.dataset import Dataset, Source
from rarebird.data.prepare import Prepared

# Parts that are remembered: those of one cross-fit.
MOST = 12
_known: OrderedDict[bytes, tuple[weakref.ref[Source], Prepared, tuple[str, ...]]] = OrderedDict()


def prepared(train: Dataset, seed: int) -> tuple[Prepared, list[str]]:
    """`prepare.fit` of these rows, from memory if it was called for them before; the values are the same."""
    key = _key(train, seed)
    found = _known.get(key)
    if found is not None and found[0]() is train.source:
        _known.move_to_end(key)
        return found[1], list(found[2])
    value, notes = prepare.fit(train, seed)
    _known[key] = weakref.ref(train.source), value, tuple(notes)
    while len(_known) > MOST:
        _known.popitem(last=False)
    return value, notes


def _key(train: Dataset, seed: int) -> bytes:
    """A digest of all that `prepare.fit` reads besides the source."""
    text = f"{id(train.source)} {seed} {train.task} {train.name} {train.classes}"
    # Names of files may hold bytes that are no text.
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"))
    for values in (train.index, train.weight, train.y):
        digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.digest()
