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
        extent: Of the whole, from (0, 0) on.
    """

    sizes: dict[str, Size]
    places: dict[str, Point]
    ways: dict[Arrow, Way]
    extent: Size

    def __post_init__(self) -> None:
        """Drop steps of no length, which point nowhere."""
        for way in self.ways.values():
            for k in range(len(way) - 1, 0, -1):
                if max(abs(way[k][0] - way[k - 1][0]), abs(way[k][1] - way[k - 1][1])) < 1e-6:
                    way[k - 1 : k + 1] = [(*way[k][:2], way[k - 1][2])]

    def moved(self, along: float, across: float) -> "Layout":
        """Return the layout, moved."""

        def to(point: Point) -> Point:
            return point[0] + along, point[1] + across

        return Layout(
            self.sizes,
            {name: to(place) for name, place in self.places.items()},
            {a: [(*to((x, y)), kind) for x, y, kind in way] for a, way in self.ways.items()},
            self.extent,
        )
