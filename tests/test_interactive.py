"""What a page hands to the site: numbers as JSON, models as ONNX that computes the same."""

import base64
import json
import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from ddl import interactive as module
from ddl.interactive import INTERACTIVE_MIME, interactive, to_onnx


class TwoInputs(nn.Module):
    """A model with a method beside `forward`, and dropout, which must be off."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(2, 5)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.dropout(torch.relu(self.first(x) + self.second(y)))

    def twice(self, x: Tensor) -> Tensor:
        return 2 * self.first(x)


def run(content: bytes, *inputs: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(content)
    feeds = {f"input{k}": tensor.numpy() for k, tensor in enumerate(inputs)}
    return np.asarray(session.run(["output"], feeds)[0])


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(module, "show", lambda text, rich: calls.append((text, rich)))
    return calls


def test_the_export_computes_what_the_model_does() -> None:
    torch.manual_seed(0)
    model, x, y = TwoInputs(), torch.randn(7, 3), torch.randn(7, 2)
    model.train()
    content = to_onnx(model, [torch.zeros(7, 3), torch.zeros(7, 2)])
    assert model.training  # the page's model is left as it is
    expected = model.eval()(x, y).detach().numpy()
    np.testing.assert_allclose(run(content, x, y), expected, atol=1e-5)


def test_the_export_names_no_place_on_this_machine() -> None:
    content = to_onnx(TwoInputs(), [torch.zeros(7, 3), torch.zeros(7, 2)])
    assert b".py" not in content
    assert str(Path(__file__).parent).encode() not in content


def test_a_method_is_exported_like_a_model() -> None:
    torch.manual_seed(0)
    model, x = TwoInputs(), torch.randn(1, 3)
    expected = model.twice(x).detach().numpy()
    np.testing.assert_allclose(run(to_onnx(model.twice, [x]), x), expected, atol=1e-5)


def test_nothing_is_printed_by_an_export(capfd: pytest.CaptureFixture[str]) -> None:
    to_onnx(nn.Linear(3, 2), [torch.zeros(1, 3)])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("level", [logging.NOTSET, logging.INFO, logging.CRITICAL])
@pytest.mark.parametrize("stops", [False, True])
def test_an_export_leaves_logging_as_it_was(level: int, stops: bool) -> None:
    class Stops(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("the reader's own")

    logging.disable(level)
    try:
        with pytest.raises(Exception, match="own") if stops else nullcontext():
            to_onnx(Stops() if stops else nn.Linear(3, 2), [torch.zeros(1, 3)])
        assert logging.root.manager.disable == level
    finally:
        logging.disable(logging.NOTSET)


def test_the_output_holds_name_numbers_model_and_an_example(shown) -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(1, 3)
    interactive("figure", data={"t": torch.tensor([1 / 3])}, models={"net": (model, [x])})
    ((text, rich),) = shown
    assert text == "Interactive figure: figure"
    assert 'data-interactive="figure"' in rich["text/html"]
    payload = json.loads(json.dumps(rich[INTERACTIVE_MIME]))
    assert payload["data"] == {"t": [0.33333]}
    exported = payload["models"]["net"]
    assert exported["inputs"] == [{"shape": [1, 3], "values": x.flatten().tolist()}]
    assert exported["output"]["shape"] == [1, 2]
    found = run(base64.b64decode(exported["onnx"]), x).ravel()
    np.testing.assert_allclose(found, exported["output"]["values"], atol=1e-6)


def test_without_onnx_the_models_are_left_out(shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    interactive("figure", models={"net": (nn.Linear(3, 2), [torch.zeros(1, 3)])})
    assert shown[0][1][INTERACTIVE_MIME]["models"] == {}


def test_a_model_that_is_too_large_is_refused(shown) -> None:
    with pytest.raises(ValueError, match="must be at most"):
        interactive("figure", models={"net": (nn.Linear(600, 600), [torch.zeros(1, 600)])})


def test_data_that_json_cannot_hold_is_refused(shown) -> None:
    for thing in (object(), float("nan"), torch.tensor(float("inf")), {1j}):
        with pytest.raises(ValueError, match="data must hold"):
            interactive("figure", data={"things": [thing]})
    assert shown == []


def test_what_is_no_model_is_named(shown) -> None:
    example = [torch.zeros(1, 3)]
    for model, message in (
        (torch.relu, "must be a model or a method of one"),
        (lambda x: x, "must be a model or a method of one"),
        (nn.LSTM(3, 2), "must return one tensor, got tuple"),
    ):
        with pytest.raises(ValueError, match=rf"models\['net'\] {message}"):
            interactive("figure", models={"net": (model, example)})
    with pytest.raises(RuntimeError):  # of the reader's own model
        interactive("figure", models={"net": (nn.Linear(2, 1), example)})
    assert shown == []
