"""The teacher's pack in a browser: unpacked and opened from its folder, without a server."""

import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser
from reader import SITE

from tools import pack


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the pack, unpacked."""
    if not (SITE / "intro.html").is_file():
        pytest.skip("no site in _build/html: run make book first")
    place = tmp_path_factory.mktemp("pack")
    pack.write_pack(SITE, place / "pack.zip")
    with zipfile.ZipFile(place / "pack.zip") as opened:
        opened.extractall(place)
    return place / pack.TOP / "site"


class Links(HTMLParser):
    """Collects a page's names, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {found.get("id") or ""}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag == "link" and found.get("rel") not in ("canonical", "search"):
            self.loaded.append(found.get("href") or "")
        if found.get("src"):
            self.loaded.append(found["src"] or "")


def test_all_that_pages_name_is_in_the_folder(folder: Path) -> None:
    pages = {path: Links(path) for path in sorted(folder.glob("*.html"))}
    missing = []
    for path, page in pages.items():
        assert [name for name in page.loaded if re.match(r"[a-z]+:|/", name)] == [], path.name
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme in ("https", "http", "mailto"):  # elsewhere; a reader asks for it
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            here = target.is_file() and not parts.scheme and not link.startswith("/")
            if here and parts.fragment and target in pages:
                here = unquote(parts.fragment) in pages[target].ids
            if not here:
                missing.append((path.name, link))
    assert missing == []


def test_every_page_opens_from_the_folder(browser: Browser, folder: Path) -> None:
    context = browser.new_context()
    context.set_default_timeout(120_000)  # a busy machine is no fault
    asked: list[str] = []
    complaints: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    # An icon that was on its way when the next page was opened is aborted: no fault.
    page.on(
        "requestfailed",
        lambda r: complaints.append(r.url) if r.failure != "net::ERR_ABORTED" else None,
    )
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_selector("h1")
        assert complaints == [], path.name
    assert [url for url in asked if not url.startswith((folder.as_uri(), "data:"))] == []
    page.goto(f"{folder.as_uri()}/search.html?q=encoder")
    page.wait_for_selector("#search-results li a")
    page.goto(f"{folder.as_uri()}/gating.html")
    page.click(".ddl-start")
    assert "http.server" in page.locator("[role=alert]").first.inner_text()
    context.close()
