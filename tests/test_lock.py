"""The lock and pyproject.toml say the same, and the lock leaves nothing open."""

import importlib.metadata
import re
import sys
import tomllib

import pytest
import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools import pages

PROJECT = tomllib.loads((pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]


LOCK = (pages.ROOT / "requirements.txt").read_text(encoding="utf-8")
HASHED = re.compile(r"([\w.-]+)==([\w.!]+)((?: \\\n {4}--hash=sha256:[0-9a-f]{64})+)\n")


def lock() -> dict[str, str]:
    """Return the pins: versions by name."""
    pins = [*HASHED.findall(LOCK), *re.findall(r"^#.* (torch)==([\w.]+)()\.$", LOCK, re.M)]
    return {canonicalize_name(name): version for name, version, _ in pins}


def closure(requirements: list[Requirement], *, without: str = "") -> set[str]:
    """Return all that these bring along here, as the installed packages say it."""
    found: set[str] = set()
    waiting = [(r, frozenset({""})) for r in requirements]
    done = set()
    while waiting:
        requirement, extras = waiting.pop()
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        found.add(name)
        if name == without or (name, frozenset(requirement.extras)) in done:
            continue
        done.add((name, frozenset(requirement.extras)))
        asked = frozenset({"", *requirement.extras})
        children = importlib.metadata.requires(name) or []
        waiting += [(Requirement(text), asked) for text in children]
    return found


def test_the_lock_is_pins_with_hashes_and_nothing_else() -> None:
    head, _, pins = LOCK.partition("\n")
    assert re.fullmatch(r"#.* beside torch==[\d.]+\.", head)
    assert HASHED.sub("", pins) == ""


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_the_lock_keeps_to_the_bounds(requirement: Requirement) -> None:
    pin = lock()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin, prereleases=True)


def test_the_lock_is_what_is_installed() -> None:
    pins = lock()
    needed = closure(DIRECT) & set(pins)
    installed = {name: importlib.metadata.version(name).split("+")[0] for name in needed}
    assert installed == {name: pins[name] for name in needed}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need other packages")
def test_the_lock_is_complete() -> None:
    """Down to the last package; only what CUDA builds of torch name themselves is left to them."""
    missing = closure(DIRECT) - set(lock())
    assert not missing & closure(DIRECT, without="torch")
    assert not missing or torch.version.cuda


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock is made with Python 3.11")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems need other packages")
def test_the_lock_has_nothing_else() -> None:
    assert not set(lock()) - closure(DIRECT)


def test_the_lock_suits_machines_without_cuda() -> None:
    assert not [name for name in lock() if name.startswith(("nvidia", "cuda", "triton"))]


def test_torch_is_the_one_that_make_lock_names() -> None:
    named = re.search(
        r"^TORCH := (\S+)$", (pages.ROOT / "Makefile").read_text(encoding="utf-8"), re.M
    )
    assert named
    assert SpecifierSet(f"=={named[1]}").contains(lock()["torch"])
