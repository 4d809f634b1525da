"""Shared layers: identities of pooling, encoding and masking, then torch's own functions as referee."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from rarebird.methods.network import _layers

LENGTHS = torch.tensor([1, 4, 7, 12])
OWN = torch.arange(12) < LENGTHS[:, None]
BINS = ((-1.0, 0.0, 2.0, 3.0), (0.0, 1.0), (-2.0, 0.5, 1.0))


def curves(channels: int = 3) -> torch.Tensor:
    return torch.randn(4, channels, 12, generator=torch.Generator().manual_seed(0))


def test_standardize_gives_zero_mean_and_unit_spread() -> None:
    pixels = torch.rand(16, 2, 9, 11) * torch.tensor([1.0, 0.2])[:, None, None]
    std, mean = torch.std_mean(pixels, dim=(0, 2, 3))
    found = _layers.Standardize(mean.tolist(), std.tolist())(pixels)
    torch.testing.assert_close(found.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(dim=(0, 2, 3)), torch.ones(2))


def test_standardize_needs_a_std_per_mean() -> None:
    with pytest.raises(ValueError, match="`one mean and one std per channel` must hold, but got means=2, stds=1"):
        _layers.Standardize((0.5, 0.5), (0.1,))


def test_mask_counts_the_lengths() -> None:
    mask = _layers.mask_of(LENGTHS, 12)
    assert torch.equal(mask.sum(dim=1), LENGTHS)
    assert torch.equal(mask, mask.cummin(dim=1).values), "own steps come first"


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_strided_counts_every_kept_step(stride: int) -> None:
    assert _layers.strided(LENGTHS, stride).tolist() == [len(range(0, length, stride)) for length in LENGTHS.tolist()]


def test_pool_mean_is_the_mean_of_own_steps() -> None:
    x = curves()
    expected = torch.stack([row[:, :length].mean(dim=1) for row, length in zip(x, LENGTHS.tolist(), strict=True)])
    torch.testing.assert_close(_layers.pool_mean(x, OWN), expected)


def test_pool_segments_of_full_length() -> None:
    x, full = curves(), torch.full((4,), 12)
    torch.testing.assert_close(_layers.pool_segments(x, full, 12), x)
    for segments in (1, 2, 3, 4, 6):
        torch.testing.assert_close(
            _layers.pool_segments(x, full, segments), functional.adaptive_avg_pool1d(x, segments)
        )


@pytest.mark.parametrize("segments", [1, 4, 5, 20])
def test_pool_segments_keeps_each_series_mean(segments: int) -> None:
    x = curves()
    torch.testing.assert_close(_layers.pool_segments(x, LENGTHS, segments).mean(dim=2), _layers.pool_mean(x, OWN))


def test_pool_segments_stretches_a_single_step() -> None:
    x = curves()
    torch.testing.assert_close(_layers.pool_segments(x, LENGTHS, 4)[0], x[0, :, :1].expand(3, 4))


def test_attention_pooling_starts_as_the_mean_and_forgets_order() -> None:
    pool, tokens = _layers.AttentionPooling(5), torch.randn(3, 7, 5)
    torch.testing.assert_close(pool(tokens), tokens.mean(dim=1))
    nn.init.normal_(pool.score.weight)
    torch.testing.assert_close(pool(tokens), pool(tokens[:, torch.randperm(7)]))


def test_attention_pooling_sees_own_tokens_only() -> None:
    pool, tokens = _layers.AttentionPooling(3), curves().transpose(1, 2)
    nn.init.normal_(pool.score.weight)
    found = pool(tokens, OWN)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(found[row : row + 1], pool(tokens[row : row + 1, :length]))


def test_attention_pooling_leans_to_the_highest_score() -> None:
    pool, tokens = _layers.AttentionPooling(2), torch.randn(3, 7, 2)
    with torch.no_grad():
        pool.score.weight.copy_(torch.tensor([[1e4, 0.0]]))
    torch.testing.assert_close(pool(tokens), tokens[torch.arange(3), tokens[:, :, 0].argmax(dim=1)])


def test_encoding_is_invertible_within_the_bins() -> None:
    embeddings = _layers.NumberEmbeddings(BINS, 4)
    numbers = torch.linspace(-4, 4, 41)[:, None].expand(-1, 3)
    encoded = embeddings.encode(numbers, torch.zeros_like(numbers))
    for column, edges in enumerate(BINS):
        widths = torch.tensor(edges).diff()
        pieces = encoded[:, column, : len(widths)]
        # The first edge and the filled parts of all bins add up to the number.
        torch.testing.assert_close(edges[0] + pieces @ widths, numbers[:, column].clamp(edges[0], edges[-1]))
        assert not encoded[:, column, len(widths) : -2].any(), "absent bins stay empty"
        torch.testing.assert_close(encoded[:, column, -2], numbers[:, column])


def test_encoding_fills_bins_in_order() -> None:
    encoded = _layers.NumberEmbeddings(BINS[:1], 4).encode(torch.tensor([[1.0]]), torch.zeros(1, 1))
    assert encoded[0, 0].tolist() == [1.0, 0.5, 0.0, 1.0, 0.0]


def test_missing_numbers_have_an_empty_encoding_and_a_mark() -> None:
    encoded = _layers.NumberEmbeddings(BINS, 4).encode(torch.zeros(2, 3), torch.ones(2, 3))
    assert not encoded[:, :, :-1].any()
    assert torch.equal(encoded[:, :, -1], torch.ones(2, 3))


def test_number_embeddings_are_one_linear_layer_per_column() -> None:
    embeddings = _layers.NumberEmbeddings(BINS, 4)
    numbers, missing = torch.randn(6, 3), (torch.rand(6, 3) < 0.3).float()
    encoded, found = embeddings.encode(numbers, missing), embeddings(numbers, missing)
    for column in range(3):
        expected = functional.linear(encoded[:, column], embeddings.weight[column].T, embeddings.bias[column])
        torch.testing.assert_close(found[:, column], expected)


def test_number_embeddings_are_linear_beyond_the_bins() -> None:
    embeddings = _layers.NumberEmbeddings(BINS, 4)
    for start in (4.0, -7.0):
        there = embeddings(torch.full((1, 3), start) + torch.arange(3)[:, None], torch.zeros(3, 3))
        torch.testing.assert_close(there[2] - there[1], there[1] - there[0], rtol=1e-4, atol=1e-5)


def test_number_embeddings_want_two_edges() -> None:
    with pytest.raises(ValueError, match="`at least two bin edges per column` must hold, but got fewest=1"):
        _layers.NumberEmbeddings(((0.0,), (0.0, 1.0)), 4)


def test_category_embeddings_look_up_their_own_table() -> None:
    embeddings = _layers.CategoryEmbeddings((3, 50), (2, 5))
    codes = torch.tensor([[1, 49], [2, 7], [0, 0]])
    first, second = embeddings(codes)
    assert (first.shape, second.shape) == ((3, 2), (3, 5))
    assert not first[2].any(), "the unseen code says nothing"
    assert not second[2].any()
    torch.testing.assert_close(second[:2], functional.embedding(codes[:2, 1], embeddings.tables[1].weight))


def test_category_width_follows_fastai_and_never_shrinks() -> None:
    widths = [_layers.category_width(cardinality) for cardinality in range(1, 3000)]
    assert widths == sorted(widths)
    assert widths[-1] == 64
    assert widths[9] == math.ceil(1.6 * 10**0.56) == 6


def test_drop_path_drops_whole_rows_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop, ones = _layers.DropPath(0.25), torch.ones(4000, 3, 2)
    found = drop(ones)
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(found.amax(dim=(1, 2)), found.amin(dim=(1, 2)))
    assert found.mean() == pytest.approx(1, abs=0.05)
    assert drop.eval()(ones) is ones


@pytest.mark.parametrize(("length", "most", "stride"), [(1, 8, 1), (8, 8, 1), (9, 8, 2), (131, 8, 17)])
def test_series_tokens_are_as_many_as_allowed(length: int, most: int, stride: int) -> None:
    tokens = _layers.SeriesTokens(2, 6, length, most)
    found, lengths = tokens(torch.randn(3, 2, length), torch.tensor([length, 1, max(length // 2, 1)]))
    assert tokens.stride == stride
    assert found.shape == (3, lengths[0], 6)
    assert lengths.max() <= most
    assert lengths[1] == 1
