"""What nbval sees and what it does not, with this repository's settings."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import pages

CODE = {
    "good": "from ddl import claim, say\nimport time\nprint(2 + 2)\n"
    "claim('Two is above one', 2.0 + 1e-6 * time.time(), above=1)\nsay(f'{time.time()}')",
    "tampered": "print(2 + 2)",
    "broken_claim": "from ddl import claim\nclaim('Two is above three', 2.0, above=3)",
    "missing": "2 + 2",
    "warns": "import sys\nprint('careful', file=sys.stderr)",
    "killed": "import os\nos.kill(os.getpid(), 9)",
    "out_of_memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
    "full = bytes(2**31)",
}
STORED = {
    "good": [
        {"output_type": "stream", "name": "stdout", "text": "4\n"},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/plain": "Claim: Two is above one\nAccepted: above 1\nVerdict: holds"},
        },
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/plain": "A sentence with numbers of this run."},
        },
    ],
    "tampered": [{"output_type": "stream", "name": "stdout", "text": "5\n"}],
    "broken_claim": [
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/plain": "Claim: Two is above three\nAccepted: above 3\nVerdict: holds"},
        }
    ],
    "missing": [],
    "warns": [],
    "killed": [],
    "out_of_memory": [],
}

PYTEST = [sys.executable, "-m", "pytest", "-p", "conftest", "-c", "pyproject.toml", "--nbval"]


def write_page(name: str, folder: Path) -> None:
    cell = new_code_cell(CODE[name], execution_count=1)
    cell.outputs = [nbformat.from_dict(output) for output in STORED[name]]
    nbformat.write(new_notebook(cells=[cell]), folder / f"{name}.ipynb")


@pytest.fixture(scope="module", params=["-n0", "-n2"])
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run pytest --nbval over one page of each kind, in one process and in two."""
    folder = tmp_path_factory.mktemp("pages")
    for name in CODE:
        write_page(name, folder)
    command = [*PYTEST, request.param, "-rA", str(folder)]
    result = subprocess.run(
        command, cwd=pages.ROOT, capture_output=True, encoding="utf-8", timeout=180
    )
    return result.stdout


@pytest.fixture(scope="module")
def readers_outcomes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same as `make book` runs them."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("broken_claim", "tampered", "missing"):
        write_page(name, folder)
    command = [*PYTEST, "-n0", "-rA", "--show-failing-claims", str(folder)]
    return subprocess.run(command, cwd=pages.ROOT, capture_output=True, encoding="utf-8").stdout


@pytest.mark.parametrize(
    ("page", "outcome"),
    [("broken_claim", "PASSED"), ("tampered", "FAILED"), ("missing", "FAILED")],
)
def test_a_claim_alone_does_not_stop_a_reader(
    readers_outcomes: str, page: str, outcome: str
) -> None:
    lines = [line for line in readers_outcomes.split("\n") if f"{page}.ipynb::Cell 0" in line]
    assert any(line.startswith(outcome) for line in lines), readers_outcomes


@pytest.mark.parametrize(
    ("page", "outcome"),
    [
        ("good", "PASSED"),
        ("tampered", "FAILED"),
        ("broken_claim", "FAILED"),
        ("missing", "FAILED"),
        ("warns", "FAILED"),
        ("killed", "FAILED"),
        ("out_of_memory", "FAILED"),
    ],
)
def test_pages_are_compared(outcomes: str, page: str, outcome: str) -> None:
    lines = [line for line in outcomes.split("\n") if f"{page}.ipynb::Cell 0" in line]
    assert any(line.startswith(outcome) for line in lines), outcomes


def test_copies_of_pages_are_not_published(outcomes: str) -> None:
    assert "good: 1 of 1 cells compared" in outcomes
    assert not (Path(pages.EXECUTED) / "good.ipynb").exists()


def test_a_dead_kernel_is_reported_with_its_page(outcomes: str) -> None:
    """Long before nbval's time-out, which this run would not live to see."""
    assert "killed.ipynb::Cell 0 - pytest plugin exception: the kernel died" in outcomes
    assert f"the kernel died, exit status {9 if sys.platform == 'win32' else -9}" in outcomes


@pytest.mark.skipif(sys.platform == "win32", reason="a kernel's parent is not its worker there")
def test_a_killed_worker_is_reported_once_and_at_once(tmp_path: Path) -> None:
    """While the other worker's page still waits: it ends when the report has been read."""
    seen = tmp_path / "seen"
    wait = (
        "import time\nfrom pathlib import Path\nuntil = time.monotonic() + 60\n"
        f"while not Path({str(seen)!r}).exists():\n"
        "    assert time.monotonic() < until\n    time.sleep(0.1)"
    )
    for name, source in {"waits": wait, "worker": "import os\nos.kill(os.getppid(), 9)"}.items():
        code = ["pass", source, "pass", "pass"]
        cells = [new_code_cell(source, execution_count=1) for source in code]
        nbformat.write(new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    command = [*PYTEST, "-n2", "-rf", str(tmp_path)]
    lines = []
    with subprocess.Popen(command, cwd=pages.ROOT, stdout=subprocess.PIPE, encoding="utf-8") as run:
        for line in run.stdout or ():
            lines.append(line)
            if line == "worker: its worker died, FAILED\n":
                seen.touch()
    said = "".join(lines)
    failed = [line.split(" - worker ")[0] for line in lines if line.startswith("FAILED")]
    assert failed == ["FAILED worker.ipynb::Cell 1"], said
    assert run.returncode == 1
    assert "waits: 4 of 4 cells compared" in said


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_full_memory_is_reported(outcomes: str) -> None:
    assert "MemoryError" in outcomes
