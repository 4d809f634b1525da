"""Streams: one seed gives the same draws in every process, and no stream disturbs or repeats another."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from rarebird.core.rng import stream, torch_seed, torch_stream


def test_same_path_same_draws_and_any_other_path_others() -> None:
    paths = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, "b", "a"), (0, "a", 0), (0, "a", 1), (0, 1), (1, "a")]
    first = [stream(*path).integers(0, 2**62) for path in paths]  # type: ignore[arg-type]
    again = [stream(*path).integers(0, 2**62) for path in paths]  # type: ignore[arg-type]
    assert first == again
    assert len(set(first)) == len(paths)


def test_using_one_stream_does_not_move_another() -> None:
    untouched = stream(0, "augmentation").random(3)
    stream(0, "resampling").random(1000)
    np.testing.assert_array_equal(stream(0, "augmentation").random(3), untouched)


def test_streams_are_not_correlated() -> None:
    draws = np.array([stream(0, "fold", fold).normal(size=2000) for fold in range(8)])
    assert np.abs(np.corrcoef(draws) - np.eye(8)).max() < 0.1


def test_torch_streams_follow_the_same_rule() -> None:
    first, again, other = (torch.rand(4, generator=torch_stream(3, name)) for name in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= torch_seed(3, "a") < 2**63


def test_another_process_draws_the_same() -> None:
    code = "from rarebird.core.rng import torch_seed; print(torch_seed(5, 'batches', '猫', 2))"
    shown = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert shown == [f"{torch_seed(5, 'batches', '猫', 2)}\n"] * 2
