"""What is drawn: boxes and who reads whom, and how a graph is made smaller without a lie."""

from dataclasses import dataclass, field, replace

from ddl.drawing.labels import ACTIVATIONS

Shape = tuple[int, ...]


@dataclass
class Box:
    """A place in a drawing.

    Args:
        text: Its lines. A join has its sign, such as ``+`` or ``cat``.
        kind: ``"end"`` for inputs and outputs, ``"layer"``, ``"move"`` for what changes no
            number, ``"join"``, or ``"source"`` for what is no input and yet comes from outside:
            a parameter, noise, a constant.
        reads: The boxes whose values it reads, in this order, and their shapes.
        shape: Shape of what it returns, None where that is several tensors or unknown.
        learns: Whether it holds parameters.
    """

    text: tuple[str, ...]
    kind: str = "layer"
    reads: dict[str, Shape | None] = field(default_factory=dict)
    shape: Shape | None = None
    learns: bool = False


Network = dict[str, Box]  # by name, each after all that it reads; of a sketch, in any order


def readers(graph: Network) -> dict[str, list[str]]:
    """Return for each box those that read it."""
    return {name: [b for b, box in graph.items() if name in box.reads] for name in graph}


def skips(graph: Network) -> set[tuple[str, str]]:
    """Return the arrows beside which there is a longer way."""
    after = readers(graph)

    def reached(start: str, end: str, without: str) -> bool:
        seen, waiting = {without}, [start]
        while waiting and end not in seen:
            name = waiting.pop()
            waiting += [] if name in seen else after[name]
            seen.add(name)
        return end in seen

    return {
        (a, b) for a in graph for b in after[a] if any(reached(c, b, a) for c in after[a] if c != b)
    }


def _without(graph: Network, name: str, text: tuple[str, ...], shape: Shape | None) -> None:
    """Take a box that reads one other out of the graph, and give that one its text."""
    (read,) = graph.pop(name).reads
    graph[read] = replace(graph[read], text=text, shape=shape)
    for box in graph.values():
        box.reads = {read if n == name else n: s for n, s in box.reads.items()}


def compacted(graph: Network) -> Network:
    """Return the graph with activations in the boxes they follow, and without what only moves."""
    graph = {name: replace(box) for name, box in graph.items()}
    for name, box in list(graph.items()):
        if box.kind not in ("layer", "move") or len(box.reads) != 1:
            continue
        (read,) = graph[name].reads
        before = graph[read]
        if box.kind == "move":
            _without(graph, name, before.text, before.shape)
        elif (
            box.text[0] in ACTIVATIONS and before.kind == "layer" and readers(graph)[read] == [name]
        ):
            _without(graph, name, (*before.text, *box.text), box.shape)
    return graph


def repeats_folded(graph: Network) -> Network:
    """Return the graph with three or more equal boxes in a row as one."""
    graph = {name: replace(box) for name, box in graph.items()}
    after = readers(graph)
    runs: list[list[str]] = [[]]
    for name, box in graph.items():
        run = runs[-1]
        alike = run and graph[run[-1]].text == box.text and after[run[-1]] == [name]
        if not alike or box.reads != {run[-1]: box.shape}:
            runs.append([])
        if box.kind == "layer" and list(box.reads.values()) == [box.shape]:
            runs[-1].append(name)
    for first, *others in filter(None, runs):
        if len(others) > 1:
            text = (*graph[first].text, f"× {len(others) + 1}")
            for name in others:
                _without(graph, name, text, graph[first].shape)
    return graph


def arrows(graph: Network) -> list[tuple[str, str]]:
    """Return the arrows, as pairs of start and end."""
    return [(read, name) for name, box in graph.items() for read in box.reads]
