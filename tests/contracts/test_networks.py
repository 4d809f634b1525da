"""The contract of the slot `network`: every method found in the folder is asked the same questions, for every kind that
it serves."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.methods import Method
from rarebird.slots.protocols import Network
from rarebird.slots.ranges import Choice

SLOT = "network"
CLASSES = 3
BINS = ((-2.0, -0.6, 0.0, 0.6, 2.0), (-1.0, 1.0), (-0.5, 0.1, 0.5), (-3.0, -1.0, 3.0))
NAMES = [card.name for card in methods.cards(SLOT)]
CASES = [
    pytest.param(method, kind, id=f"{name}-{place}-{kind}")
    for name in NAMES
    for kind in methods.kinds(SLOT, name)
    for place, method in enumerate(methods.load(SLOT, name).examples())
]
each_case = pytest.mark.parametrize(("method", "kind"), CASES)


def image(height: int, width: int, channels: int = 3) -> InputSpec:
    return spec_of(
        "image", channels=channels, height=height, width=width, mean=(0.5,) * channels, std=(0.3,) * channels
    )


def series(length: int, channels: int = 2) -> InputSpec:
    return spec_of("series", channels=channels, length=length, mean=(0.0,) * channels, std=(1.0,) * channels)


def table(bins: tuple[tuple[float, ...], ...], cardinalities: tuple[int, ...]) -> InputSpec:
    return spec_of("table", n_numbers=len(bins), bins=bins, cardinalities=cardinalities)


def spec_of(kind: str, **shapes: object) -> InputSpec:
    return InputSpec(kind=kind, task="classification", n_outputs=CLASSES, **shapes)


ORDINARY = {"image": image(12, 16), "series": series(20), "table": table(BINS, (5, 3))}
EXTREME = {
    "image": [image(8, 8, channels=1), image(9, 13), image(67, 35)],
    "series": [series(1), series(2, channels=1), series(3), series(131)],
    "table": [table(BINS, ()), table((), (5, 3)), table(((0.5, 1.5), (-0.5, 0.5)), (2, 1)), table((), (3000,))],
}


def inputs(spec: InputSpec, n: int = 8, seed: int = 7) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(seed)
    if spec.kind == "image":
        return {"pixels": torch.rand(n, spec.channels, spec.height, spec.width, generator=source)}
    if spec.kind == "series":
        lengths = torch.randint(1, spec.length + 1, (n,), generator=source)
        lengths[0] = spec.length
        own = torch.arange(spec.length) < lengths[:, None]
        return {
            "values": torch.randn(n, spec.channels, spec.length, generator=source) * own[:, None],
            "lengths": lengths,
        }
    missing = (torch.rand(n, spec.n_numbers, generator=source) < 0.2).float()
    codes = [torch.randint(0, size, (n,), generator=source) for size in spec.cardinalities]
    return {
        "numbers": torch.randn(n, spec.n_numbers, generator=source) * (1 - missing),
        "missing": missing,
        "categories": torch.stack(codes, dim=1) if codes else torch.zeros(n, 0, dtype=torch.int64),
    }


def build(method: Method, spec: InputSpec, seed: int = 0) -> nn.Module:
    assert isinstance(method, Network)
    torch.manual_seed(seed)
    return method.build(spec)


def logits(network: nn.Module, x: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return network.eval()(x)


def loss(out: Tensor) -> Tensor:
    """Cross entropy of logits, where row i is of class i modulo the number of classes; of several members, the mean of
    each one's own."""
    y = torch.arange(len(out)) % CLASSES
    members = [out] if out.ndim == 2 else out.unbind(dim=1)
    return torch.stack([functional.cross_entropy(one, y) for one in members]).mean()


def train(network: nn.Module, x: dict[str, Tensor], steps: int, after: Callable[[], None] | None = None) -> nn.Module:
    """A few steps of Adam."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(x)).backward()
        if after is not None:
            after()
        optimizer.step()
    return network


def test_the_folder_is_not_empty() -> None:
    assert {
        "mlp",
        "cnn",
        "resnet",
        "rnn",
        "transformer",
        "inception_time",
        "random_kernels",
        "multirocket_hydra",
        "shapelets",
        "tabm",
    } <= set(NAMES)
    assert {kind for name in NAMES for kind in methods.kinds(SLOT, name)} == set(methods.KIND_NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_settings(name: str) -> None:
    kind = methods.load(SLOT, name)
    default = kind()
    assert (default.slot, default.name) == (SLOT, name)
    for field, where in kind.ranges().items():
        with pytest.raises(ValueError, match="frozen"):
            setattr(default, field, getattr(default, field))
        with pytest.raises(ValueError, match=field):
            kind(**{field: "nonsense" if isinstance(where, Choice) else -1})
    with pytest.raises(ValueError, match="has no setting 'widht'"):
        kind(widht=3)


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_the_search_range_build(name: str) -> None:
    kind = methods.load(SLOT, name)
    rng = np.random.default_rng(0)
    drawn = [kind.sample(rng) for _ in range(4)]
    assert len(set(drawn)) > 1
    for method in drawn:
        for served in methods.kinds(SLOT, name):
            assert logits(build(method, ORDINARY[served]), inputs(ORDINARY[served])).shape == (8, CLASSES)


@each_case
def test_toml_round_trip(method: Method, kind: str) -> None:
    recipe = Recipe(kind=kind, network=method)
    assert Recipe.from_toml(recipe.to_toml()).network == method


@each_case
def test_logits_are_the_head_of_the_features(method: Method, kind: str) -> None:
    network = build(method, ORDINARY[kind]).eval()
    x = inputs(ORDINARY[kind])
    before = {name: part.clone() for name, part in x.items()}
    out = logits(network, x)
    assert out.shape == (8, CLASSES)
    assert out.dtype == torch.float32
    assert isinstance(network.head, nn.Linear)
    assert list(network.modules())[-1] is network.head
    # Linear in the head's weights: no softmax behind it.
    torch.testing.assert_close(out, network.head(network.features(x)))
    assert all(torch.equal(x[name], before[name]) for name in x), "inputs stay as they are"


@each_case
def test_members_learn_one_by_one_and_agree_in_the_mean(method: Method, kind: str) -> None:
    certain = method.model_copy(update={"dropout": 0.0}) if "dropout" in type(method).model_fields else method
    network, x = build(certain, ORDINARY[kind]), inputs(ORDINARY[kind])
    out = network.train()(x)
    assert (out.shape[0], out.shape[-1]) == (8, CLASSES)
    if out.ndim == 3:
        assert not torch.allclose(out[:, 0], out[:, -1])
        torch.testing.assert_close(out.mean(dim=1), logits(network, x), rtol=1e-4, atol=1e-5)


@each_case
def test_the_frozen_part_is_passed_once(method: Method, kind: str) -> None:
    """`forward` and `features` take what `embed` gives in place of rows; it does not learn."""
    network = build(method, ORDINARY[kind])
    if not hasattr(network, "embed"):
        return
    x = inputs(ORDINARY[kind])
    with torch.no_grad():
        embedded = network.embed(x)
    assert "embedded" in embedded
    train(network, embedded, steps=2)
    assert all(torch.equal(part, embedded[name]) for name, part in network.embed(x).items())
    assert torch.equal(logits(network, embedded), logits(network, x))


@each_case
def test_regression_gives_one_number(method: Method, kind: str) -> None:
    spec = ORDINARY[kind].model_copy(update={"task": "regression", "n_outputs": 1})
    assert logits(build(method, spec), inputs(spec)).shape == (8, 1)


@each_case
def test_rows_are_independent_in_evaluation(method: Method, kind: str) -> None:
    network = train(build(method, ORDINARY[kind]), x := inputs(ORDINARY[kind]), steps=2)
    together = logits(network, x)
    for row in range(8):
        alone = logits(network, {name: part[row : row + 1] for name, part in x.items()})
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)


@each_case
def test_every_parameter_gets_a_gradient(method: Method, kind: str) -> None:
    network = build(method, ORDINARY[kind])
    reached: set[str] = set()

    def note() -> None:
        reached.update(
            name
            for name, parameter in network.named_parameters()
            if parameter.grad is not None and bool(parameter.grad.any())
        )

    # More than one step: a branch that starts at zero passes gradient on from the second.
    train(network, inputs(ORDINARY[kind]), steps=3, after=note)
    assert reached == {name for name, _ in network.named_parameters()}


@each_case
def test_memorizes_eight_rows(method: Method, kind: str) -> None:
    x = inputs(ORDINARY[kind])
    network = build(method, ORDINARY[kind])
    y = torch.arange(8) % CLASSES
    for _ in range(12):
        train(network, x, steps=20)
        out = logits(network, x)
        if functional.cross_entropy(out, y) < 0.2:
            break
    assert functional.cross_entropy(out, y) < 0.2
    assert torch.equal(out.argmax(1), y)


@each_case
def test_extreme_shapes(method: Method, kind: str) -> None:
    for spec in EXTREME[kind]:
        network = train(build(method, spec), inputs(spec), steps=2)
        for n in (8, 1):
            out = logits(network, inputs(spec, n))
            assert out.shape == (n, CLASSES)
            assert torch.isfinite(out).all()


@pytest.mark.parametrize("method", [case.values[0] for case in CASES if case.values[1] == "series"], ids=repr)
def test_padding_changes_nothing(method: Method) -> None:
    spec = series(20)
    network = train(build(method, spec), x := inputs(spec), steps=2)
    for filler, more in ((0.0, 1), (0.0, 30), (7.0, 13)):
        # What stands in the padding is no concern of the network either.
        outside = torch.arange(20) >= x["lengths"][:, None]
        values = functional.pad(x["values"].masked_fill(outside[:, None], filler), (0, more), value=filler)
        torch.testing.assert_close(logits(network, {**x, "values": values}), logits(network, x), rtol=1e-4, atol=1e-5)


@each_case
def test_the_seed_decides(method: Method, kind: str) -> None:
    first, again, other = (build(method, ORDINARY[kind], seed).state_dict() for seed in (1, 1, 2))
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@each_case
def test_state_survives_a_file(method: Method, kind: str) -> None:
    network = train(build(method, ORDINARY[kind]), x := inputs(ORDINARY[kind]), steps=2)
    restored = build(method, ORDINARY[kind], seed=9)
    restored.load_state_dict(safetensors.torch.load(safetensors.torch.save(network.state_dict())))
    assert torch.equal(logits(restored, x), logits(network, x))


@each_case
def test_comes_back_from_another_process(method: Method, kind: str) -> None:
    network, x = method.build(ORDINARY[kind]).eval(), inputs(ORDINARY[kind])  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(network))
    torch.testing.assert_close(again(x), network(x), rtol=0, atol=0)


@each_case
def test_bfloat16(method: Method, kind: str) -> None:
    network = build(method, ORDINARY[kind])
    x = inputs(ORDINARY[kind])
    exact = logits(network, x)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(logits(network, x).float(), exact, rtol=0.05, atol=0.05)
        trained = loss(network.train()(x).float())
    trained.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("method", [case.values[0] for case in CASES if case.values[1] == "image"], ids=repr)
def test_channels_last(method: Method) -> None:
    network = build(method, ORDINARY["image"])
    x = inputs(ORDINARY["image"])
    exact = logits(network, x)
    last = {"pixels": x["pixels"].contiguous(memory_format=torch.channels_last)}
    torch.testing.assert_close(logits(network.to(memory_format=torch.channels_last), last), exact, rtol=1e-4, atol=1e-5)
