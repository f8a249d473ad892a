"""Drawings of networks, made from what they compute, and the words for who cannot see them.

`draw` runs a network on an example, takes down its graph (`trace`), lays it out and shows it.
`words` says the same in a few sentences: the alt text of the figure.
"""

from ddl.drawing.graph import Box, Network
from ddl.drawing.pictures import draw, sketch, words
from ddl.drawing.tracing import trace

__all__ = ["Box", "Network", "draw", "sketch", "trace", "words"]
