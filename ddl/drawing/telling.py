"""What a drawing shows, in words."""

from collections import Counter

from ddl.drawing.graph import Box, Network, readers, skips
from ddl.drawing.labels import JOINS


def told(graph: Network, shapes: bool = False) -> str:
    """Return each way of a network from one place where ways part or meet to the next.

    Args:
        graph: What is drawn.
        shapes: Whether to say what shape arrives where ways end, without the batch.
    """
    after = readers(graph)
    meets = [n for n, box in graph.items() if len(box.reads) != 1 or len(after[n]) != 1]
    alike = Counter(_phrase(graph[name]) for name in meets)
    count: Counter[str] = Counter()
    called = {}
    for name in meets:
        phrase = _phrase(graph[name])
        count[phrase] += 1
        called[name] = f"{phrase} {count[phrase]}" if alike[phrase] > 1 else phrase
    beside, sentences = skips(graph), []
    for name in meets:
        ways = []
        for follower in after[name]:
            passed, read, end = [], name, follower
            while end not in called:
                passed.append(_phrase(graph[end]))
                read, (end,) = end, after[end]
            through = f"through {_listed(passed)} " if passed else ""
            skip = "by a skip " if (name, follower) in beside and not passed else ""
            shape = graph[end].reads[read]
            size = f", as {written(shape)}" if shapes and shape else ""
            ways.append(f"{through}{skip}to {called[end]}{size}")
        if ways:
            sentences.append(f"From {called[name]} {'; '.join(ways)}.")
    return " ".join(sentences)


def written(shape: tuple[int, ...]) -> str:
    """Return a shape as text, without the batch."""
    return "×".join(map(str, shape[1:] or shape)) or "a number"


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _phrase(box: Box) -> str:
    if box.kind == "join":
        return JOINS.get(box.text[0], box.text[0])
    first, *others = box.text
    return f"{first} ({', '.join(others)})" if others else first
