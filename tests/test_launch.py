"""Launch copies: plain Markdown, the package from the right commit, torch and numpy untouched."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from tools import launch, pages
from tools.notebook import code_cells

RAW = re.compile(r"```\{|:::|\{[\w-]+\}`|^:\w+:", re.M)


RAN = {"seconds": 12.3, "scale": "cpu", "device": "CPU", "cores": 2}


def as_executed(slug: str) -> nbformat.NotebookNode:
    page = pages.read(slug)
    page.metadata["ddl"] = dict(RAN)
    return page


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every page count as executed, with its stored text outputs."""
    monkeypatch.setattr(pages, "checked", as_executed)


@pytest.mark.parametrize("slug", pages.slugs())
def test_copy_is_plain_and_complete(slug: str, executed: None) -> None:
    copy, page = launch.launch_copy(slug, "git+https://example.org/x@abc"), pages.read(slug)
    texts = [cell.source for cell in copy.cells if cell.cell_type == "markdown"]
    assert not [found for text in texts if (found := RAW.search(text))]
    written = "\n".join(texts)
    titles = re.findall(r"```\{exercise\} ?(.*)", "\n".join(c.source for c in page.cells))
    assert titles
    assert re.findall(r"### Exercise(?:: )?(.*)", written) == titles
    assert written.count("**Solution**") == len(titles)
    assert [c.source for c in code_cells(copy)[1:]] == [c.source for c in code_cells(page)]
    nbformat.validate(copy)


@pytest.mark.parametrize("slug", pages.slugs())
def test_copy_asks_for_a_gpu_where_it_trains(slug: str, executed: None) -> None:
    copy = launch.launch_copy(slug, "")
    trains = "from ddl.training" in "".join(cell.source for cell in code_cells(copy))
    assert (copy.metadata.get("accelerator") == "GPU") == trains


def test_first_code_cell_installs_beside_torch_and_numpy(executed: None) -> None:
    copy = launch.launch_copy("gating", "git+https://example.org/x@abc")
    first = code_cells(copy)[0].source
    ast.parse(first)
    assert "ddl[keras] @ git+https://example.org/x@abc" in first
    assert '("torch", "numpy")' in first
    assert copy.cells[0].source.startswith("# ")  # the question stays on top
    assert "took 12 seconds at `cpu` size on a CPU with 2 cores" in copy.cells[1].source


def test_buttons_lead_to_the_copies_of_the_runs_own_repository(
    executed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    config = yaml.safe_load((pages.ROOT / "_config.yml").read_text())
    if not config["sphinx"]["config"]["ddl_repository"]:
        assert launch.buttons("gating") == {}
        with pytest.raises(RuntimeError, match="no repository"):
            launch.write_branch(tmp_path)
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    launch.write_branch(tmp_path)
    readme = (tmp_path / "README.md").read_text()
    for slug in pages.slugs():
        for address in launch.buttons(slug).values():
            assert "someone/fork" in address
            name = re.search(r"(?:launch/|labpath=)(\w+\.ipynb)$", address)
            assert name is not None
            assert (tmp_path / name[1]).is_file()
            assert address in readme
    assert (tmp_path / ".binder" / "environment.yml").is_file()


def test_source_is_this_commit_of_the_runs_own_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    assert re.fullmatch(
        r"git\+https://github\.com/someone/fork@[0-9a-f]{40}", launch.package_source()
    )
    monkeypatch.delenv("GITHUB_REPOSITORY")
    config = yaml.safe_load((pages.ROOT / "_config.yml").read_text())
    assert launch.repository() == config["sphinx"]["config"]["ddl_repository"]


def test_links_lead_to_the_site_where_it_has_an_address() -> None:
    text = "See {doc}`Gates <gating>`."
    assert launch.plain_markdown(text) == "See [Gates](gating.ipynb)."
    assert (
        launch.plain_markdown(text, "https://example.org/name/")
        == "See [Gates](https://example.org/name/gating.html)."
    )


@pytest.mark.parametrize("text", ["```{figure} x.png\n```", "{cite}`he`", "{ref}`a`"])
def test_what_cannot_be_shown_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot show"):
        launch.plain_markdown(text)


def test_copies_hold_nothing_for_the_site_alone(
    executed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_payload(slug: str) -> nbformat.NotebookNode:
        page = as_executed(slug)
        data = {"text/plain": "x", "application/vnd.ddl.interactive+json": {"models": "PAYLOAD"}}
        cell = code_cells(page)[0]
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
        return page

    monkeypatch.setattr(pages, "checked", with_payload)
    assert "PAYLOAD" not in json.dumps(launch.launch_copy("gating", ""))


def test_a_page_without_checked_outputs_has_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "checked", lambda slug: None)
    with pytest.raises(RuntimeError, match="gating has no checked outputs"):
        launch.launch_copy("gating", "")
