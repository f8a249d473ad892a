"""What pytest adds for the book: the bridge from nbval's check to the site.

nbval runs each code cell and compares its text. The hooks here tell it which
outputs to compare, keep what it compared for the site (see `tools.pages`),
and report page by page.
"""

import os
import time
from collections.abc import Generator
from pathlib import Path
from queue import Empty
from typing import Any

import nbval.plugin
import pytest
import torch
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from tools import notebook, pages

Report = Generator[None, pytest.TestReport, pytest.TestReport]
WATCH = pytest.StashKey["Watch"]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers where it pays: not on a GPU, where kernels would race for its memory."""
    one_page = len(config.args) == 1 and config.args[0].split("::")[0].endswith((".ipynb", ".py"))
    if one_page or torch.cuda.is_available():
        return 0
    return min(2, os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "a claim that fails is shown on its page and fails no test: for `make book`"
    parser.addoption("--show-failing-claims", action="store_true", help=words)


def pytest_configure(config: pytest.Config) -> None:
    if config.option.nbval:
        os.environ["DDL_CLAIMS"] = "show" if config.option.show_failing_claims else "check"
        pages.prepare_environment()
        pages.warm_up()
        nbval.plugin.RunningKernel = WatchedKernel  # pyright: ignore[reportPrivateImportUsage]
    workers = config.getoption("numprocesses", 0) or 0
    if workers > 1:
        # Kernels share the cores; more threads than cores would slow all of them down.
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // workers))


class WatchedKernel(RunningKernel):
    """A kernel whose death is noticed at once; nbval alone would wait for its time-out."""

    LOOK = 2.0  # seconds without a message until it is looked whether the kernel still lives

    def get_message(self, stream: str, timeout: float = 60.0) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the next message.

        Raises:
            Empty: If none has come in time.
            RuntimeError: If none will come, since the kernel is dead.
        """
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                return super().get_message(stream, timeout=min(left, self.LOOK))
            except Empty:
                if not self.is_alive():
                    provisioner: Any = self.km.provisioner
                    status = provisioner.process.returncode
                    raise RuntimeError(
                        f"the kernel died, exit status {status}: -9 is killed, "
                        "as a rule for want of memory; -11 is a crash of compiled code"
                    ) from None
                if left <= self.LOOK:
                    raise


def pytest_collectstart(collector: pytest.Collector) -> None:
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += notebook.RICH  # pyright: ignore[reportAttributeAccessIssue]
        collector.sanitize_patterns.update(notebook.VARIES)
        if collector.config.option.show_failing_claims:
            collector.sanitize_patterns["(?m)^Verdict: fails$"] = "Verdict: holds"


class Watch:
    """Follows the cells of one page while nbval runs them."""

    def __init__(self, page: IPyNbFile) -> None:
        self.slug = Path(str(page.path)).stem
        # Copies of pages, in tests, are checked like pages but never published.
        self.published = Path(str(page.path)) == pages.BOOK / f"{self.slug}.ipynb"
        self.cells = notebook.code_cells(page.nb)
        self.fingerprint = pages.fingerprint_of(self.slug) if self.published else ""
        self.started = time.perf_counter()
        self.outputs: list[Any] = []
        self.failed = False
        if self.published:
            pages.forget_checked(self.slug)

    def note(self, cell: IPyNbCell, report: pytest.TestReport) -> None:
        """Take in the report of one cell; after the last one, keep the page."""
        self.failed |= report.failed
        if report.when != "call":
            return
        self.outputs.append(cell.test_outputs)
        if cell.cell_num + 1 != len(self.cells):
            return
        about = {
            "page": self.slug,
            "fingerprint": self.fingerprint,
            "seconds": round(time.perf_counter() - self.started, 1),
            "compared": sum(map(notebook.is_compared, self.cells)),
            "cells": len(self.cells),
            "failed": self.failed,
            **pages.this_run(),
        }
        complete = len(self.outputs) == len(self.cells) and None not in self.outputs
        if self.published and complete and not self.failed:
            pages.keep_checked(self.slug, self.outputs, about)
        report.user_properties.append(("page", about))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Report:
    report = yield
    if isinstance(item, IPyNbCell):
        item.parent.stash[WATCH].note(item, report)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the pages from the last to the first: the last chapters take longest."""
    if any(isinstance(item, IPyNbCell) for item in items):
        order = {slug: -place for place, slug in enumerate(pages.slugs())}
        items.sort(key=lambda item: order.get(item.path.stem, 0))  # stable: cells stay in order


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell) and WATCH not in item.parent.stash:
        item.parent.stash[WATCH] = Watch(item.parent)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    # One line a page instead of one dot a cell.
    if "book/" in report.nodeid and ".ipynb::" in report.nodeid and report.passed:
        return ("passed" if report.when == "call" else "", "", "PASSED")
    return None


class PageLines:
    """Prints a line when a page is done, or its worker is."""

    def __init__(self, config: pytest.Config) -> None:
        self.terminal: Any = config.pluginmanager.get_plugin("terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look for a page's last cell."""
        for name, about in report.user_properties:
            if name == "page" and isinstance(about, dict):
                self.write(
                    f"{about['page']}: {about['compared']} of {about['cells']} cells compared, "
                    f"{about['seconds']} s{', FAILED' if about['failed'] else ''}"
                )

    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Name the page at once: pytest does so when the other worker's page is done."""
        self.write(f"{Path(crashitem.split('::')[0]).stem}: its worker died, FAILED")

    def write(self, line: str) -> None:
        """Write a line of its own."""
        self.terminal.ensure_newline()
        self.terminal.write_line(line)


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.nbval and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(PageLines(session.config), "page-lines")
