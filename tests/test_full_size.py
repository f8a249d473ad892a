"""The page of full-size results: every number has a file or a source, what was not run says so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ddl.recipes import NAMES, residual
from tools import pages, sphinx_recipes

FILES = sorted((pages.ROOT / "results").glob("*_[cg]pu.json"))


def result(**changes: Any) -> dict[str, Any]:
    known = {
        "recipe": "denoising",
        "scale": "cpu",
        "seed": 0,
        "data": "MNIST",
        "scores": {"floor": 0.0571234},
        "options": {"epochs": 20, "precision": "float32"},
        "trainings": {"a": {"seconds": 1.4, "steps": 700}, "b": {"seconds": 2.0, "steps": 800}},
        "ended": "2026-01-01 00:00",
        "device": "CPU",
        "processes": 2,
        "threads": 1,
        "versions": {"torch": "2.13.0"},
        "commit": 40 * "a",
    }
    return known | changes


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two results and one published figure of one recipe."""
    (tmp_path / "results").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "full_size.yml").write_text(
        "denoising:\n- {score: loss, value: 0.14, source: SDSC}\n"
        "- {score: floor, value: 0.05, source: us}\n- {score: floor, value: 0.06, source: them}\n",
        encoding="utf-8",
    )
    for number, found in enumerate((result(seed=1), result(), result(recipe="vae"))):
        (tmp_path / "results" / f"{number}.json").write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setattr(pages, "BOOK", tmp_path / "book")
    return tmp_path


def test_rows_are_of_files_and_what_was_not_run_says_so(made_up: Path) -> None:
    head, body = sphinx_recipes.rows("denoising")
    assert head == ["Score", "cpu size", "cpu size, seed 1", "gpu size", "Published"]
    published = "0.05 (us); 0.06 (them); not comparable: cpu size is MNIST, 800 steps; "
    published += "not comparable: cpu size, seed 1 is MNIST, 800 steps"
    assert body == [
        ["floor", "0.05712", "0.05712", "not run", published],
        ["loss", "not run", "not run", "not run", "0.14 (SDSC)"],
    ]


def test_a_size_that_was_run_is_no_longer_marked(made_up: Path) -> None:
    (made_up / "results" / "gpu.json").write_text(
        json.dumps(result(scale="gpu", scores={"loss": 2})), encoding="utf-8"
    )
    head, body = sphinx_recipes.rows("denoising")
    assert head[3:] == ["gpu size", "Published"]
    assert [row[3] for row in body] == ["not run", "2"]
    assert body[1][4] == "0.14 (SDSC)"  # beside a full run nothing more is to be said


def test_a_recipe_without_a_published_figure_has_no_column_for_it(made_up: Path) -> None:
    source = made_up / "book" / "full_size.yml"
    source.write_text(source.read_text(encoding="utf-8") + "vae: []\n", encoding="utf-8")
    head, body = sphinx_recipes.rows("vae")
    assert head == ["Score", "cpu size", "gpu size"]
    assert body == [["floor", "0.05712", "not run"]]


def test_a_run_says_how_it_was_made() -> None:
    line = sphinx_recipes.made(result())
    for part in (
        "cpu size: MNIST; seed 0; 2 trainings, together 1,500 steps in 3 s, on CPU,",
        "processes 2, threads 1",
        "torch 2.13.0; commit aaaaaaaaaaaa; epochs 20,",
    ):
        assert part in line
    single = result(trainings={"a": {"seconds": 1.4, "steps": 700}})
    assert "; 1 training, 700 steps in 1 s, on CPU," in sphinx_recipes.made(single)


def test_the_page_shows_every_recipe_once() -> None:
    page = (pages.BOOK / "full_size.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\{recipe-results\} (\w+)", page)) == sorted(NAMES)
    assert set(sphinx_recipes.published()) == set(NAMES)
    # The page's own words hold no number that was measured.
    assert not re.search(r"\d\.\d", page)


def test_every_recipe_was_run_at_cpu_size_on_real_images() -> None:
    runs = {(found["recipe"], found["scale"]) for found in map(_read, FILES)}
    assert {(name, "cpu") for name in NAMES} <= runs


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stored_result_can_be_traced(path: Path) -> None:
    found = _read(path)
    assert path.stem.startswith(f"{found['recipe']}_{found['scale']}")
    assert found["data"].startswith(("MNIST", "CIFAR-10"))
    assert re.fullmatch(r"[0-9a-f]{40}", found["commit"]), "made with changes not committed"
    assert found["versions"]["torch"]
    assert found["ended"]
    for training in found["trainings"].values():
        assert training["steps"] > 0
        assert training["seconds"] > 0
        assert training["losses"]


def test_what_is_published_can_be_compared() -> None:
    scores = {name for found in map(_read, FILES) for name in found["scores"]}
    scores |= {
        f"{kind}-{depth}, {part} error in %"
        for kind in residual.KINDS
        for depth in (20, 32, 44, 56, 110)
        for part in ("training", "test")
    }
    scores.add("Fréchet distance, DDPM, 1000 steps")
    for figures in sphinx_recipes.published().values():
        for figure in figures:
            assert figure["score"] in scores
            assert len(figure["source"]) > 5
            assert set(figure) == {"score", "value", "source"}
