"""What a unit can do that multiplies: open and close the path of another one.

A gate is a product of two sets of units: one carries values, the other, between
0 and 1, says how much of each value passes. The same product makes a logistic
gate, a highway layer, a softmax gate (hence attention) and an LSTM's memory.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ddl.support.inputs import at_least_1, checked

Hidden = Float[Tensor, "batch {self.features}"]  # an LSTM's h or c


@checked
def logistic_unit(
    x: Float[Tensor, "..."], weight: float | Tensor, bias: float | Tensor = 0.0
) -> Float[Tensor, "..."]:
    r"""Return :math:`f(x) = 1 / (1 + \exp(-(b + w x)))` of one input.

    Args:
        x: Inputs.
        weight: ``w``, the steepness; broadcasts against ``x``.
        bias: ``b``; the unit is half on where ``b + w x = 0``.

    Returns:
        Values between 0 and 1, of the broadcast shape.

    Source: SDSC, Special Connections (2024).
    """
    return torch.sigmoid(bias + weight * x)


@checked
def gate(
    values: Float[Tensor, "*shape"], logits: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    r"""Let values through as far as their gates are open, :math:`v \odot \sigma(g)`.

    Args:
        values: What passes.
        logits: One number for each value: far below 0 closes, far above 0 opens.

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks
        (2016), equation 1, arXiv:1612.08083.
    """
    return values * torch.sigmoid(logits)


class Highway(nn.Module):
    r"""One highway layer, :math:`y = T(x) \odot H(x) + (1 - T(x)) \odot x`.

    Args:
        features: Size of the last axis, equal at input and output.
        gate_bias: Initial bias of the gate ``T``; negative favours carrying ``x``.

    Raises:
        ValueError: If ``features`` is less than 1.

    Source: Srivastava et al., Highway Networks (2015), arXiv:1505.00387.
    """

    @checked
    def __init__(self, features: int, *, gate_bias: float = -1.0) -> None:
        super().__init__()
        at_least_1(features=features)
        self.features = features
        self.transform = nn.Linear(features, features)  # W_H, b_H
        self.gate = nn.Linear(features, features)  # W_T, b_T
        nn.init.constant_(self.gate.bias, gate_bias)

    @checked
    def forward(
        self, x: Float[Tensor, "*batch {self.features}"]
    ) -> Float[Tensor, "*batch {self.features}"]:
        """Return a mixture, feature by feature, of a new layer's output and the input."""
        h = torch.relu(self.transform(x))
        t = torch.sigmoid(self.gate(x))
        return t * h + (1 - t) * x


@checked
def softmax_gate(
    scores: Float[Tensor, "*batch queries choices"],
    values: Float[Tensor, "*batch choices features"],
) -> tuple[Float[Tensor, "*batch queries features"], Float[Tensor, "*batch queries choices"]]:
    r"""Mix values by weights that compete, :math:`\mathrm{softmax}(s) V`.

    Args:
        scores: One number for each choice: the higher, the more of its value is taken.
        values: One row for each choice.

    Returns:
        The mixed values, and the weights, which are positive and sum to 1 over the choices.

    Source: Vaswani et al., Attention Is All You Need (2017), equation 1,
        arXiv:1706.03762, with the scores given.
    """
    weights = torch.softmax(scores, dim=-1).to(values.dtype)
    return weights @ values, weights


class LSTMCell(nn.Module):
    r"""One step of a long short-term memory: three gates around a cell state.

    .. math::
        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)

    The forget gate f, the input gate i and the output gate o are logistic units,
    the new content g are tanh units; all read the input and the last h.

    Args:
        inputs: Number of input features.
        features: Number of features of the hidden state h and of the cell state c.
        memory: Steps over which the untrained cell remembers: the forget gate starts
            around ``1 - 1 / memory`` and the input gate around ``1 / memory``. At 2
            both are half open, as with zero biases.

    Raises:
        ValueError: If a size is less than 1 or ``memory`` is not above 1.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory (1997), with the forget
        gate of Gers et al. (2000); ``memory`` after Tallec and Ollivier, Can Recurrent
        Neural Networks Warp Time? (2018), arXiv:1804.11188, who draw one for each feature.
    """

    @checked
    def __init__(self, inputs: int, features: int, *, memory: float = 2.0) -> None:
        super().__init__()
        at_least_1(inputs=inputs, features=features)
        if not memory > 1:
            raise ValueError(f"memory must be above 1, got {memory}")
        self.inputs, self.features = inputs, features
        self.from_input = nn.Linear(inputs, 4 * features)  # rows in torch's order: i, f, g, o
        self.from_hidden = nn.Linear(features, 4 * features, bias=False)
        openness = math.log(memory - 1)  # its logistic is 1 - 1 / memory
        bias = torch.zeros(4, features)
        bias[0], bias[1] = -openness, openness
        with torch.no_grad():
            self.from_input.bias.copy_(bias.flatten())

    @checked
    def forward(
        self,
        x: Float[Tensor, "batch {self.inputs}"],
        state: tuple[Hidden, Hidden] | None = None,
    ) -> tuple[Hidden, Hidden]:
        """Return the next (h, c); without a state, the last ones are zero."""
        h, c = state or (x.new_zeros(x.shape[0], self.features),) * 2
        i, f, g, o = (self.from_input(x) + self.from_hidden(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
