"""A reader's browser: the built site, served below a sub-path as on GitHub Pages, and a visit."""

import gzip
import shutil
import time
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from tools import pages

SITE = pages.BUILD / "html"
SUBPATH = "/name/"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
VIEWS = {"desktop": (1300, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
SLOW_PARTS, SLOW_PAUSE = 6, 0.2  # of a slow network, the pause in seconds
AXE = pages.ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


class Handler(SimpleHTTPRequestHandler):
    """Serves the site below the sub-path, text compressed; `?slowly` in parts, with pauses."""

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
        part = -(-len(content) // SLOW_PARTS) if self.path.endswith("?slowly") else len(content)
        for start in range(0, len(content), part):
            time.sleep(SLOW_PAUSE if start else 0)
            self.wfile.write(content[start : start + part])

    def log_message(self, format: str, *args: object) -> None:
        pass


Handler.extensions_map[".mjs"] = "text/javascript"


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
        self.page.set_default_timeout(120_000)  # a busy machine draws slowly
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

    def open(self, name: str, *, slowly: bool = False) -> Page:
        """Open a page of the site, by a slow network or not; wait until nothing more is loaded."""
        query = "?slowly" if slowly else ""
        self.page.goto(f"{self.address}{name}.html{query}", wait_until="networkidle")
        self.page.wait_for_load_state("load")  # a long page on a busy machine idles before it
        return self.page

    def start(self, name: str) -> Page:
        """Open a page and start its interactive figure."""
        page = self.open(name)
        page.click(".ddl-start")
        page.wait_for_selector("[data-started]")
        return page

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        node = "document.documentElement"
        return self.page.evaluate(f"{node}.scrollWidth - {node}.clientWidth")

    def faults(self, where: str = "document", rules: str = "") -> list[str]:
        """Return what axe finds wrong with the page as it stands, or with a part of it.

        Args:
            where: The part.
            rules: Options of axe that choose its rules; by default all.
        """
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        result = self.page.evaluate(f"axe.run({where}, {{resultTypes: ['violations'], {rules}}})")
        return [
            f"{fault['id']}: {node['html'][:150]}"
            for fault in result["violations"]
            for node in fault["nodes"][:3]
        ]
