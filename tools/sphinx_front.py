"""Sphinx extension: the front page, from what this build's pages have computed.

- ``{front-walk}``: noise becomes a digit, twenty steps of the network that the page on the
  diffusion of images has trained, as one picture of all frames.
- ``{front-claim}``: a claim as its page checked it, which the reader's browser checks again
  for other settings.
- ``{ways-in}``: pages to begin with, each with a sentence.
- ``{chapter-tiles}``: for each chapter a figure, its question, the answer in a line, and the
  minutes of reading and running.
- ``{run-times}``: how long this build's pages ran.
"""

import base64
import io
import itertools
from pathlib import Path
from typing import Any

import onnxruntime
import torch
import yaml
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from torch import Tensor

from ddl.diffusion import cosine_schedule
from tools import pages
from tools.notebook import code_cells
from tools.sphinx_book import claims, made_of, page_link
from tools.sphinx_interactive import figures

WALK_PAGE, STEPS, SIDE, DIGITS, UNTOLD, GUIDANCE = "image_diffusion", 20, 14, 10, 10, 1.0
SHOWN = 3  # the digit that is seen first
STAGES = 7  # frames of the strip
TILE = (240, 150)  # pixels of a chapter's figure, as it is shown
DENSITY = 2  # and so many times more are stored
WORDS_A_MINUTE = 200


# --- Noise becomes a digit -----------------------------------------------------------------------


def walk_frames() -> Tensor:
    """Return the frames of a walk for each digit, of shape (digits, steps + 1, side, side).

    It is the walk of the page's interactive figure: DDIM along the cosine schedule, from the
    same noise, with guidance. Pixels lie mostly between -1 and 1.
    """
    figure = next(f for f in figures(WALK_PAGE) if f["name"] == WALK_PAGE)
    network = onnxruntime.InferenceSession(base64.b64decode(figure["models"]["velocity"]["onnx"]))
    start = torch.tensor(figure["data"]["noise"]).reshape(1, 1, SIDE, SIDE)
    schedule = cosine_schedule(1000)
    stops = range(1000, -1, -1000 // STEPS)

    def noise(x: Tensor, t: Tensor, digit: int) -> Tensor:
        inputs = (x.expand(2, -1, -1, -1), t.expand(2), torch.tensor([digit, UNTOLD]))
        named = {f"input{k}": value.numpy() for k, value in enumerate(inputs)}
        told, untold = torch.tensor(network.run(None, named)[0]).split(1)
        velocity = (1 + GUIDANCE) * told - GUIDANCE * untold
        kept = schedule.at(schedule.alpha_bar, t, x)
        return ((1 - kept).sqrt() * x + kept.sqrt() * velocity).to(x.dtype)

    def walk(digit: int) -> Tensor:
        frames = [start]
        for pair in itertools.pairwise(stops):
            x, (t, t_next) = frames[-1], (torch.tensor([stop]) for stop in pair)
            frames.append(schedule.ddim_step(x, t, t_next, noise(x, t, digit)))
        return torch.cat(frames)[:, 0]

    return torch.stack([walk(digit) for digit in range(DIGITS)])


class FrontWalk(SphinxDirective):
    """The walk: one large frame, a strip of its stages, and room for what steers it."""

    def run(self) -> list[nodes.Node]:
        """Build its HTML; `front.js` adds the controls, and without scripts it is a picture."""
        made_of(self.env, __file__)
        ran = pages.executed(WALK_PAGE).metadata["ddl"]
        frames = "".join(_frame(round(k * STEPS / (STAGES - 1))) for k in range(STAGES))
        html = (
            f'<figure class="ddl-walk" data-steps="{STEPS}" data-digit="{SHOWN}">'
            f'<div class="ddl-walk-now">{_frame(STEPS)}</div>'
            '<div class="ddl-walk-rest"><div class="ddl-walk-controls"></div>'
            f'<div class="ddl-walk-strip" role="img" aria-label="Seven stages of one image, from '
            f'grey noise to a handwritten {SHOWN}.">{frames}</div></div></figure>'
        )
        said = nodes.paragraph("", "", classes=["ddl-caption"])
        said += nodes.Text(
            f"A network takes noise away, {STEPS} times a little. This build trained it on one "
            f"{ran['device']}, on the page "
        )
        said += [page_link(WALK_PAGE), nodes.Text(f", which ran {duration(ran['seconds'])}.")]
        return [nodes.raw("", html, format="html"), said]


def _frame(number: int) -> str:
    return f'<span class="ddl-frame" style="--frame:{number};--digit:{SHOWN}"></span>'


# --- A claim to break ----------------------------------------------------------------------------


class FrontClaim(SphinxDirective):
    """A claim's card from its page: the page, and the statement."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the card with this build's value.

        Raises:
            KeyError: If the page does not make the claim.
        """
        made_of(self.env, __file__)
        (slug,), statement = self.arguments, " ".join(self.content)
        found = {row["statement"]: row for row in claims(slug)}
        if statement not in found:
            raise KeyError(f"{slug} does not claim: {statement}")
        row = found[statement]
        facts = [(row["measure"] or "measured", row["measured"])]
        facts += [("accepted", row["accepted"]), ("verdict", row["verdict"])]
        state, sign = ("holds", "✓") if row["verdict"] == "holds" else ("fails", "✗")
        cells = "".join(f"<span><i>{name}</i> <b>{value}</b></span>" for name, value in facts)
        html = (
            f'<div class="ddl-breakable" data-claim="overlap"><div class="ddl-claim ddl-{state}">'
            f'<div class="ddl-said"><b>{sign} {statement}</b></div>'
            f'<div class="ddl-facts">{cells}</div></div><div class="ddl-break"></div></div>'
        )
        where = nodes.paragraph("", "The card stands on the page ", classes=["ddl-caption"])
        card = f"{slug}.html#{row['anchor']}"
        title = pages.short_title(slug)
        where += nodes.reference("", title, refuri=card, internal=True)
        where += nodes.Text(".")
        return [nodes.raw("", html, format="html"), where]


# --- Where to go ------------------------------------------------------------------------------


class WaysIn(SphinxDirective):
    """Pages to begin with. Its content, YAML, has for each a title and what it is for."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build a list of links, each with its text."""
        result = nodes.bullet_list(classes=["ddl-ways"])
        for slug, text in yaml.safe_load("\n".join(self.content)).items():
            title, _, rest = text.partition(". ")
            item, said = nodes.list_item(), nodes.paragraph()
            said += nodes.reference("", title, refuri=f"{slug}.html", internal=True)
            said += nodes.inline(text=rest)
            item += said
            result += item
        return [result]


# --- The chapters --------------------------------------------------------------------------------


def reading_minutes(slug: str) -> int:
    """Return how long a page's prose takes to read, in minutes."""
    prose = (c.source for c in pages.read(slug).cells if c.cell_type == "markdown")
    return max(1, round(len(" ".join(prose).split()) / WORDS_A_MINUTE))


def duration(seconds: float) -> str:
    """Return a time as readers say it: seconds below a minute and a half, else minutes."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def picture(slug: str, words: str) -> tuple[bytes, str]:
    """Return the figure of a page's checked outputs whose description begins so.

    Returns:
        The PNG, and the whole description.

    Raises:
        ValueError: If there is none.
    """
    shown = zip(code_cells(pages.executed(slug)), code_cells(pages.read(slug)), strict=True)
    for ran, cell in shown:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if alt.startswith(words):
            for output in ran.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output.data["image/png"]), alt
    raise ValueError(f"{slug} has no figure whose description begins with {words!r}")


class ChapterTiles(SphinxDirective):
    """A tile for each chapter: its content, YAML, has the answer, and the figure's first words."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the tiles, by the parts of the book.

        Raises:
            ValueError: If the chapters are not those of the book.
        """
        made_of(self.env, __file__, *(pages.BOOK / f"{slug}.ipynb" for slug in pages.slugs()))
        told: dict[str, dict[str, Any]] = yaml.safe_load("\n".join(self.content))
        if list(told) != pages.slugs():
            raise ValueError(f"tiles must be of {pages.slugs()}, in this order, got {list(told)}")
        self.env.ddl_tiles = {  # type: ignore[attr-defined]
            slug: about["figure"] for slug, about in told.items()
        }
        tiles = "".join(_tile(k, slug, told[slug]) for k, slug in enumerate(told))
        return [nodes.raw("", f'<ul class="ddl-tiles">{tiles}</ul>', format="html")]


def _tile(place: int, slug: str, about: dict[str, Any]) -> str:
    question = pages.read(slug).cells[0].source.partition("\n")[0].removeprefix("# ")
    ran = duration(pages.executed(slug).metadata["ddl"]["seconds"])
    _, alt = picture(slug, about["figure"])
    width, height = TILE
    # Its width in pixels, not its density: a coarse screen would take `src` for a second picture.
    source = f'srcset="_static/tiles.webp {DENSITY * width}w" sizes="{width}px"'
    return (
        f'<li><img src="_static/tiles.webp" {source} loading="lazy"'
        f' width="{width}" height="{height}" alt="{_quoted(alt)}"'
        f' style="object-position:0 {-place * height}px">'
        f'<p class="ddl-name">{pages.short_title(slug)}</p>'
        f'<p class="ddl-asks"><a href="{slug}.html">{question}</a></p>'
        f"<p>{about['answer']}</p>"
        f'<p class="ddl-minutes">{reading_minutes(slug)} min to read, {ran} to run</p></li>'
    )


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


class RunTimes(SphinxDirective):
    """How long this build's pages ran, in a sentence."""

    def run(self) -> list[nodes.Node]:
        """Build the sentence."""
        made_of(self.env, __file__)
        runs = [pages.executed(slug).metadata["ddl"] for slug in pages.slugs()]
        seconds = sorted(run["seconds"] for run in runs)
        devices = " or ".join(sorted({f"{r['device']}, {r['cores']} cores" for r in runs}))
        said = nodes.paragraph()
        said += nodes.Text(
            f"When this site was built, a page took between {duration(seconds[0])} and "
            f"{duration(seconds[-1])} ({devices}); "
        )
        status = "the status page"
        said += [nodes.reference("", status, refuri="status.html", internal=True)]
        said += nodes.Text(" has each.")
        return [said]


def write_pictures(app: Sphinx, failure: Exception | None) -> None:
    """Write the frames and the chapters' figures, each set as one picture."""
    tiles: dict[str, str] = getattr(app.env, "ddl_tiles", {})
    if failure or app.builder.format != "html" or not tiles:
        return
    place = Path(app.outdir) / "_static"
    pixels = (255 * ((walk_frames() + 1) / 2).clamp(0, 1)).round().byte()
    sheet = pixels.transpose(1, 2).reshape(DIGITS * SIDE, (STEPS + 1) * SIDE)
    Image.fromarray(sheet.numpy()).quantize(16).save(place / "walk.png", optimize=True)
    _sheet(tiles).save(place / "tiles.webp", quality=60, method=6)


def _sheet(tiles: dict[str, str]) -> Image.Image:
    """Return the figures below each other, each whole in the middle of its tile."""
    width, height = (DENSITY * length for length in TILE)
    result = Image.new("RGB", (width, height * len(tiles)), "white")
    for place, (slug, words) in enumerate(tiles.items()):
        with Image.open(io.BytesIO(picture(slug, words)[0])) as found:
            figure = Image.new("RGB", found.size, "white")
            figure.paste(found, mask=found.getchannel("A") if "A" in found.getbands() else None)
        figure.thumbnail((width - 16, height - 16), Image.Resampling.LANCZOS)
        left, top = (width - figure.width) // 2, (height - figure.height) // 2
        result.paste(figure, (left, place * height + top))
    return result


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_directive("front-walk", FrontWalk)
    app.add_directive("front-claim", FrontClaim)
    app.add_directive("ways-in", WaysIn)
    app.add_directive("chapter-tiles", ChapterTiles)
    app.add_directive("run-times", RunTimes)
    app.connect("build-finished", write_pictures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
