"""The contract of the slot `augmentation`: every method found in the folder is asked the same questions, for every kind
that it serves."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest
import torch

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Augmentation, TrainStatistics

SLOT = "augmentation"
N, CLASSES = 64, 3
# Those that act on features, between body and head, have tests of their own.
NAMES = [name for name in methods.names(SLOT) if not getattr(methods.load(SLOT, name), "on_features", False)]
CASES = [(name, kind) for name in NAMES for kind in methods.kinds(SLOT, name)]


def examples(name: str) -> list[Method]:
    found = methods.load(SLOT, name).examples()
    assert found
    return found


def statistics_of(kind: str) -> TrainStatistics:
    shapes = {
        "image": {"channels": 3, "height": 10, "width": 14, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)},
        "series": {"channels": 2, "length": 17},
        "table": {"n_numbers": 4, "bins": ((-2.0, -0.6, 0.0, 0.6, 2.0),) * 4, "cardinalities": (5, 3)},
    }
    spec = InputSpec(kind=kind, task="classification", n_outputs=CLASSES, **shapes[kind])
    return TrainStatistics(spec, np.array([40, 20, 4]))


def inputs_of(kind: str, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(7)
    if kind == "image":
        return {"pixels": torch.rand(N, 3, 10, 14, generator=source).to(dtype)}
    if kind == "series":
        lengths = torch.randint(1, 18, (N,), generator=source)
        own = torch.arange(17) < lengths[:, None]
        return {"values": (torch.randn(N, 2, 17, generator=source) * own[:, None]).to(dtype), "lengths": lengths}
    missing = (torch.rand(N, 4, generator=source) < 0.2).float()
    numbers = torch.randn(N, 4, generator=source) * (1 - missing)
    codes = torch.stack([torch.randint(0, size, (N,), generator=source) for size in (5, 3)], dim=1)
    return {"numbers": numbers.to(dtype), "missing": missing, "categories": codes}


def targets() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.eye(CLASSES)[torch.arange(N) % CLASSES], torch.linspace(0.5, 2, N)


def run(
    method: Method, kind: str, seed: int = 0, dtype: torch.dtype = torch.float32
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    assert isinstance(method, Augmentation)
    return method.bind(statistics_of(kind))(inputs_of(kind, dtype), *targets(), torch.Generator().manual_seed(seed))


def same(first: object, second: object) -> bool:
    if isinstance(first, dict):
        return all(torch.equal(first[name], second[name]) for name in first)
    return all(same(a, b) if isinstance(a, dict) else torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_folder_is_not_empty() -> None:
    assert {"rotate", "mixup", "jitter", "cell_noise"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_when_the_label_stays_true(name: str) -> None:
    assert "*Label-safe when:*" in methods.path_of(SLOT, name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_settings(name: str) -> None:
    for method in examples(name):
        assert method.slot == SLOT
        assert method.name == name
        toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in method.settings().items())
        assert methods.build(SLOT, tomllib.loads(toml)) == method
        with pytest.raises(ValueError, match="frozen"):
            method.p = 0.3
    with pytest.raises(ValueError, match=r"`p <= 1` must hold for .*, but got p=1.5"):
        methods.load(SLOT, name)(p=1.5)
    with pytest.raises(ValueError, match="has no setting 'probability'"):
        methods.load(SLOT, name)(probability=1)


@pytest.mark.parametrize("name", NAMES)
def test_search_range(name: str) -> None:
    kind = methods.load(SLOT, name)
    assert kind.ranges(), "there is something to search"
    rng = np.random.default_rng(0)
    drawn = [kind.sample(rng) for _ in range(20)]
    assert all(method.bind(statistics_of(where)) is not None for method in drawn for where in methods.kinds(SLOT, name))
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_dtype_and_range(name: str, kind: str, dtype: torch.dtype) -> None:
    before = inputs_of(kind, dtype)
    for method in examples(name):
        x, y, weight = run(method, kind, dtype=dtype)
        assert x.keys() == before.keys()
        assert all(x[key].shape == before[key].shape and x[key].dtype == before[key].dtype for key in before)
        assert all(torch.isfinite(part.float()).all() for part in x.values())
        assert y.dtype == weight.dtype == torch.float32
        torch.testing.assert_close(y.sum(1), torch.ones(N))
        assert weight.shape == (N,)
        assert ((weight >= 0.5) & (weight <= 2)).all()
        if kind == "image":
            assert ((x["pixels"] >= 0) & (x["pixels"] <= 1)).all()
        if kind == "series":
            assert (x["values"] * (torch.arange(17) >= x["lengths"][:, None])[:, None] == 0).all()
        if kind == "table":
            assert (x["numbers"] * x["missing"] == 0).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_strength_zero_is_the_identity(name: str, kind: str) -> None:
    kind_of_method = methods.load(SLOT, name)
    for method in (kind_of_method.neutral(), kind_of_method(p=0)):
        assert same(run(method, kind), (inputs_of(kind), *targets()))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_seed_decides(name: str, kind: str) -> None:
    for method in examples(name):
        assert same(run(method, kind, seed=1), run(method, kind, seed=1))
        assert not same(run(method, kind, seed=1), run(method, kind, seed=2))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_inputs_are_not_mutated(name: str, kind: str) -> None:
    for method in examples(name):
        x, (y, weight) = inputs_of(kind), targets()
        bound = method.bind(statistics_of(kind))
        out = bound(x, y, weight, torch.Generator().manual_seed(0))
        for part in (*out[0].values(), *out[1:]):
            if all(part is not given for given in (*x.values(), y, weight)):
                part.zero_()
        assert same((x, y, weight), (inputs_of(kind), *targets()))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_each_row_has_its_own_draw(name: str, kind: str) -> None:
    method = methods.load(SLOT, name)()
    x, (y, weight) = inputs_of(kind), targets()
    # Every second row the same; partners of mixing methods differ with the permutation.
    for part in x.values():
        part[::2] = part[torch.arange(N)[x["lengths"] > 12][0] if kind == "series" else 0].clone()
    out, _, _ = method.bind(statistics_of(kind))(x, y, weight, torch.Generator().manual_seed(0))
    key = {"image": "pixels", "series": "values", "table": "numbers"}[kind]
    assert len(torch.unique(out[key][::2].flatten(1), dim=0)) > 1


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_p_leaves_the_other_rows_to_the_bit(name: str, kind: str) -> None:
    method = methods.load(SLOT, name)(p=0.25)
    before = inputs_of(kind)
    after = run(method, kind)[0]
    untouched = torch.stack([(after[key] == before[key]).reshape(N, -1).all(1) for key in before]).all(0)
    assert 0.5 * N < untouched.sum() < N


@pytest.mark.parametrize("kind", ["image", "table", "series"])
def test_all_of_a_kind_in_one_pipeline(kind: str) -> None:
    chosen = [methods.load(SLOT, name)() for name in NAMES if kind in methods.kinds(SLOT, name)]
    pipeline = Pipeline(chosen, statistics_of(kind))
    x, y, _ = pipeline(inputs_of(kind), *targets(), torch.Generator().manual_seed(0))
    assert all(part.shape == inputs_of(kind)[key].shape for key, part in x.items())
    torch.testing.assert_close(y.sum(1), torch.ones(N))
