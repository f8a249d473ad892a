"""Listings: a page shows the code that it runs, never a copy of it."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from ddl.claims import show
from ddl.support.inputs import checked


@checked
def show_code(*functions: Callable[..., Any], since: str = "") -> None:
    """Show the source of functions and classes of the package, as this page runs them.

    Where each is found stands above it. Docstrings are left out and nothing else; `...` stands
    for the lines before ``since``.

    Args:
        functions: Functions, methods or classes that have a name and are written in Python.
        since: What the first line that is shown begins with; by default all lines are.

    Raises:
        ValueError: If there is none, one is something else, or no line begins like that.

    Example:
        >>> show_code(logistic_unit)
    """
    for function in functions or (None,):
        named = getattr(function, "__name__", "<lambda>") != "<lambda>"
        kinds = (inspect.isfunction, inspect.ismethod, inspect.isclass)
        if not named or not any(is_one(function) for is_one in kinds):
            raise ValueError(f"functions must have a name and be in Python, got {function!r}")
    code = "\n\n".join(_code(function, since) for function in functions)
    show(code, {"text/markdown": f"```python\n{code}\n```"})


def _code(function: Callable[..., Any], since: str) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    definition = ast.parse("\n".join(lines)).body[0]
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    hidden: set[int] = set()  # numbers of lines
    for part in ast.walk(definition):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part):
            end = part.body[0].end_lineno or 0
            blank = end < len(lines) and not lines[end].strip()
            hidden.update(range(part.body[0].lineno, end + 1 + blank))
    starts = [part.lineno for part in definition.body if part.lineno not in hidden]
    shown = [k for k in starts if lines[k - 1].strip().startswith(since)]
    if not shown:
        raise ValueError(f"since must begin a line of {function.__name__}, got {since!r}")
    head, first = definition.body[0].lineno, shown[0] if since else definition.body[0].lineno
    code = [line for k, line in enumerate(lines, 1) if k not in hidden | {*range(head, first)}]
    if since and shown[0] != starts[0]:
        code.insert(head - 1, "    ...")
    return "\n".join([f"# {function.__module__}.{function.__qualname__}", *code])
