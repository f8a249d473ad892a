"""The launch copies run where readers open them: nothing but what Colab or Binder lends.

The install cell takes the package from a repository on this machine, what else it needs
from the package registry. After that the network is cut.
"""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from machine import LENT, Machine
from nbclient import NotebookClient

from tools import launch, pages
from tools.notebook import code_cells

pytestmark = pytest.mark.xdist_group("contract")  # they share one machine
RAN = {"seconds": 1.0, "scale": "cpu", "device": "CPU", "cores": 2}
NOWHERE = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
NOWHERE |= {name.upper(): address for name, address in NOWHERE.items()}
CONDA = {"pytorch-cpu": "torch"}  # other names that packages have there


def as_executed(slug: str) -> nbformat.NotebookNode:
    """Return a page with its stored outputs, as if nbval had just run it."""
    page = pages.read(slug)
    page.metadata["ddl"] = dict(RAN)
    return page


def commit(repository: Path, message: str) -> str:
    """Commit all there is; return the commit as pip finds it: an archive, as GitHub's are."""
    git = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, encoding="utf-8"
    )
    number = head.stdout.strip()
    archive = repository.parent / f"{number}.zip"
    zipped = ["archive", "--prefix", f"repository-{number}/", "-o", str(archive), "HEAD"]
    subprocess.run([*git, *zipped], check=True)
    return f"file://{archive}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "--retries", "0"]
    folder = tmp_path_factory.mktemp("contract")
    found = subprocess.run([*registry, "--timeout", "10", "-d", folder / "try", "wheel"])
    if found.returncode and not os.environ.get("CI"):
        pytest.skip("no package registry: launch copies have nothing to install from")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def source(place: Path) -> str:
    """A repository with the package as it is in this working tree; where pip finds it."""
    repository = place / "repository"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(pages.ROOT / "ddl", repository / "ddl", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(pages.ROOT / name, repository / name)
    subprocess.run(["git", "init", "-q", repository], check=True)
    return commit(repository, "The package")


@pytest.fixture(scope="module")
def branch(place: Path, source: str) -> Path:
    """The folder that becomes branch `launch`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "checked", as_executed)
        patch.setattr(launch, "package_source", lambda: source)
        patch.setenv("GITHUB_REPOSITORY", "someone/fork")
        launch.write_branch(place / "branch")
    return place / "branch"


@pytest.fixture(scope="module")
def lent(place: Path) -> Machine:
    """A machine on which nothing has run yet."""
    return Machine(place)


@pytest.fixture(scope="module")
def ready(place: Path, branch: Path, lent: Machine) -> tuple[Machine, dict[str, str]]:
    """The machine after the install cell, and the versions of what it had before."""
    before = lent.versions(place / "empty")
    with pytest.raises(RuntimeError, match="No module named 'ddl'"):
        lent.run(lent.python, "-c", "import ddl", cwd=place / "empty")
    page = nbformat.read(branch / f"{pages.slugs()[0]}.ipynb", as_version=4)
    lent.run(lent.python, "-c", code_cells(page)[0].source, cwd=place / "empty")
    return lent, before


def test_install_cell_changes_nothing_that_is_there(
    ready: tuple[Machine, dict[str, str]], place: Path
) -> None:
    machine, before = ready
    after = machine.versions(place / "empty")
    assert {name: after[name] for name in before} == before
    assert {"torch", "numpy", "matplotlib"} < set(before)
    assert {"ddl", "keras"} <= set(after) - set(before)
    where = machine.run(machine.python, "-c", "import ddl; print(ddl.__file__)", cwd=place)
    assert str(machine.python.parent.parent) in where
    machine.run(machine.python, "-m", "pip", "check", cwd=place)


@pytest.mark.parametrize("slug", pages.slugs())
def test_launch_copy_runs_to_its_end(
    slug: str,
    ready: tuple[Machine, dict[str, str]],
    branch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine, _ = ready
    page = nbformat.read(branch / f"{slug}.ipynb", as_version=4)
    for cell in code_cells(page):
        cell.outputs, cell.execution_count = [], None
    monkeypatch.setenv("JUPYTER_PATH", str(machine.jupyter_path))
    here = machine.environment(
        DDL_SCALE="smoke", DDL_DATA="drawn", HOME=str(machine.home), **NOWHERE
    )
    NotebookClient(page, timeout=300, kernel_name="machine").execute(cwd=str(tmp_path), env=here)
    assert all(cell.execution_count for cell in code_cells(page))
    written = str([cell.outputs for cell in code_cells(page)])
    assert "This run: smoke size" in written
    assert "not checked at smoke size" in written
    assert "Not yet: " in written  # stubs of exercises do not stop a reader's run
    assert list(tmp_path.iterdir()) == []


def test_install_cell_replaces_an_older_commit(
    ready: tuple[Machine, dict[str, str]], place: Path
) -> None:
    machine, before = ready
    newer = commit(place / "repository", "A newer one of the same version")
    for gone in ("http://127.0.0.1:9/gone.zip", f"file://{place}/gone.zip"):
        with pytest.raises(RuntimeError, match="could not be installed; what was there is still"):
            machine.run(machine.python, "-c", launch.install_code(gone), cwd=place / "empty")
        machine.run(machine.python, "-c", "import ddl", cwd=place / "empty")
    machine.run(machine.python, "-c", launch.install_code(newer), cwd=place / "empty")
    origin = "from importlib.metadata import distribution as d\nprint(d('ddl').read_text({!r}))"
    here = machine.run(machine.python, "-c", origin.format("direct_url.json"), cwd=place)
    assert launch.commit_of(newer) in here
    after = machine.versions(place / "empty")
    assert {name: after[name] for name in before} == before


def test_binder_starts_with_what_the_machine_lends(branch: Path) -> None:
    environment = yaml.safe_load(
        (branch / ".binder" / "environment.yml").read_text(encoding="utf-8")
    )
    names = [name.split("=")[0] for name in environment["dependencies"]]
    # Binder has Jupyter of its own.
    assert {CONDA.get(n, n) for n in names} - {"python"} == set(LENT) - {"ipykernel"}


@pytest.mark.parametrize("where", ["main", "launch"])
def test_binder_builds_the_package_beside_them(
    where: str, ready: tuple[Machine, dict[str, str]], branch: Path, place: Path
) -> None:
    machine, before = ready
    machine.run(machine.python, "-m", "pip", "uninstall", "-q", "-y", "ddl", cwd=place)
    root = branch
    if where == "main":
        root = place / "repository"
        shutil.copytree(pages.ROOT / ".binder", root / ".binder")
    post_build = root / ".binder" / "postBuild"
    assert post_build.stat().st_mode & stat.S_IXUSR
    machine.run(post_build, cwd=root)  # repo2docker runs it in the repository's root
    after = machine.versions(place / "empty")
    assert {name: after[name] for name in before} == before
    with_torch = "import os; os.environ['KERAS_BACKEND'] = 'torch'; import ddl, keras"
    machine.run(machine.python, "-c", with_torch, cwd=place / "empty")


def test_repo2docker_takes_both_files(
    ready: tuple[Machine, dict[str, str]], branch: Path, place: Path
) -> None:
    machine, _ = ready
    pip = [machine.python, "-m", "pip", "install", "-q"]
    machine.run(*pip, "jupyter-repo2docker", cwd=place)  # the newest, as Binder runs it
    for name, files in (("main", pages.ROOT / ".binder"), ("launch", branch / ".binder")):
        root = place / "dry" / name
        shutil.copytree(files, root / ".binder")
        dry_run = f"{machine.python} -m repo2docker --no-build --debug {root} 2>&1"
        steps = machine.run("bash", "-c", dry_run, cwd=place)
        assert "Building conda environment for python=3.12" in steps
        assert 'env update -p ${NB_PYTHON_PREFIX} --file ".binder/environment.yml"' in steps
        assert "RUN ./.binder/postBuild" in steps
