"""Every model that a page hands to the browser computes what torch computed."""

import base64
import math

import numpy as np
import onnxruntime
import pytest

from ddl.interactive import LARGEST
from tools import pages
from tools.sphinx_interactive import figures

INTERACTIVES = (pages.ROOT / "web" / "static" / "interactive").glob("*.js")
WITHOUT_MODULE = {"kit"}


def executed(slug: str) -> list[dict]:
    if not (pages.EXECUTED / f"{slug}.ipynb").is_file():
        pytest.skip(f"{slug} has no checked outputs: run make book first")
    return list(figures(slug))


@pytest.mark.parametrize("slug", pages.slugs())
def test_exported_models_equal_torchs(slug: str) -> None:
    for figure in executed(slug):
        for key, model in figure["models"].items():
            content = base64.b64decode(model["onnx"])
            assert len(content) <= LARGEST
            session = onnxruntime.InferenceSession(content)
            kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
            feeds = {
                entry.name: np.array(given["values"], dtype=kinds[entry.type]).reshape(
                    given["shape"]
                )
                for entry, given in zip(session.get_inputs(), model["inputs"], strict=True)
            }
            found = np.asarray(session.run(None, feeds)[0])
            assert list(found.shape) == model["output"]["shape"], (figure["name"], key)
            values = np.array(model["output"]["values"])
            assert math.isfinite(np.abs(values).sum())
            assert np.abs(values).max() > 0, "an output of zeros proves nothing"
            assert np.abs(found.ravel() - values).max() < 1e-4, (figure["name"], key)


def test_every_figure_of_the_site_stands_on_a_page() -> None:
    shown = {figure["name"] for slug in pages.slugs() for figure in executed(slug)}
    assert shown == {path.stem for path in INTERACTIVES} - WITHOUT_MODULE
