"""Graphs against code, weights carried over against Keras itself, and wrong input."""

import os
import tempfile
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ddl.building_models import (
    Graph,
    Node,
    channels_first_rows,
    conv_from_keras,
    conv_transpose_from_keras,
    dense_from_keras,
    path_to,
)

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())
import keras

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def assert_close_in_single(ours: Tensor, keras_output: Any) -> None:
    """Keras multiplies matrices in single precision, whatever their number type."""
    torch.testing.assert_close(ours, keras_output, atol=1e-5, rtol=1e-5)


def first(x: Tensor) -> Tensor:
    return x.movedim(-1, 1)


def weights_of(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Build a Keras layer and give it random weights, biases too."""
    if not layer.built:
        layer.build(tuple(x.shape))
    kernel, bias = (randn(*array.shape, seed=7) for array in layer.get_weights())
    layer.set_weights([kernel.numpy(), bias.numpy()])
    return kernel, bias


def test_a_drawn_chain_is_the_sequential() -> None:
    layers = [nn.Linear(7, 3).double(), nn.ReLU(), nn.Linear(3, 5).double()]
    node = start = Node()
    for layer in layers:
        node = Node(layer, node)
    x = randn(2, 7)
    assert torch.equal(Graph([start], node)(x), nn.Sequential(*layers)(x))


def test_the_order_of_reads_and_inputs_is_kept() -> None:
    a, b = Node(), Node()
    graph = Graph([a, b], Node(torch.sub, Node(torch.exp, b), a))
    x, y = randn(3, 2), randn(3, 2, seed=1)
    torch.testing.assert_close(graph(x, y), y.exp() - x)


def test_each_node_is_computed_once_and_after_what_it_reads() -> None:
    calls = []

    def add(name: str) -> Any:
        def layer(*values: Tensor) -> Tensor:
            calls.append(name)
            return sum(values, torch.zeros(1, dtype=DOUBLE))

        return layer

    x = Node()
    low = Node(add("low"), x)
    middle = Node(add("middle"), low, x)
    top = Node(add("top"), low, middle, middle)
    Node(add("unread"), top)
    assert path_to(top, [x]) == [low, middle, top]
    torch.testing.assert_close(Graph([x], top)(torch.ones(1, dtype=DOUBLE)).item(), 5.0)
    assert calls == ["low", "middle", "top"]


def test_an_inner_node_can_be_an_input_and_an_input_the_output() -> None:
    x = Node()
    h = Node(torch.exp, x)
    y = Node(torch.neg, h)
    value = randn(3)
    assert torch.equal(Graph([h], y)(value), -value)
    assert torch.equal(Graph([x], x)(value), value)


def test_parameters_are_those_of_the_path_and_shared_ones_count_once() -> None:
    shared, side = nn.Linear(5, 3), nn.Linear(5, 7)
    a, b = Node(), Node()
    Node(side, a)
    graph = Graph([a, b], Node(torch.sub, Node(shared, a), Node(shared, b)))
    assert {id(p) for p in graph.parameters()} == {id(p) for p in shared.parameters()}


def test_a_graph_without_an_input_it_needs_is_refused() -> None:
    a, b = Node(), Node()
    with pytest.raises(ValueError, match="inputs must hold all that the output needs, got 1"):
        Graph([a], Node(torch.add, a, b))


def test_nodes_and_calls_that_do_not_fit_are_refused() -> None:
    x = Node()
    with pytest.raises(ValueError, match="reads must be empty without a layer, got 1"):
        Node(None, x)
    with pytest.raises(ValueError, match="reads must name a node or more"):
        Node(torch.exp)
    for values in ((), (randn(2), randn(2))):
        with pytest.raises(ValueError, match=f"values must be 1, one an input, got {len(values)}"):
            Graph([x], Node(torch.exp, x))(*values)


def test_graph_is_keras_functional_model() -> None:
    narrow, wide = (keras.layers.Dense(n, dtype="float64") for n in (2, 5))
    place = keras.Input((7,), dtype="float64")
    joined = keras.layers.Concatenate(dtype="float64")([narrow(place), place])
    theirs = keras.Model(place, wide(joined))
    into = dense_from_keras(*weights_of(narrow, randn(3, 7)))
    out = dense_from_keras(*weights_of(wide, randn(3, 9)))
    x, v = Node(), randn(3, 7, seed=1)
    join = Node(lambda *parts: torch.cat(parts, dim=-1), Node(into, x), x)
    assert_close_in_single(Graph([x], Node(out, join))(v), theirs(v))


@pytest.mark.parametrize("units", [3, 7])
def test_dense_is_keras_dense(units: int) -> None:
    x, layer = randn(2, 7), keras.layers.Dense(units, dtype="float64")
    kernel, bias = weights_of(layer, x)
    ours = dense_from_keras(kernel, bias)
    assert_close_in_single(ours(x), layer(x))
    torch.testing.assert_close(ours(x), x @ kernel + bias)


@pytest.mark.parametrize(("size", "padding"), [((3, 3), 1), ((5, 5), 2), ((2, 3), 0), ((1, 1), 0)])
def test_conv_is_keras_conv(size: tuple[int, int], padding: int) -> None:
    x = randn(2, 7, 11, 3)
    mode = "same" if padding else "valid"
    layer = keras.layers.Conv2D(5, size, padding=mode, dtype="float64")
    ours = conv_from_keras(*weights_of(layer, x), padding=padding)
    torch.testing.assert_close(ours(first(x)), first(layer(x)))


@pytest.mark.parametrize(
    ("size", "stride"), [((2, 2), 2), ((2, 3), 2), ((3, 5), 3), ((4, 2), 1), ((3, 3), 2)]
)
def test_conv_transpose_is_keras_conv_transpose(size: tuple[int, int], stride: int) -> None:
    x = randn(2, 7, 11, 3)
    layer = keras.layers.Conv2DTranspose(5, size, strides=stride, dtype="float64")
    ours = conv_transpose_from_keras(*weights_of(layer, x), stride=stride)
    torch.testing.assert_close(ours(first(x)), first(layer(x)))


@pytest.mark.parametrize("channels", [1, 5])
def test_rows_behind_flatten_meet_the_same_pixels(channels: int) -> None:
    x, kernel, bias = randn(11, 2, 3, channels), randn(6 * channels, 7), randn(7, seed=1)
    theirs = x.flatten(1) @ kernel + bias
    ours = dense_from_keras(channels_first_rows(kernel, channels=channels), bias)
    torch.testing.assert_close(ours(first(x).flatten(1)), theirs)


def test_layers_take_number_type_and_own_their_weights() -> None:
    kernel, bias = randn(7, 3).float(), randn(3).float()
    layer = dense_from_keras(kernel, bias)
    kernel.zero_()
    assert layer.weight.dtype == torch.float32
    assert layer.weight.abs().min() > 0
    assert dense_from_keras(randn(7, 3), randn(3)).weight.dtype == DOUBLE


def test_what_does_not_fit_is_refused() -> None:
    four = torch.zeros(3, 2, 7, 5)
    with pytest.raises(ValueError, match=r"bias must .* beside kernel of shape \(3, 2, 7, 5\)"):
        conv_from_keras(four, torch.zeros(7), padding=0)
    with pytest.raises(ValueError, match="padding must not be negative, got -1"):
        conv_from_keras(four, torch.zeros(5), padding=-1)
    for stride in (0, 3):
        with pytest.raises(ValueError, match=f"stride must be between 1 and 2, got {stride}"):
            conv_transpose_from_keras(four, torch.zeros(7), stride=stride)
    for channels in (4, 0, -3):
        with pytest.raises(ValueError, match=f"divide the 6 rows of kernel, got {channels}"):
            channels_first_rows(torch.zeros(6, 2), channels=channels)
