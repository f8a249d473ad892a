"""The built site in a real Chromium: served below a sub-path, as on GitHub Pages."""

import gzip
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools import pages

SITE = pages.BUILD / "html"
SUBPATH = "/name/"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
VIEWS = {"desktop": (1300, 900), "phone": (390, 844)}
THEMES = ("light", "dark")


class Handler(SimpleHTTPRequestHandler):
    """Serves the site below the sub-path, text compressed."""

    def translate_path(self, path: str) -> str:
        return super().translate_path("/" + path.removeprefix(SUBPATH))

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if path.suffix in (".html", ".css", ".js", ".mjs", ".svg", ".json", ".wasm", ".xml"):
            content = gzip.compress(content, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


Handler.extensions_map[".mjs"] = "text/javascript"


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


class Visit:
    """A page as a reader sees it, and what its loading did."""

    def __init__(self, browser: Browser, address: str, view: str, theme: str) -> None:
        width, height = VIEWS[view]
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=2 if view == "desktop" else 3,
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=view == "phone",
        )
        self.address = address
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.loaded: list[tuple[str, int]] = []
        self.page: Page = self.context.new_page()
        self.page.route("**/*", self._gate)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfinished", self._finished)

    def _gate(self, route) -> None:
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.foreign.append(url)
            route.abort()

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _finished(self, request) -> None:
        if request.url.startswith(self.address):
            self.loaded.append((request.url, request.sizes()["responseBodySize"]))

    def open(self, name: str) -> Page:
        """Open a page of the site and wait until nothing more is loaded."""
        self.page.goto(f"{self.address}{name}.html", wait_until="networkidle")
        return self.page


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator:
    """Return a function from view and theme to a `Visit`."""
    open_visits: list[Visit] = []

    def start(view: str = "desktop", theme: str = "light") -> Visit:
        open_visits.append(Visit(browser, address, view, theme))
        return open_visits[-1]

    yield start
    for found in open_visits:
        found.context.close()
