"""What a layout says: where boxes stand, and which way arrows take.

Positions are (along, across), in inches: along the flow, and across it.
"""

from dataclasses import dataclass

Size = tuple[float, float]
Point = tuple[float, float]
Arrow = tuple[str, str]
Way = list[tuple[float, float, str]]
BEND = 0.12  # inches: radius of a rounded corner


@dataclass
class Layout:
    """Places of boxes and ways of arrows.

    Args:
        sizes: Extents of the boxes.
        places: Their centres.
        ways: For each arrow its points, with what leads there: ``"line"``, straight, or
            ``"curve"``, an S that leaves and arrives along the flow. A ``"corner"`` is a
            straight line to a point that is rounded off.
        notes: Where the shape of what a box returns is written.
        extent: Of the whole, from (0, 0) on.
    """

    sizes: dict[str, Size]
    places: dict[str, Point]
    ways: dict[Arrow, Way]
    notes: dict[str, Point]
    extent: Size

    def moved(self, along: float, across: float) -> "Layout":
        """Return the layout, moved."""

        def to(point: Point) -> Point:
            return point[0] + along, point[1] + across

        return Layout(
            self.sizes,
            {name: to(place) for name, place in self.places.items()},
            {a: [(*to((x, y)), kind) for x, y, kind in way] for a, way in self.ways.items()},
            {name: to(note) for name, note in self.notes.items()},
            self.extent,
        )
