"""Listings: a page shows the code that it runs, never a copy of it."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from itertools import dropwhile
from typing import Any

from ddl import inputs
from ddl.claims import show
from ddl.inputs import checked


@checked
def show_code(*functions: Callable[..., Any], since: str = "") -> None:
    """Show functions of the package as this page runs them.

    Where each is found stands above it. Docstring, annotations and the checks of its input are
    left out; `...` stands for other lines before what is shown.

    Args:
        functions: Functions or methods that have a name and are written in Python.
        since: What the first line that is shown begins with; by default all lines are.

    Raises:
        ValueError: If there is none, one is something else, or no line begins like that.

    Example:
        >>> show_code(logistic_unit)
    """
    for function in functions or (None,):
        named = getattr(function, "__name__", "<lambda>") != "<lambda>"
        if not named or not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise ValueError(f"functions must have a name and be in Python, got {function!r}")
    code = "\n\n".join(_code(function, since) for function in functions)
    show(code, {"text/markdown": f"```python\n{code}\n```"})


def _code(function: Callable[..., Any], since: str) -> str:
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    definition = ast.parse("\n".join(lines)).body[0]
    assert isinstance(definition, ast.FunctionDef)
    body = definition.body[1:] if ast.get_docstring(definition) else definition.body
    body = list(dropwhile(_checks, body))
    shown = [part for part in body if lines[part.lineno - 1].strip().startswith(since)]
    if not shown:
        raise ValueError(f"since must begin a line of {function.__name__}, got {since!r}")
    for argument in ast.walk(definition.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    head = [f"# {function.__module__}.{function.__qualname__}"]
    head += [f"@{ast.unparse(decorator)}" for decorator in definition.decorator_list]
    head += [f"def {definition.name}({ast.unparse(definition.args)}):"]
    head += ["    ..."] if shown[0] is not body[0] else []
    return "\n".join([*head, *lines[shown[0].lineno - 1 :]])


def _checks(part: ast.stmt) -> bool:
    """Return whether a statement does nothing but refuse wrong input."""
    if isinstance(part, ast.If):
        return not part.orelse and all(isinstance(inner, ast.Raise) for inner in part.body)
    call = part.value if isinstance(part, ast.Expr) else None
    name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
    return name.startswith("_check") or hasattr(inputs, name)
