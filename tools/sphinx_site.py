"""Sphinx extension: the look of the site: light, self-contained, launchable.

- `web/static` and `web/templates` are the site's own styles, scripts and layout.
- A page loads only the styles and scripts listed here; nothing comes from elsewhere.
- Pictures below the first screen load when they are scrolled to.
- What belongs together, like 1e-05 and t = 5, stays on one line.
- What is folded (hints, solutions) is a `details` element, which needs no script.
"""

import os
import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docutils import nodes
from PIL import Image, ImageChops
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import solution_node

from tools import launch, pages
from tools.sphinx_front import reading_minutes

WEB = pages.ROOT / "web"
STYLES = ("pygments.css", "styles/furo.css", "mystnb.*.css", "copybutton.css", "site.css")
FRONT = "intro"  # no code to copy, but figures of its own
SCRIPTS = (
    "documentation_options.js",
    "scripts/furo.js",
    "clipboard.min.js",
    "copybutton.js",
    "site.js",
)
FRONT_SCRIPTS = ("documentation_options.js", "scripts/furo.js", "site.js", "front.js")
EAGER = 1  # pictures of a page that load at once
# What browsers would break, after a hyphen or at a space:
# 1e-05, 6-dimensional, (-x, --out, k-means; t = 5, SDSC 2024.
TOGETHER = r"\d[\d.]*(?:e-\d|-[A-Za-z])\w*|\(-\w+|--\w+|\b[A-Za-z]-\w+"
TOGETHER += r"|\b\w = [−-]?[\w.]*\w|\b(?:SDSC|Leuphana|Brown|Session|row|[Ff]igure|[Tt]able) \d+"


def configure(app: Sphinx, config: Config) -> None:
    """Name the site's own files and its address."""
    config.html_static_path.append(str(WEB / "static"))
    config.templates_path.append(str(WEB / "templates"))
    address = (os.environ.get("DDL_SITE_URL") or config["html_baseurl"]).rstrip("/") + "/"
    config.html_baseurl = config["ogp_site_url"] = address
    config.html_context["ddl_commit"] = launch.commit()[:12]  # in the foot of a printed page
    config["notfound_urls_prefix"] = urlsplit(address).path  # a missing page may be anywhere


def slim(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Keep a page to its own styles and scripts, and say whether it can be launched."""
    scripts = FRONT_SCRIPTS if page == FRONT else SCRIPTS
    context["css_files"] = [file for file in context["css_files"] if _listed(file, STYLES)]
    context["script_files"] = [file for file in context["script_files"] if _listed(file, scripts)]
    context["ddl_name"] = _numbered_name(app, page, context.get("title", ""))
    if page in pages.slugs() and (ran := pages.checked(page)):
        context["ddl_launch"] = page
        context["ddl_buttons"] = launch.buttons(page)
        context["ddl_run"] = ran.metadata["ddl"]
        context["ddl_minutes"] = reading_minutes(page)
    if "body" in context:
        context["body"] = with_whole_words(with_lazy_pictures(context["body"]))


def _numbered_name(app: Sphinx, page: str, title: str) -> str:
    """Return a page's short title, else its title, behind the number of its chapter."""
    short = pages.short_title(page)
    number = app.env.toc_secnumbers.get(page, {}).get("") or ()
    return " ".join([*(f"{part}." for part in number), title if short == page else short])


def _listed(file: Any, names: tuple[str, ...]) -> bool:
    path = str(getattr(file, "filename", file)).partition("?")[0].removeprefix("_static/")
    return any(re.fullmatch(name.replace("*", "[0-9a-f]*"), path) for name in names)


def with_lazy_pictures(body: str) -> str:
    """Return HTML whose pictures have their size, and load late but for the first."""
    count = 0

    def mended(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        tag = re.sub(
            r'style="width: (\d+)px; height: (\d+)px;"', r'width="\1" height="\2"', match[0]
        )
        return tag if count <= EAGER else tag.replace("<img ", '<img loading="lazy" ', 1)

    return re.sub(r"<img [^>]*>", mended, body)


def with_whole_words(body: str) -> str:
    """Return HTML in which no line ends in the midst of what stands `TOGETHER`."""

    def tied(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == "<" else f'<span class="ddl-tied">{match[0]}</span>'

    return re.sub(rf"<(pre|script|style)\b.*?</\1>|<[^>]*>|{TOGETHER}", tied, body, flags=re.DOTALL)


class details(nodes.General, nodes.Element):  # noqa: N801 (docutils' nodes have such names)
    """Something folded, with its title as the summary."""


class Fold(SphinxPostTransform):
    """Turns what has the class ``dropdown`` into `details`."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Replace the nodes."""
        for node in list(self.document.findall(nodes.Element)):
            if "dropdown" not in node.get("classes", []):
                continue
            kind = "solution" if isinstance(node, solution_node) else node.tagname
            folded = details(ids=node["ids"], classes=[f"ddl-{kind}"], summary=kind.capitalize())
            folded += [child for child in node.children if not isinstance(child, nodes.title)]
            node.replace_self(folded)


def open_details(translator: HTML5Translator, node: nodes.Element) -> None:
    """Write the start of something folded."""
    tag = translator.starttag(node, "details")
    translator.body.append(tag.replace("<details", "<details open", 1) if node.get("open") else tag)
    translator.body.append(f"<summary>{escape(node['summary'])}</summary>\n")


def close_details(translator: HTML5Translator, node: nodes.Element) -> None:
    """Write its end."""
    translator.body.append("</details>\n")


def slim_pictures(app: Sphinx, failure: Exception | None) -> None:
    """Store the figures with a palette of 256 colours where no eye sees the difference."""
    if failure or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_images").glob("*.png"):
        with Image.open(path) as found:
            if found.mode == "P":
                continue  # in an earlier build
            full = found.convert("RGB")
        small = full.quantize(256, dither=Image.Dither.NONE)
        gaps = ImageChops.difference(full, small.convert("RGB")).convert("L").histogram()
        visible = sum(gaps[24:]) / sum(gaps)  # shares of pixels off by a tenth of white or more
        (small if visible < 2e-3 else full).save(path, optimize=True)


def add_launch_copies(app: Sphinx, failure: Exception | None) -> None:
    """Write the notebooks that readers download and launch."""
    if not failure and app.builder.format == "html":
        ready = (slug for slug in pages.slugs() if pages.checked(slug))
        launch.write_copies(Path(app.outdir) / "launch", ready)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_config_value("ddl_repository", "", "html")
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it for an extension
    app.add_node(details, html=(open_details, close_details))
    app.add_post_transform(Fold)
    app.add_css_file("site.css", priority=900)
    app.add_js_file("site.js", loading_method="defer")
    app.add_js_file("front.js", loading_method="defer")
    app.connect("config-inited", configure, priority=100)
    app.connect("html-page-context", slim, priority=900)
    app.connect("build-finished", slim_pictures)
    app.connect("build-finished", add_launch_copies)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
