"""What the pictures share: axes, colours, and labels that do not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array, Index
from ladreg._optional import optional

# Okabe and Ito's colours, which colour-blind readers tell apart; yellow and purple are darker, to be legible as text.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#A8497F", "#B88A00", "#56B4E9")
BLUE, ORANGE, GREEN = COLOURS[:3]
# Distance of two labels, as a fraction of the height of the axes: a line of text in a picture of 4.5 inches.
_LINE = 0.055
# Numbers of features above a path, at most.
_COUNTS = 8
# Alphas apart by more than this factor have ticks at powers of ten, others at 1, 2 and 5 times these.
_DECADES = 200.0


def axes_of(ax: Any, size: tuple[float, float] = (7.0, 4.5)) -> Any:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    return optional("matplotlib.pyplot", "plot").subplots(figsize=size, layout="constrained")[1]


def ink() -> str:
    """The colour of text in the style that is set, light or dark."""
    return str(optional("matplotlib", "plot").rcParams["text.color"])


def faint(ax: Any) -> Any:
    """The colour of what stands in the background: a quarter of the ink, which does not add up where lines overlap."""
    colors = optional("matplotlib.colors", "plot")
    return tuple(0.25 * np.array(colors.to_rgb(ink())) + 0.75 * np.array(colors.to_rgb(ax.get_facecolor())))


def tidy(ax: Any) -> None:
    """Axes with a faint grid behind the data, and without what carries no data."""
    ax.grid(color=ink(), alpha=0.1)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(length=0)


def label_ends(ax: Any, x: float, heights: Sequence[float], names: Sequence[str], colours: Sequence[str]) -> list[Any]:
    """Names to the right of lines that end at x, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    places = spread(np.asarray(heights), _LINE * (high - low), high)
    given = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
    return [
        ax.annotate(name, (x, place), color=colour, **given)
        for name, place, colour in zip(names, places.tolist(), colours, strict=True)
    ]


def spread(heights: Array, least: float, most: float) -> Array:
    """Heights in the same order, at least `least` apart and at most `most`: the nearest ones in squares.

    With ``z_k = height_k - k * least`` for sorted heights the nearest non-decreasing sequence below a limit is wanted:
    neighbours that are out of order are pooled into their mean, and what is above the limit is moved to it.
    """
    order = np.argsort(heights, kind="stable")
    pools: list[tuple[float, int]] = []
    for k, height in enumerate(heights[order].tolist()):
        total, size = height - k * least, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            before = pools.pop()
            total, size = total + before[0], size + before[1]
        pools.append((total, size))
    means = np.repeat([total / size for total, size in pools], [size for _, size in pools])
    found = np.empty(heights.size)
    found[order] = np.minimum(means, most - least * (heights.size - 1)) + least * np.arange(heights.size)
    return found


def alpha_axis(ax: Any, alphas: Array) -> None:
    """A logarithmic axis of alphas, from the largest on the left to the smallest above zero."""
    kept = alphas[alphas > 0]
    ax.set(xscale="log", xlabel="alpha")
    if kept.size and kept.max() > kept.min():
        ax.set_xlim(kept.max(), kept.min())
        ticker = optional("matplotlib.ticker", "plot")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1,) if kept.max() > _DECADES * kept.min() else (1, 2, 5)))
        ax.xaxis.set_minor_locator(ticker.NullLocator())
        ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))


def count_axis(ax: Any, alphas: Array, counts: Index) -> Any:
    """An axis on top with numbers of features, at some of the alphas."""
    top = ax.secondary_xaxis("top")
    kept = np.flatnonzero(alphas > 0)
    logs = np.log(alphas[kept])
    wanted = np.linspace(logs.max(), logs.min(), min(_COUNTS, kept.size))
    some = kept[np.unique([int(np.argmin(np.abs(logs - value))) for value in wanted])]
    top.set_xticks(alphas[some].tolist(), [f"{counts[k]:d}" for k in some])
    top.set_xticks([], minor=True)
    top.tick_params(length=0)
    top.spines["top"].set_visible(False)
    top.set_xlabel("number of features")
    return top


def mark_alphas(ax: Any, chosen: Mapping[str, float]) -> tuple[list[Any], list[Any]]:
    """Dotted lines at alphas, with their names; equal alphas have one line with all of their names."""
    named: dict[float, list[str]] = {}
    for name, alpha in chosen.items():
        if alpha > 0:
            named.setdefault(float(alpha), []).append(name)
    lines = [ax.axvline(alpha, color=ink(), alpha=0.6, lw=1.2, ls=":") for alpha in named]
    box = {"boxstyle": "square,pad=0.1", "fc": ax.get_facecolor(), "ec": "none", "alpha": 0.8}
    across = ax.get_xaxis_transform()
    texts = [
        ax.text(alpha, 0.02, ", ".join(names), rotation=90, ha="right", va="bottom", size=9, transform=across, bbox=box)
        for alpha, names in named.items()
    ]
    return lines, texts


def numbers(name: str, values: ArrayLike, *shape: int | None) -> Array:
    """Values as an array of floats; a ValueError unless it has this shape, in which None is any length."""
    array = np.asarray(values, dtype=np.float64)
    fitting = array.ndim == len(shape) and all(
        wanted is None or wanted == size for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fitting:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}.")
    return array


def names_of(given: Any, number: int, what: str = "x") -> list[str]:
    """The names given, or ``x0, x1, ...``; a ValueError if there are more or fewer."""
    if given is None:
        return [f"{what}{k}" for k in range(number)]
    names = [str(name) for name in given]
    if len(names) != number:
        raise ValueError(f"names must have {number} entries, got {len(names)}.")
    return names
