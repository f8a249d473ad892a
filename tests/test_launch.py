"""Launch copies: plain Markdown, the package from the right commit, torch and numpy untouched."""

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
import yaml

from tools import launch, pages
from tools.notebook import code_cells

RAW = re.compile(r"```\{|:::|\{[\w-]+\}`|^:\w+:", re.M)


RUN = {"seconds": 12.4, "scale": "cpu", "device": "CPU", "cores": 2}


def as_executed(slug: str) -> nbformat.NotebookNode:
    page = pages.read(slug)
    page.metadata["ddl"] = dict(RUN)
    return page


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every page count as executed, with its stored text outputs."""
    monkeypatch.setattr(pages, "checked", as_executed)


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> str:
    """Let this be a run of somebody's fork on GitHub."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef")
    return "someone/fork"


@pytest.mark.parametrize("slug", pages.slugs())
def test_copy_is_plain_and_complete(slug: str, executed: None) -> None:
    copy, page = launch.launch_copy(slug, "https://example.org/x/archive/abc.zip"), pages.read(slug)
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
    copy = launch.launch_copy("gating", "https://example.org/x/archive/abc.zip")
    first = code_cells(copy)[0].source
    ast.parse(first)
    assert "ddl[keras] @ https://example.org/x/archive/abc.zip" in first
    assert '("torch", "numpy")' in first
    assert copy.cells[0].source.startswith("# ")  # the question stays on top


class Pip:
    """Stands for pip: notes what it is asked, and fails from one call on."""

    def __init__(self, fails_at: int = 99) -> None:
        self.asked: list[list[str]] = []
        self.fails_at = fails_at

    def __call__(self, command: list[str], **_: object) -> SimpleNamespace:
        self.asked.append(command)
        failed = len(self.asked) >= self.fails_at
        return SimpleNamespace(returncode=int(failed), stderr="ERROR: no route to host\n")


def run_install_cell(pip: Pip, monkeypatch: pytest.MonkeyPatch, *origins: str | None) -> None:
    """Run the install cell of commit new where these distributions of ddl are."""
    there = [SimpleNamespace(read_text=lambda _, origin=origin: origin) for origin in origins]
    monkeypatch.setattr("importlib.metadata.distributions", lambda name: there)
    monkeypatch.setattr("subprocess.run", pip)
    exec(launch.install_code("https://example.org/x/archive/new.zip"), {})


def test_install_cell_takes_an_archive_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()
    run_install_cell(pip, monkeypatch)
    (asked,) = pip.asked
    assert asked[-1] == "ddl[keras] @ https://example.org/x/archive/new.zip"
    assert [word.split("==")[0] for word in asked[-3:-1]] == ["torch", "numpy"]
    run_install_cell(pip, monkeypatch, '{"url": "https://example.org/x/archive/new.zip"}')
    assert len(pip.asked) == 1


@pytest.mark.parametrize("fails_at", [1, 2, 99])
@pytest.mark.parametrize("origin", ['{"url": "https://example.org/x/archive/old.zip"}', None])
def test_install_cell_keeps_what_is_there_until_the_new_one_is_in(
    fails_at: int, origin: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(fails_at)
    if fails_at == 99:
        run_install_cell(pip, monkeypatch, origin)
        assert pip.asked[1][-3:-1] == ["--force-reinstall", "--no-deps"]
    else:
        said = "could not be installed; what was there is still there.*network.*no route to host"
        with pytest.raises(RuntimeError, match=said):
            run_install_cell(pip, monkeypatch, origin)
    assert len(pip.asked) == min(fails_at, 2)
    assert not any({"uninstall", "git"} & set(asked) for asked in pip.asked)


def test_copy_says_how_long_it_took_on_what(executed: None) -> None:
    copy = launch.launch_copy("gating", "")
    assert copy.cells[0].source.startswith("# ")
    assert "12 seconds at `cpu` size on a CPU with 2 cores" in copy.cells[1].source
    assert "on Tesla T4" in launch.about(RUN | {"device": "Tesla T4", "scale": "gpu"})


def test_branch_holds_what_the_buttons_name(executed: None, fork: str, tmp_path: Path) -> None:
    launch.write_branch(tmp_path)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    named = set()
    for slug in pages.slugs():
        colab, binder = map(urlsplit, launch.buttons(slug).values())
        assert colab.netloc == "colab.research.google.com"
        found = re.fullmatch(r"/github/(.+/.+)/blob/launch/(.+)", colab.path)
        assert found is not None
        assert found.groups() == (fork, f"{slug}.ipynb")
        assert (binder.netloc, binder.path) == ("mybinder.org", f"/v2/gh/{fork}/launch")
        assert parse_qs(binder.query) == {"labpath": [found[2]]}
        named.add(found[2])
    assert files == named | {"README.md", ".binder/environment.yml", ".binder/postBuild"}
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\((\w+\.ipynb)\)", readme)) == named
    assert all(url in readme for slug in pages.slugs() for url in launch.buttons(slug).values())
    for text in [readme, *((tmp_path / name).read_text(encoding="utf-8") for name in named)]:
        assert "0123456789abcdef" in text


def test_without_a_repository_there_is_nothing_to_launch(
    executed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "repository", lambda: "")
    assert launch.buttons("gating") == {}
    with pytest.raises(RuntimeError, match="GITHUB_REPOSITORY"):
        launch.write_branch(tmp_path)


def test_source_is_this_commit_of_the_runs_own_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.delenv("GITHUB_SHA", raising=False)
    assert re.fullmatch(
        r"https://github\.com/someone/fork/archive/[0-9a-f]{40}\.zip", launch.package_source()
    )
    monkeypatch.delenv("GITHUB_REPOSITORY")
    config = yaml.safe_load((pages.ROOT / "_config.yml").read_text(encoding="utf-8"))
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


def test_without_git_there_is_no_commit_and_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SHA", 40 * "a")
    assert launch.commit() == 40 * "a"
    monkeypatch.delenv("GITHUB_SHA")
    assert re.fullmatch("[0-9a-f]{40}", launch.commit())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launch.commit() == launch.package_source() == ""
