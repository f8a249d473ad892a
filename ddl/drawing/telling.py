"""What a drawing shows, in words."""

from collections import Counter

from ddl.drawing.labels import JOINS
from ddl.drawing.tracing import Box, Network, readers


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
    sentences = []
    for name in meets:
        ways = []
        for follower in after[name]:
            passed, read = [], name
            while follower not in called:
                passed.append(_phrase(graph[follower]))
                read, (follower,) = follower, after[follower]
            shape = graph[follower].reads[read]
            size = f" as {written(shape)}" if shapes and shape else ""
            ways.append(f"{'through ' * bool(passed)}{listed(passed)} to {called[follower]}{size}")
        if ways:
            sentences.append(f"{called[name]} leads {', and '.join(map(str.strip, ways))}.")
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def written(shape: tuple[int, ...]) -> str:
    """Return a shape as text, without the batch."""
    return "×".join(map(str, shape[1:] or shape)) or "a number"


def listed(parts: list[str]) -> str:
    """Return parts as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _phrase(box: Box) -> str:
    if box.kind == "join":
        return JOINS.get(box.text[0], box.text[0])
    first, *others = box.text
    return f"{first} ({', '.join(others)})" if others else first
