"""What the lectures contain, and which claims demonstrate it: `book/lectures.yml`, read."""

from dataclasses import dataclass
from typing import Any

import yaml

from tools import pages

SOURCE = pages.BOOK / "lectures.yml"
ROWS = 53  # in the acceptance table of the five lectures


@dataclass(frozen=True)
class Evidence:
    """A claim, by the page it stands on and its statement."""

    slug: str
    statement: str


@dataclass(frozen=True)
class Correction:
    """What a lecture has wrong or leaves open, and what shows it."""

    says: str
    right: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Row:
    """One thing that a lecture teaches."""

    number: int
    lecture: str
    teaches: str
    evidence: tuple[Evidence, ...]
    corrections: tuple[Correction, ...]


def lectures() -> dict[str, str]:
    """Return the full name of each lecture by its short one."""
    return _source()["lectures"]


def rows() -> list[Row]:
    """Return the rows in the order of their numbers."""
    found = [
        Row(
            number=row["row"],
            lecture=row["lecture"],
            teaches=row["teaches"],
            evidence=_evidence(row["claims"]),
            corrections=tuple(
                Correction(entry["says"], entry["right"], _evidence(entry["claims"]))
                for entry in row.get("corrections", [])
            ),
        )
        for row in _source()["rows"]
    ]
    return sorted(found, key=lambda row: row.number)


def _source() -> dict[str, Any]:
    return yaml.safe_load(SOURCE.read_text(encoding="utf-8"))


def _evidence(claims: dict[str, list[str]]) -> tuple[Evidence, ...]:
    return tuple(Evidence(slug, statement) for slug, found in claims.items() for statement in found)
