"""Hue: a rotation of chroma that keeps luma; the standard library's YIQ and HSV agree."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch

from rarebird.methods.augmentation.hue import Hue, rotation, turned

LUMA = torch.tensor([0.299, 0.587, 0.114])
# Far enough inside the gamut that no turn is cut off.
MILD = 0.5 + 0.2 * (torch.rand(200, 3, 1, 1, generator=torch.Generator().manual_seed(0)) - 0.5)


def test_no_rotation_and_a_full_one_are_the_identity_and_rotations_add() -> None:
    turns = torch.tensor([0.1, 0.35, -0.2])
    assert torch.equal(rotation(torch.zeros(3)), torch.eye(3).repeat(3, 1, 1))
    torch.testing.assert_close(rotation(torch.ones(3)), torch.eye(3).repeat(3, 1, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        rotation(turns) @ rotation(turns.flip(0)), rotation(turns + turns.flip(0)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(rotation(turns) @ rotation(-turns), torch.eye(3).repeat(3, 1, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("turn", [-0.3, 0.05, 0.5])
def test_luma_stays_and_gray_stays(turn: float) -> None:
    changed = turned(MILD, torch.full((200,), turn))
    torch.testing.assert_close(changed[:, :, 0, 0] @ LUMA, MILD[:, :, 0, 0] @ LUMA, atol=1e-5, rtol=0)
    gray = torch.full((4, 3, 2, 2), 0.4)
    torch.testing.assert_close(turned(gray, torch.full((4,), turn)), gray, atol=1e-4, rtol=0)
    assert (changed - MILD).abs().max() > 0.01


def test_chroma_rotates_by_the_angle_in_the_yiq_of_the_standard_library() -> None:
    changed = turned(MILD, torch.full((200,), 0.1))
    for before, after in zip(MILD[:, :, 0, 0].tolist(), changed[:, :, 0, 0].tolist(), strict=True):
        _, i0, q0 = colorsys.rgb_to_yiq(*before)
        _, i1, q1 = colorsys.rgb_to_yiq(*after)
        angle = (math.atan2(q0, i0) - math.atan2(q1, i1)) % math.tau
        # Its coefficients of luma are rounded to two digits.
        assert angle == pytest.approx(0.1 * math.tau, abs=0.03)
        assert math.hypot(i1, q1) == pytest.approx(math.hypot(i0, q0), rel=0.03)


def test_it_rotates_in_the_direction_of_hsv() -> None:
    changed = turned(MILD, torch.full((200,), 0.05))
    for before, after in zip(MILD[:, :, 0, 0].tolist(), changed[:, :, 0, 0].tolist(), strict=True):
        step = (colorsys.rgb_to_hsv(*after)[0] - colorsys.rgb_to_hsv(*before)[0]) % 1
        assert 0.02 < step < 0.1


def test_angles_are_drawn_up_to_the_strength(augment) -> None:
    red = torch.tensor([0.6, 0.4, 0.4])[:, None, None].expand(3000, 3, 1, 1)
    changed = augment(Hue(strength=0.1), {"pixels": red}, channels=3)[0]["pixels"][:, :, 0, 0]
    chroma = [colorsys.rgb_to_yiq(*color)[1:] for color in changed.tolist()]
    _, i, q = colorsys.rgb_to_yiq(0.6, 0.4, 0.4)
    turn = torch.tensor([math.atan2(q, i) - math.atan2(own[1], own[0]) for own in chroma]) / math.tau
    assert turn.abs().max() < 0.105
    torch.testing.assert_close(turn.std().item(), 0.1 / 3**0.5, rtol=0.05, atol=0)


def test_gray_pictures_are_left_alone(augment, pictures) -> None:
    gray = pictures[:, :1]
    assert augment(Hue(), {"pixels": gray}, channels=1)[0]["pixels"] is gray
