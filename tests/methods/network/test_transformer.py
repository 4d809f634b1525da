"""The transformer: symmetry of tokens, torch's own attention as referee, and the rule of patches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rarebird.data.spec import InputSpec
from rarebird.methods.network._tokens import patch_side, sine_places
from rarebird.methods.network.transformer import HEAD_WIDTH, AttentionBlock, Transformer

HEADS = 2
WIDTH = HEADS * HEAD_WIDTH


def block() -> AttentionBlock:
    torch.manual_seed(0)
    return AttentionBlock(HEADS, 0.0, 0.0)


def test_attention_is_torchs_own() -> None:
    ours, tokens = block(), torch.randn(3, 7, WIDTH)
    mask = torch.arange(7) < torch.tensor([7, 2, 5])[:, None]
    referee = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    with torch.no_grad():
        referee.in_proj_weight.copy_(ours.query_key_value.weight)
        referee.in_proj_bias.copy_(ours.query_key_value.bias)
        referee.out_proj.load_state_dict(ours.mix.state_dict())
    expected, _ = referee(tokens, tokens, tokens, key_padding_mask=~mask, need_weights=False)
    torch.testing.assert_close(ours._attention(tokens, mask), expected, rtol=1e-4, atol=1e-5)


def test_a_block_does_not_know_the_order_of_tokens() -> None:
    ours, tokens, order = block(), torch.randn(3, 7, WIDTH), torch.randperm(7)
    torch.testing.assert_close(ours(tokens, None)[:, order], ours(tokens[:, order], None), rtol=1e-4, atol=1e-5)


def test_columns_may_change_places_with_their_weights() -> None:
    bins = ((-1.0, 1.0), (-1.0, 0.0, 1.0), (-2.0, 2.0))
    spec = InputSpec(kind="table", task="classification", n_outputs=2, n_numbers=3, bins=bins)
    order = torch.tensor([2, 0, 1])
    network = Transformer(depth=1).build(spec).eval()
    moved = Transformer(depth=1).build(spec.model_copy(update={"bins": tuple(bins[i] for i in order.tolist())})).eval()
    state = network.state_dict()
    moved.load_state_dict(
        {name: value[order] if name.startswith("tokens.numbers") else value for name, value in state.items()}
    )
    x = {"numbers": torch.randn(5, 3), "missing": torch.zeros(5, 3), "categories": torch.zeros(5, 0, dtype=torch.int64)}
    permuted = {**x, "numbers": x["numbers"][:, order]}
    torch.testing.assert_close(moved(permuted), network(x), rtol=1e-4, atol=1e-5)


def test_the_similarity_of_positions_depends_only_on_their_distance() -> None:
    places = sine_places(40, WIDTH, torch.device("cpu")).double()
    products = places @ places.T
    for offset in (0, 1, 7, 30):
        diagonal = products.diagonal(offset)
        torch.testing.assert_close(diagonal, diagonal[0].expand_as(diagonal), atol=1e-4, rtol=0)
    assert products[0, 0] == pytest.approx(WIDTH / 2)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (32, 32), (64, 64), (224, 224), (300, 17)])
def test_patches_are_the_smallest_that_are_few_enough(height: int, width: int) -> None:
    def count(side: int) -> int:
        return -(-height // side) * -(-width // side)

    side = patch_side(height, width, 64)
    assert count(side) <= 64
    assert side == 1 or count(side - 1) > 64


def test_a_picture_gives_as_many_tokens_as_places() -> None:
    spec = InputSpec(
        kind="image", task="classification", n_outputs=2, channels=1, height=29, width=18, mean=(0.5,), std=(0.2,)
    )
    tokens, mask = Transformer().build(spec).tokens({"pixels": torch.rand(2, 1, 29, 18)})
    side = patch_side(29, 18, 64)
    assert mask is None
    assert tokens.shape == (2, -(-29 // side) * -(-18 // side), 4 * HEAD_WIDTH)
