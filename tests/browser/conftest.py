"""Fixtures: the site's address, a Chromium, and visits in it."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, sync_playwright
from reader import CHROMIUM, SITE, SUBPATH, Handler, Visit


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Serve the site; return the address of its front page."""
    if not (SITE / "intro.html").is_file():
        pytest.skip("no site in _build/html: run make book first")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{SUBPATH}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the site is not tested in a browser")
    with sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """Return a function from view and theme to a `Visit`."""
    open_visits: list[Visit] = []

    def start(view: str = "desktop", theme: str = "light") -> Visit:
        open_visits.append(Visit(browser, address, view, theme))
        return open_visits[-1]

    yield start
    for found in open_visits:
        found.context.close()
