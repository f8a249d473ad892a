"""The table of contents, which alone orders the pages."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml


@lru_cache
def entries(toc: str) -> tuple[tuple[str, str], ...]:
    """Return the pages in order: file name without its ending, and short title or nothing."""
    return tuple(_entries(yaml.safe_load(toc)))


def _entries(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for inner in part:
            yield from _entries(inner)
    elif isinstance(part, dict):
        if name := part.get("root") or part.get("file"):
            yield name, part.get("title", "")
        for inner in part.values():
            yield from _entries(inner)
