"""Draw thumbnails of examples that the gallery does not run: python docs/make_thumbnails.py."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

STATIC = Path(__file__).parent / "_static"
BLUE, ORANGE = "#0072B2", "#D55E00"


def blocks(axes: Any) -> None:
    """Blocks of rows, one of them in memory."""
    for k in range(6):
        chosen = k == 2
        axes.add_patch(plt.Rectangle((0.1, 0.85 - 0.14 * k), 0.35, 0.11, color=ORANGE if chosen else BLUE, alpha=0.9))
    axes.annotate("", (0.72, 0.5), (0.48, 0.625), arrowprops={"arrowstyle": "-|>", "color": "0.4", "lw": 2})
    axes.text(0.74, 0.5, "fit", size=22, va="center")


def networks(axes: Any) -> None:
    """Layers of three, four and two units."""
    layers = [[(x, y) for y in np.linspace(0.2, 0.8, size)] for x, size in ((0.15, 3), (0.5, 4), (0.85, 2))]
    for left, right in pairwise(layers):
        for start in left:
            for end in right:
                axes.plot(*zip(start, end, strict=True), color="0.75", lw=1, zorder=0)
    for layer, colour in zip(layers, (BLUE, ORANGE, BLUE), strict=True):
        axes.scatter(*zip(*layer, strict=True), s=250, color=colour)


def main() -> None:
    """Draw both."""
    for name, draw in (("blocks", blocks), ("networks", networks)):
        figure, axes = plt.subplots(figsize=(4, 2.8))
        draw(axes)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.axis("off")
        figure.savefig(STATIC / f"thumb_{name}.png", dpi=100, transparent=True)


if __name__ == "__main__":
    main()
