"""What a step draws: once for all of its passes, and in any number of parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rarebird.methods.batch_sampling.by_loss import ByLoss
from rarebird.methods.loss.auc import Auc
from rarebird.methods.regularization.sam import Sam
from rarebird.slots.protocols import TargetStatistics
from rarebird.training.step_plan import StepPlan
from tests.training.test_loop import Linear, some_rows, stage, training

Inputs = dict[str, Tensor]


class Recording(Linear):
    """Keeps the inputs of the body and those of the head."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Tensor] = []
        self.head.register_forward_pre_hook(lambda module, inputs: self.into_head.append(inputs[0].detach().clone()))
        self.into_head: list[Tensor] = []

    def features(self, x: Inputs) -> Tensor:
        self.rows.append(x["numbers"].detach().clone())
        return torch.tanh(self.body(x["numbers"]))

    def forward(self, x: Inputs) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


def shifted_rows(x: Inputs, y: Tensor, weight: Tensor, generator: torch.Generator) -> tuple[Inputs, Tensor, Tensor]:
    return {"numbers": x["numbers"] + torch.randn(len(y), 3, generator=generator)}, y, weight


def noise_alone(
    features: Tensor, y: Tensor, weight: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    return 0 * features + torch.randn(features.shape, generator=generator), y, weight


@pytest.mark.parametrize("parts", [1, 2])
def test_both_passes_of_a_sharpness_aware_step_see_the_same_draw(parts: int) -> None:
    run = training(some_rows(), [stage(augment=shifted_rows, augment_features=noise_alone)], parts=parts)
    run.network = network = Recording()
    run.hooks = [Sam(radius=0.5).attach(network)]
    run.run(StepPlan(2))
    for seen in (network.rows, network.into_head):
        assert len(seen) == 4 * parts
        first, second = torch.cat(seen[:parts]), torch.cat(seen[parts : 2 * parts])
        assert torch.equal(first, second)
        assert not torch.equal(second, torch.cat(seen[2 * parts : 3 * parts]))


@pytest.mark.parametrize(("n", "parts"), [(12, 1), (12, 2), (10, 3)])
def test_a_loss_of_pairs_in_parts_is_the_mean_of_the_parts_by_their_rows(n: int, parts: int) -> None:
    rows = some_rows(n)
    loss = Auc().build(TargetStatistics(rows.y.sum(dim=0).double().numpy(), ("a", "b")))
    run = training(rows, [stage(loss=loss, per_row=False)], parts=parts)
    torch.manual_seed(0)
    expected = Linear()
    total = torch.zeros(())
    for at in torch.arange(n).tensor_split(parts):
        logits = expected({"numbers": rows.inputs["numbers"][at]})
        total = total + loss(logits, rows.y[at], rows.weight[at]) * len(at) / n
    total.backward()
    run.run(StepPlan(1))
    assert run.history[0]["train_loss"] == pytest.approx(total.item())
    assert total.item() > 0
    for mine, its in zip(run.network.parameters(), expected.parameters(), strict=True):
        assert isinstance(its, nn.Parameter)
        assert its.grad is not None
        torch.testing.assert_close(mine.detach(), (its - 0.5 * its.grad).detach())


def test_a_rows_last_loss_is_that_of_the_weights_and_not_of_a_sharpness_aware_step_beyond_them() -> None:
    rows = some_rows()
    run = training(rows, [stage(sampling=ByLoss())])
    torch.manual_seed(0)
    before = Linear()
    losses = torch.nn.functional.cross_entropy(before(rows.inputs), rows.y, reduction="none").detach()
    run.hooks = [Sam(radius=5.0).attach(run.network)]
    run.run(StepPlan(1))
    assert run.last_loss is not None
    seen = ~run.last_loss.isnan()
    assert seen.any()
    torch.testing.assert_close(run.last_loss[seen], losses[seen])
