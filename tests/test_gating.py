"""Gates against torch's own, against closed forms, and with wrong input."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl.gating import Highway, LSTMCell, gate, logistic_unit, softmax_gate

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def test_logistic_unit_is_the_formula() -> None:
    x = randn(7)
    expected = torch.tensor([1 / (1 + math.exp(-(0.3 - 2.5 * v))) for v in x.tolist()])
    torch.testing.assert_close(logistic_unit(x, -2.5, 0.3), expected.double())


def test_logistic_unit_broadcasts_many_weights() -> None:
    x, weight, bias = randn(7, 1), randn(3, seed=1), randn(3, seed=2)
    many = logistic_unit(x, weight, bias)
    assert many.shape == (7, 3)
    torch.testing.assert_close(many[:, 2], logistic_unit(x[:, 0], weight[2], bias[2]))


def test_logistic_unit_is_a_step_in_the_limit() -> None:
    x = torch.tensor([-0.1, 0.0, 0.1], dtype=DOUBLE)
    torch.testing.assert_close(
        logistic_unit(x, 1e5), torch.tensor([0.0, 0.5, 1.0], dtype=DOUBLE), rtol=0, atol=0
    )


def test_gate_is_torchs_gated_linear_unit() -> None:
    values, logits = randn(2, 3, 5), randn(2, 3, 5, seed=1)
    torch.testing.assert_close(gate(values, logits), F.glu(torch.cat([values, logits], -1)))


def test_gate_has_the_gradient_of_the_product_rule() -> None:
    values, logits = randn(5).requires_grad_(), randn(5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(gate, (values, logits))
    gate(values, logits).sum().backward()
    torch.testing.assert_close(values.grad, torch.sigmoid(logits.detach()))


def test_gate_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"logits must .* \(5,\) beside values of shape \(3, 5\)"):
        gate(randn(3, 5), randn(5))


def test_highway_is_its_equation_feature_by_feature() -> None:
    layer, x = Highway(5).double(), randn(2, 3, 5)
    got = layer(x)
    for i in range(2):
        for j in range(3):
            h = layer.transform.weight @ x[i, j] + layer.transform.bias
            t = 1 / (1 + torch.exp(-(layer.gate.weight @ x[i, j] + layer.gate.bias)))
            torch.testing.assert_close(got[i, j], t * h.clamp(min=0) + (1 - t) * x[i, j])


@pytest.mark.parametrize("bias", [-1.0, -3.0])
def test_highway_starts_with_its_gate_bias(bias: float) -> None:
    layer = Highway(5, gate_bias=bias)
    torch.testing.assert_close(layer.gate.bias, torch.full((5,), bias))


def test_closed_highway_is_the_identity_for_values_and_gradients() -> None:
    layer, x = Highway(5, gate_bias=-60.0).double(), randn(5)
    assert (layer.transform(x) > 0).any()  # there is something to shut out
    torch.testing.assert_close(layer(x), x)
    jacobian = torch.autograd.functional.jacobian(layer, x)
    torch.testing.assert_close(jacobian, torch.eye(5, dtype=DOUBLE))


def test_highway_refuses_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        Highway(0)
    with pytest.raises(ValueError, match=r"x must .* \(\*batch, 5\), got .* \(2, 3\)"):
        Highway(5)(torch.zeros(2, 3))


def test_softmax_gate_is_torchs_attention() -> None:
    query, key, value = randn(2, 3, 5), randn(2, 7, 5, seed=1), randn(2, 7, 11, seed=2)
    mixed, weights = softmax_gate(query @ key.mT / math.sqrt(5), value)
    assert weights.shape == (2, 3, 7)
    torch.testing.assert_close(mixed, F.scaled_dot_product_attention(query, key, value))


def test_softmax_over_two_is_a_logistic_unit_of_the_difference() -> None:
    scores, values = randn(3, 2), randn(2, 5)
    _, weights = softmax_gate(scores, values)
    torch.testing.assert_close(weights[:, 0], logistic_unit(scores[:, 0] - scores[:, 1], 1.0))


def test_softmax_weights_sum_to_one_and_do_not_move_with_all_scores() -> None:
    scores, values = randn(3, 7), randn(7, 5)
    mixed, weights = softmax_gate(scores, values)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, dtype=DOUBLE))
    torch.testing.assert_close(softmax_gate(scores + 100, values)[0], mixed)


def test_softmax_gate_refuses_values_that_are_not_one_for_each_score() -> None:
    with pytest.raises(ValueError, match=r"values must .* \(\*batch, choices, features\), got"):
        softmax_gate(randn(3, 7), randn(5, 7))


def torchs_lstm(ours: LSTMCell, inputs: int, features: int) -> nn.LSTMCell:
    theirs = nn.LSTMCell(inputs, features).double()
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.from_input.weight)
        theirs.weight_hh.copy_(ours.from_hidden.weight)
        theirs.bias_ih.copy_(ours.from_input.bias)
        theirs.bias_hh.zero_()
    return theirs


@pytest.mark.parametrize("memory", [1.5, 2, 30])
def test_lstm_cell_is_torchs(memory: float) -> None:
    ours = LSTMCell(3, 5, memory=memory).double()
    theirs = torchs_lstm(ours, 3, 5)
    state, expected = ours(randn(7, 3)), theirs(randn(7, 3))
    for step in range(1, 4):
        state = ours(randn(7, 3, seed=step), state)
        expected = theirs(randn(7, 3, seed=step), expected)
    torch.testing.assert_close(state, expected)


@pytest.mark.parametrize("memory", [1.5, 2.0, 50.0])
def test_lstm_cell_forgets_and_takes_in_as_its_memory_says(memory: float) -> None:
    cell = LSTMCell(3, 5, memory=memory)
    i, f, g, o = cell.from_input.bias.detach().chunk(4)
    torch.testing.assert_close(torch.sigmoid(f), torch.full((5,), 1 - 1 / memory))
    torch.testing.assert_close(torch.sigmoid(i), torch.full((5,), 1 / memory))
    assert not g.any()
    assert not o.any()


def test_lstm_gradient_is_the_product_of_forget_gates_if_gates_read_the_input_only() -> None:
    cell = LSTMCell(3, 5, memory=7).double()
    nn.init.zeros_(cell.from_hidden.weight)
    first, product = randn(1, 5).requires_grad_(), torch.ones(1, 5, dtype=DOUBLE)
    state = (torch.zeros(1, 5, dtype=DOUBLE), first)
    for x in randn(11, 1, 3, seed=1):
        state = cell(x, state)
        product = product * torch.sigmoid(cell.from_input(x)[:, 5:10])
    (gradient,) = torch.autograd.grad(state[1].sum(), first)
    torch.testing.assert_close(gradient, product)


def test_lstm_cell_refuses_wrong_sizes() -> None:
    for sizes, match in (((0, 5), "inputs must be at least 1, got 0"), ((3, 0), "features must")):
        with pytest.raises(ValueError, match=match):
            LSTMCell(*sizes)
    with pytest.raises(ValueError, match="memory must be above 1, got 1"):
        LSTMCell(3, 5, memory=1.0)
    with pytest.raises(ValueError, match=r"x must .* \(batch, 3\), got float32 of shape \(7, 5\)"):
        LSTMCell(3, 5)(torch.zeros(7, 5))
    with pytest.raises(ValueError, match=r"state\[1\] must .* \(batch, 5\), got"):
        LSTMCell(3, 5)(torch.zeros(7, 3), (torch.zeros(7, 5), torch.zeros(2, 5)))
