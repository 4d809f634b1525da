"""Magnitude warp: straight heights give straight curves, SciPy's natural spline is the referee, factors are smooth and
not negative."""

from __future__ import annotations

import pytest
import torch
from scipy.interpolate import CubicSpline

from rarebird.methods.augmentation.magnitude_warp import MagnitudeWarp, spline


@pytest.mark.parametrize("knots", [2, 3, 4, 9])
def test_against_scipy(knots: int, generator) -> None:
    heights = torch.randn(3, 2, knots, generator=generator)
    moments = torch.rand(3, 40, generator=generator) * (knots - 1)
    moments[:, 0], moments[:, 1] = 0, knots - 1
    result = spline(heights, moments)
    for row in range(3):
        for channel in range(2):
            referee = CubicSpline(
                range(knots), heights[row, channel].double().numpy(), bc_type="natural" if knots > 2 else "not-a-knot"
            )
            torch.testing.assert_close(
                result[row, channel].double(),
                torch.from_numpy(referee(moments[row].double().numpy())),
                atol=1e-5,
                rtol=1e-5,
            )


def test_a_straight_line_stays_one_and_knots_are_met() -> None:
    line = torch.tensor([[[1.0, 1.5, 2.0, 2.5]]])
    moments = torch.linspace(0, 3, 13)[None]
    torch.testing.assert_close(spline(line, moments), 1 + moments[:, None] / 2)
    bent = torch.tensor([[[1.0, 0.2, 2.0, 1.1, 0.7]]])
    torch.testing.assert_close(spline(bent, torch.arange(5.0)[None]), bent)


def test_factors_span_each_series_own_length(augment) -> None:
    lengths = torch.arange(400) % 40 + 1
    own = torch.arange(48) < lengths[:, None]
    values = own[:, None].float().expand(-1, 3, -1).contiguous()
    factors = augment(MagnitudeWarp(strength=0.1, knots=3), {"values": values, "lengths": lengths})[0]["values"]
    assert (factors[~own[:, None].expand_as(factors)] == 0).all()
    last = factors.gather(2, (lengths - 1)[:, None, None].expand(-1, 3, 1))[:, :, 0]
    long = lengths > 2
    for ends in (factors[:, :, 0], last[long]):
        assert abs(ends.mean() - 1) < 0.02
        assert abs(ends.std() - 0.1) < 0.02
    # Curves of a row's channels are drawn apart, and are the smoother the longer the series is.
    assert abs(torch.corrcoef(factors[:, :2, 0].T)[0, 1]) < 0.15
    bends = factors[lengths == 40][:, :, :40].diff(n=2, dim=2).abs().max()
    assert bends < 0.01


def test_no_factor_is_negative(augment) -> None:
    x = {"values": torch.ones(500, 1, 20), "lengths": torch.full((500,), 20)}
    factors = augment(MagnitudeWarp(strength=1, knots=8), x)[0]["values"]
    assert factors.min() == 0
