"""What a page hands to the site: models as ONNX that answer as torch does, and nothing else."""

import base64
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddl import interactive

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


class Shrink(nn.Module):
    """Convolves, halves and counts: parts of several kinds, and an input of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.label = nn.Embedding(5, 3)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return F.max_pool2d(self.conv(x), 2) + self.label(label)[:, :, None, None]

    def tenfold(self, x: Tensor) -> Tensor:
        return 10 * self.conv(x)


def answer(content: bytes, *inputs: Tensor) -> np.ndarray:
    session = ort.InferenceSession(content)
    feeds = {f"input{k}": tensor.numpy() for k, tensor in enumerate(inputs)}
    return session.run(["output"], feeds)[0]


def test_onnx_answers_as_torch_does() -> None:
    model, x, label = Shrink(), torch.randn(2, 1, 6, 10), torch.tensor([4, 1])
    content = interactive.to_onnx(model, [torch.zeros_like(x), torch.zeros_like(label)])
    np.testing.assert_allclose(
        answer(content, x, label), model(x, label).detach().numpy(), atol=1e-5
    )
    content = interactive.to_onnx(model.tenfold, [torch.zeros_like(x)])
    np.testing.assert_allclose(answer(content, x), model.tenfold(x).detach().numpy(), atol=1e-5)


def test_onnx_names_no_file() -> None:
    content = interactive.to_onnx(Shrink(), [torch.zeros(2, 1, 6, 10), torch.tensor([4, 1])])
    for trace in (b".py", b"site-packages", __file__.encode()):
        assert trace not in content
    assert onnx.load_from_string(content).graph.node


def test_payload_holds_models_and_plain_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(interactive, "show", lambda text, rich: shown.append((text, rich)))
    x = torch.randn(1, 1, 4, 4)
    model = Shrink()
    interactive.interactive(
        "shrink", data={"third": torch.tensor(1 / 3)}, models={"ten": (model.tenfold, [x])}
    )
    [(text, rich)] = shown
    assert text == "Interactive figure: shrink"
    payload = rich[interactive.INTERACTIVE_MIME]
    assert payload["data"] == {"third": 0.33333}
    ten = payload["models"]["ten"]
    assert ten["inputs"][0] == {"shape": [1, 1, 4, 4], "values": x.flatten().tolist()}
    found = answer(base64.b64decode(ten["onnx"]), x)
    np.testing.assert_allclose(found.ravel(), ten["output"]["values"], atol=1e-5)


def test_large_models_are_refused() -> None:
    large = nn.Linear(600, 600)  # 1.4 MB
    with pytest.raises(ValueError, match=r"models\['large'\] must be at most 1,048,576 bytes"):
        interactive.interactive("large", models={"large": (large, [torch.zeros(1, 600)])})
