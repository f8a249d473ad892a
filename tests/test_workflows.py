"""The contract of the workflows, where their schema and zizmor do not look."""

import ast
import hashlib
import importlib
import os
import re
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import pages

FOLDER = pages.ROOT / ".github" / "workflows"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
WORKFLOWS = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
JOBS = {
    f"{name}.{job}": body for name, flow in WORKFLOWS.items() for job, body in flow["jobs"].items()
}
BUILD = WORKFLOWS["build"]["jobs"]["build"]
CALL = "./.github/workflows/build.yml"
CALLERS = [name for name, text in TEXTS.items() if CALL in text]
MAKEFILE = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="runs a step of a Linux runner")


def commands(job: dict[str, Any]) -> list[str]:
    """Return what a job's steps run, in order."""
    return [step["run"].strip() for step in job.get("steps", []) if "run" in step]


def actions(job: dict[str, Any]) -> list[str]:
    """Return what a job's steps run or use, in order, actions without their commit."""
    steps = job.get("steps", [])
    return [step.get("run", step.get("uses", "")).split("@")[0].strip() for step in steps]


@pytest.mark.parametrize("name", TEXTS)
def test_actions_are_pinned_by_commit_with_the_version_beside_it(name: str) -> None:
    for used in re.findall(r"uses: (.*)", TEXTS[name]):
        if used.startswith("./"):
            assert (pages.ROOT / used.split()[0]).is_file()
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)


def test_an_action_has_one_commit_and_one_version() -> None:
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)@(.*)", "\n".join(TEXTS.values())))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_permitted_that_no_job_asks_for(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}


@pytest.mark.parametrize("job", JOBS)
def test_jobs_have_an_end_and_their_permissions(job: str) -> None:
    assert JOBS[job]["permissions"]
    assert "uses" in JOBS[job] or 0 < JOBS[job]["timeout-minutes"] < 360


@pytest.mark.parametrize("job", JOBS)
def test_who_may_write_runs_no_code_of_the_repository(job: str) -> None:
    """Nor of its dependencies: a package that was hijacked meets a token that reads."""
    if "write" in JOBS[job]["permissions"].values():
        assert not [step for step in actions(JOBS[job]) if "checkout" in step]
        assert not [c for c in commands(JOBS[job]) if re.search(r"\b(make|python|pip|npm)\b", c)]


@pytest.mark.parametrize("job", JOBS)
def test_no_token_is_left_in_a_checkout(job: str) -> None:
    for step in JOBS[job].get("steps", []):
        if "checkout" in step.get("uses", ""):
            assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("job", JOBS)
def test_no_script_is_written_by_whoever_opens_a_pull_request(job: str) -> None:
    assert not [command for command in commands(JOBS[job]) if "${{" in command]


@pytest.mark.parametrize("name", TEXTS)
def test_no_secrets_and_no_owner(name: str) -> None:
    """A fork runs all of it."""
    assert not re.search(r"secrets\b(?!, no GPU)|pull_request_target|github\.com/", TEXTS[name])


# --- What they run -------------------------------------------------------------------------------


@pytest.mark.parametrize("job", JOBS)
def test_commands_exist(job: str) -> None:
    for command in commands(JOBS[job]):
        for target in re.findall(r"^make ([\w./]+)", command, re.M):
            assert re.search(rf"^([\w ]+ )?{re.escape(target)}( [\w ]+)?:", MAKEFILE, re.M) or (
                target == ".venv/.ready" and "READY := .venv/.ready" in MAKEFILE
            )
        for module in re.findall(r"python -m ([\w.]+)", command):
            assert find_spec(module)
        for _, code in re.findall(r"python -c (['\"])(.*?)\1(?:\n|$)", command):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    module = importlib.import_module(node.module)
                    assert all(hasattr(module, alias.name) for alias in node.names)


def test_each_pull_request_gets_all_of_make_test() -> None:
    parts = re.search(r"^PARTS := (.*)$", MAKEFILE, re.M)
    assert parts
    steps = [c for c in commands(WORKFLOWS["ci"]["jobs"]["book"]) if c.startswith("make ")]
    assert steps == [f"make {part}" for part in parts[1].split()]


def test_python_versions() -> None:
    first = WORKFLOWS["ci"]["jobs"]["book"]["steps"][1]["with"]["python-version"]
    others = WORKFLOWS["ci"]["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    assert [first, *others] == ["3.11", "3.12", "3.13"]


# --- Publishing ----------------------------------------------------------------------------------


def test_pages_run_once_and_before_all_that_is_made_of_them() -> None:
    runs = re.compile(r"--nbval|make (pages|test|book|page)\b|\.ci/run")
    assert [command for command in commands(BUILD) if runs.search(command)] == ["make pages"]
    order = [
        ".venv/bin/python -c 'from ddl.data import",
        "make pages",
        "make site",
        "make browser",
        ".venv/bin/python -m tools.launch",
        "make pack",
        "actions/upload-pages-artifact",
    ]
    places = [
        next(k for k, step in enumerate(actions(BUILD)) if step.startswith(text)) for text in order
    ]
    assert places == sorted(places)
    for name in CALLERS:
        others = [job for job in WORKFLOWS[name]["jobs"].values() if job.get("uses") != CALL]
        assert len(others) == len(WORKFLOWS[name]["jobs"]) - 1
        assert not [command for job in others for command in commands(job) if runs.search(command)]


@pytest.mark.parametrize("name", CALLERS)
def test_nothing_is_published_after_a_failure(name: str) -> None:
    for key, job in WORKFLOWS[name]["jobs"].items():
        needed = job.get("needs", [])
        assert key == "build" or "build" in ([needed] if isinstance(needed, str) else needed)
    for text in (TEXTS[name], TEXTS["build"]):
        assert not re.search(
            r"continue-on-error|always\(\)|failure\(\)|cancelled\(\)|\|\| true", text
        )


def test_the_site_comes_last() -> None:
    jobs = WORKFLOWS["publish"]["jobs"]
    deploying = [k for k, job in jobs.items() if "actions/deploy-pages" in actions(job)]
    assert deploying == ["site"]
    assert set(jobs["site"]["needs"]) == set(jobs) - {"site"}
    assert jobs["build"]["if"] == "github.ref == 'refs/heads/main'"


def test_the_gpu_is_a_variable_of_the_repository_and_never_shared() -> None:
    assert BUILD["runs-on"] == "${{ vars.GPU_RUNNER || 'ubuntu-latest' }}"
    assert BUILD["concurrency"] == {"group": "gpu", "cancel-in-progress": False}
    assert "strategy" not in BUILD
    assert not re.search(r"numprocesses|-n ?\d|DDL_(SCALE|DATA)", TEXTS["build"])
    # A third run in line would drop the second: the callers line up one by one before.
    for name in CALLERS:
        assert WORKFLOWS[name]["concurrency"] == {"group": name, "cancel-in-progress": False}
    assert CALLERS == ["publish", "release"]


# --- Their scripts, run here ---------------------------------------------------------------------

GH = """#!/usr/bin/env bash
echo "$@" >> "$CALLS"
case "$1 $2" in
  "issue list") echo "$OPEN" ;;
  "release view") exit "$NO_RELEASE" ;;
esac
"""


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `gh` that writes down how it is called; return where."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH, encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def run(job: str, cwd: Path, **environment: str) -> None:
    """Run the last step of a job as GitHub does, with its environment and this one on top."""
    step = JOBS[job]["steps"][-1]
    fixed = {name: text for name, text in step["env"].items() if "${{" not in text}
    subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=cwd, check=True, env=os.environ | fixed | environment
    )


@on_linux
@pytest.mark.parametrize(("number", "call"), [("", "issue create"), ("7", "issue comment 7")])
def test_a_broken_week_is_one_issue(gh: Path, tmp_path: Path, number: str, call: str) -> None:
    where = {"GITHUB_SERVER_URL": "https://host", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "5"}
    run(
        "weekly.report",
        tmp_path,
        OPEN=number,
        NEWEST="failure",
        SYSTEMS="success",
        SEEDS="success",
        **where,
    )
    calls = gh.read_text(encoding="utf-8")
    assert re.findall(r"^issue (?!list).*?(?= --)", calls, re.M) == [call]
    assert "--body Newest packages: failure. macOS and Windows: success. Seeds: success.\n" in calls
    assert "https://host/a/b/actions/runs/5" in calls


@on_linux
@pytest.mark.parametrize(("number", "call"), [("", "issue create"), ("7", "issue comment 7")])
def test_each_claim_that_failed_is_one_issue(
    gh: Path, tmp_path: Path, number: str, call: str
) -> None:
    found = {101: "gating\tIt is so\tseed 101, avx2: measured 0.9, accepted above 1\n", 102: ""}
    found[103] = "skip\tIt is small\tseed 103, native: measured 2, accepted below 1\n"
    for seed, lines in found.items():
        folder = tmp_path / "records" / f"seed-{seed}"
        folder.mkdir(parents=True)
        (folder / "failures.tsv").write_text(lines, encoding="utf-8")
    where = {"GITHUB_SERVER_URL": "https://host", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "5"}
    run("weekly.claims", tmp_path, OPEN=number, **where)
    calls = gh.read_text(encoding="utf-8")
    assert re.findall(r"^issue (?!list).*?(?= --)", calls, re.M) == [call, call]
    assert "seed 101, avx2: measured 0.9, accepted above 1.\n" in calls
    if not number:
        assert "--title Page skip: a claim failed: It is small --body seed 103" in calls


@on_linux
def test_a_week_draws_ten_seeds(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (draw,) = commands(JOBS["weekly.draw"])
    environment = os.environ | {"GITHUB_OUTPUT": str(out)}
    subprocess.run(["bash", "-e", "-c", draw], check=True, env=environment)
    drawn = yaml.safe_load(out.read_text(encoding="utf-8").removeprefix("seeds="))
    assert len({*drawn}) == 10
    assert all(type(seed) is int for seed in drawn)


@on_linux
@pytest.mark.parametrize("new", [True, False])
def test_a_release_gets_the_pack_and_its_checksum(gh: Path, tmp_path: Path, new: bool) -> None:
    content = b"pack"
    (tmp_path / "book.zip").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "book.zip.sha256").write_text(f"{digest}  book.zip\n", encoding="utf-8")
    tag = {"GITHUB_REF_NAME": "v1.2.3", "NO_RELEASE": str(int(new))}
    run("release.release", tmp_path, **tag)
    assert ("release create v1.2.3 --verify-tag" in gh.read_text(encoding="utf-8")) is new
    assert "release upload v1.2.3 --clobber ./book.zip ./book.zip.sha256" in gh.read_text(
        encoding="utf-8"
    )
    (tmp_path / "book.zip").write_bytes(b"another")
    with pytest.raises(subprocess.CalledProcessError):
        run("release.release", tmp_path, **tag)


@on_linux
@pytest.mark.usefixtures("gh")
def test_branch_launch_is_one_commit_with_binders_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = partial(subprocess.run, check=True, capture_output=True, encoding="utf-8", cwd=tmp_path)
    git(["git", "init", "--quiet", "--bare", "a/b.git"])
    monkeypatch.setenv("HOME", str(tmp_path))
    for number in ("1", "2"):
        copies = tmp_path / number
        (copies / ".binder").mkdir(parents=True)
        (copies / ".binder" / "environment.yml").write_text(number, encoding="utf-8")
        (copies / "gating.ipynb").write_text("{}", encoding="utf-8")
        where = {"GITHUB_SERVER_URL": tmp_path.as_uri(), "GITHUB_REPOSITORY": "a/b"}
        run("publish.launch", copies, GITHUB_SHA="0123", **where)
    log = git(["git", "-C", "a/b.git", "log", "--format=%s", "launch"]).stdout
    assert log == "Notebooks to run, from 0123\n"
    shown = git(["git", "-C", "a/b.git", "show", "launch:.binder/environment.yml"]).stdout
    assert shown == "2"
