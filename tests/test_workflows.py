"""What the workflows promise: pinned actions, least rights, no site from pages that failed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import pages

FILES = sorted((pages.ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"^\s*(?:- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((pages.ROOT / ".github" / "workflows" / name).read_text())


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_there_are_workflows() -> None:
    assert {"ci.yml", "publish.yml"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_and_rights_are_few(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [line for line in lines if "uses:" in line and not PINNED.match(line)] == []
    workflow = yaml.safe_load("\n".join(lines))
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in workflow
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 180, name
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
            # What somebody else may have written never stands in a script.
            assert "${{" not in step.get("run", "")


def test_commands_exist() -> None:
    makefile = (pages.ROOT / "Makefile").read_text()
    for path in FILES:
        for job in load(path.name)["jobs"].values():
            for command in commands(job):
                for target in re.findall(r"^make (\S+)", command, re.M):
                    known = target == ".venv/.ready" or re.search(rf"^{target}:", makefile, re.M)
                    assert known, target
                for module in re.findall(r"-m (tools\.\w+)", command):
                    assert (pages.ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_a_failing_page_stops_the_publication() -> None:
    workflow = load("publish.yml")
    jobs = workflow["jobs"]
    order = commands(jobs["build"])
    assert order.index("make pages") < order.index("make site") < order.index("make browser")
    assert not re.search(r"continue-on-error|always\(\)", str(jobs))
    assert jobs["deploy"]["needs"] == "build"
    assert jobs["launch"]["needs"] == "deploy"
    assert "vars.GPU_RUNNER" in jobs["build"]["runs-on"]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    # Pages are executed once, in one job: the site is built from what was compared.
    run = [command for job in jobs.values() for command in commands(job)]
    assert [c for c in run if "nbval" in c or c == "make pages"] == ["make pages"]
    assert jobs["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}
