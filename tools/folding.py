"""Which code a reader of the site may skip: cells that only show.

A cell only shows if it ends in a figure, claims or sentences with numbers, and no visible code
uses what it defines. The site puts such a cell's code below what it shows, folded. So is a cell
that only imports and sets up. Cells of exercises are never folded, nor are notebooks.
"""

import ast
import symtable
from collections.abc import Sequence

from nbformat import NotebookNode

from ddl.claims import CLAIM_MIME
from ddl.interactive import INTERACTIVE_MIME
from tools.notebook import code_cells, without_magics

WORDS = {
    "code": "Show the code",
    "imports": "Show the imports",
    "check": "Show the check",
    "plot": "Show the plot",
    "numbers": "Show how these numbers are made",
    "listing": "Show the call",
}
TASK = {"exercise", "raises-exception"}


def folded(page: NotebookNode) -> dict[int, str]:
    """Return the kinds, keys of `WORDS`, of the code cells to be folded, by their places.

    Args:
        page: An executed page. Places count all its cells.
    """
    places = [place for place, cell in enumerate(page.cells) if cell.cell_type == "code"]
    found: dict[int, str] = {}
    used: set[str] = set()  # by the visible code that comes later
    for place, cell in reversed(list(zip(places, code_cells(page), strict=True))):
        code = without_magics(cell.source)
        tree, (defined, free) = ast.parse(code), names(code)
        task = TASK & set(cell.metadata.get("tags", [])) or _calls(tree, "check")
        if not task and sets_up(tree):
            found[place] = "imports"
            continue
        kind = None if task else shown(cell.outputs, tree)
        if kind and not used & defined:
            found[place] = kind
        else:
            used = used - defined | free
    return dict(sorted(found.items()))


def sets_up(tree: ast.Module) -> bool:
    """Return whether code imports and sets options, and gives no other name a value."""
    setting = (ast.Import, ast.ImportFrom, ast.Try, ast.Expr)
    assigned = [t for s in tree.body if isinstance(s, ast.Assign) for t in s.targets]
    return (
        any(isinstance(statement, ast.Import | ast.ImportFrom) for statement in tree.body)
        and all(isinstance(statement, (*setting, ast.Assign)) for statement in tree.body)
        and all(isinstance(target, ast.Subscript | ast.Attribute) for target in assigned)
    )


def shown(outputs: Sequence[NotebookNode], tree: ast.Module) -> str | None:
    """Return what a cell shows: a key of `WORDS`, or None if it shows something else or nothing."""
    kinds = set()
    for output in outputs:
        data = output.get("data", {})
        if CLAIM_MIME in data:
            kinds.add("check")
        elif INTERACTIVE_MIME in data or any(mime.startswith("image/") for mime in data):
            kinds.add("plot")
        elif "text/markdown" in data:
            kinds.add("listing" if _calls(tree, "show_code") else "numbers")
        else:
            return None
    return next((kind for kind in WORDS if kind in kinds), None)


def names(code: str) -> tuple[set[str], set[str]]:
    """Return the global names that code defines, and those that it uses but does not define."""
    top = symtable.symtable(code, "cell", "exec")
    defined = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned()}
    defined |= {symbol.get_name() for symbol in top.get_symbols() if symbol.is_imported()}
    used, waiting = set(), [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        used |= {s.get_name() for s in table.get_symbols() if table is top or s.is_global()}
    return defined, used - defined


def _calls(tree: ast.AST, name: str) -> bool:
    """Return whether a function of a name, or of a module of that name, is called."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(ast.unparse(call).partition(".")[0] == name for call in calls)
