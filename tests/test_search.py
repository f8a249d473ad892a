"""What the search knows of a page: sections, and nothing that readers do not look for."""

import json

from tools import pages
from tools.sphinx_search import entries

PAGE = """<nav>Ran in 276 s</nav><article><div class="ddl-launch">Ran in 276 s</div>
<section id="why"><h1>Why?<a class="headerlink" href="#why">¶</a></h1><p>An opening.</p>
<section id="first-part"><h2>First <em>part</em></h2>
<p>A net <em>learns</em> <math><mi>x</mi><mo>+</mo><mn>1</mn></math>.
<span class="ddl-tip">Said.</span></p>
<div class="cell"><div class="cell_input"><div class="highlight"><pre>import torch</pre></div></div>
<div class="cell_output"><pre>printed</pre>
<img alt="A rising line." src="a.png"><p>It took 3 steps.</p>
<div class="ddl-claim" id="claim-up"><div><b>✓ It rises</b></div><div><i>measured</i> 3</div></div>
</div></div>
<p><a class="ddl-term" id="introduces-learning-rate" href="g.html">learning rate</a></p>
<details><summary>Solution</summary><p>The answer.</p></details>
<table class="ddl-ledger"><tr><td>Of another page</td></tr></table>
<div class="admonition exercise"><p>Do it.</p><section id="inner"><p>Now.</p></section></div>
<section id="deeper"><h3>Deeper</h3><ul><li>One</li><li>Two</li></ul></section>
</section></section>
<dl class="py function"><dt class="sig" id="ddl.gating.gate">gate(x)</dt><dd><p>Gates.</p></dd></dl>
</article>"""


def test_a_section_has_its_own_words_claims_figures_and_terms() -> None:
    top, first, deeper, name = entries("page", "The page", PAGE)
    assert top == {
        "to": "page.html",
        "page": "The page",
        "heading": "Why?",
        "prose": "An opening.",
    }
    assert first == {
        "to": "page.html#first-part",
        "page": "The page",
        "heading": "First part",
        "prose": "A net learns x+1. It took 3 steps. learning rate Do it. Now.",
        "claims": ["It rises"],
        "figures": ["A rising line."],
        "terms": ["learning rate", "step size", "size of a step", "learning rate schedule"],
    }
    assert (deeper["to"], deeper["prose"]) == ("page.html#deeper", "One Two")
    assert name["to"] == "page.html#ddl.gating.gate"
    assert name["heading"] == "ddl.gating.gate"


def test_the_library_is_the_one_that_is_locked() -> None:
    wanted = json.loads((pages.ROOT / "web" / "package.json").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    there = pages.ROOT / "web" / "node_modules" / "minisearch" / "package.json"
    assert json.loads(there.read_text(encoding="utf-8"))["version"] == wanted["minisearch"]
