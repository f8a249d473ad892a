"""Sphinx extension: formulas become MathML when the site is built.

Browsers draw MathML themselves: no script, no network, and screen readers read it.
"""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

BARS = "|‖"
OPEN, CLOSED = "([{⟨⌊⌈", ")]}⟩⌋⌉"
SYMBOLS = "∞∂…⋯"  # set like letters, not like operators
FUNCTION = re.compile(r"[a-z]{2,}")  # log, max, softmax: in roman, a thin space around
SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
PUNCTUATION = re.compile(r"[.,;:!?)\]’”]+|-\w+")


def mathml(latex: str, *, display: str) -> str:
    """Return a formula as MathML, spaced as TeX spaces it.

    The converter writes down signs; what they are it leaves open: whether a bar opens
    or closes, whether a minus has something before it, and where a function's name ends.
    """
    root = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", convert(latex, display=display)))
    for script in root.iter("msub") if display == "block" else ():
        if script[0].get("movablelimits") == "true":  # of \operatorname*{argmin}_w
            script.tag = "munder"
    for row in list(root.iter()):
        if row.tag in ("mrow", "mtd", "msqrt", "math"):
            _space(row)
    for script in root.iter("msup"):
        if script[1].text == "′":  # fonts raise it: a superscript would be tiny and too high
            script.tag, script[1].tag = "mrow", "mo"
            script[1].attrib.update(form="postfix", lspace="0", rspace="0")
    return ElementTree.tostring(root, encoding="unicode")


def _core(node: Element) -> Element:
    """What a sign with scripts is itself: the bar of ``|x|^2``."""
    return _core(node[0]) if node.tag in SCRIPTS else node


def _keep_size(core: Element) -> None:
    """Let a bracket or a bar grow only where its author says so, as with a big one."""
    core.attrib.setdefault("stretchy", "true" if "minsize" in core.attrib else "false")


def _space(row: Element) -> None:
    """Give the signs of one row their roles."""
    opened = set()  # bars that wait for their partner
    operand = False  # whether something stands before that a sign could join or apply to
    function = False  # whether that is a function's name
    spaced = False  # whether the author has set a space behind it
    for node in list(row):
        if node.tag == "mspace":
            spaced = True
            continue
        core = _core(node)
        if core.text == r"\|":  # what the converter leaves of \big\|
            core.text = "‖"
        text = (core.text or "").strip()
        if text in (*OPEN, *CLOSED):
            core.tag = "mo"
            _keep_size(core)
        elif core.tag == "mo" and (text in SYMBOLS or FUNCTION.fullmatch(text)):
            core.tag = "mi"
            core.attrib.clear()
        elif text == "/":  # TeX sets it like a letter
            core.attrib.update(lspace="0", rspace="0")
        named = core.tag == "mi" and FUNCTION.fullmatch(text) is not None
        sign = core.tag == "mo"
        closes = sign and text in CLOSED
        bar = sign and text in BARS and core.get("fence") != "false"
        if bar:
            closes = text in opened
            opened ^= {text}
            core.set("form", "postfix" if closes else "prefix")
            _keep_size(core)
        if sign and text in "−+±" and not operand:
            core.set("form", "prefix")
        if not spaced and ((function and (bar or not sign)) or (named and operand)):
            row.insert(list(row).index(node), Element("mspace", {"width": "0.167em"}))
        function = named
        operand = closes or not sign
        spaced = False


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    translator.body.append(mathml(node.astext(), display="inline"))
    raise nodes.SkipNode


def display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, in a box that scrolls where it is too wide."""
    formula = mathml(node.astext(), display="block")
    translator.body.append(f'<div class="ddl-formula">{formula}</div>\n')
    raise nodes.SkipNode


class Tie(SphinxPostTransform):
    """Keeps a formula and what touches it on one line: a full stop, a bracket, "-th"."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Wrap both into one node."""
        for math in list(self.document.findall(nodes.math)):
            # By place: a text is found by its words, and the same words may stand elsewhere.
            parent, place = math.parent, math.parent.index(math)
            before = parent[place - 1] if place else None
            after = parent[place + 1] if place + 1 < len(parent) else None
            bracket = isinstance(before, nodes.Text) and before.endswith("(")
            touching = PUNCTUATION.match(after) if isinstance(after, nodes.Text) else None
            if not bracket and not touching:
                continue
            tied = nodes.inline("", "", classes=["ddl-tied"])
            parent[place] = tied
            if isinstance(before, nodes.Text) and bracket:
                parent[place - 1] = nodes.Text(before[:-1])
                tied += nodes.Text("(")
            tied += math
            if isinstance(after, nodes.Text) and touching:
                parent[place + 1] = nodes.Text(after[touching.end() :])
                tied += nodes.Text(touching[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    app.add_post_transform(Tie)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
