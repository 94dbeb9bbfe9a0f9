"""Tables of coefficients as text and as HTML, from one list of cells."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

import numpy as np

from ladreg._arrays import Array

# Significant digits of coefficients and of p-values.
_DIGITS, _P_DIGITS = 6, 3


@dataclass(frozen=True)
class Block:
    """One table: what stands above it, the names of its rows and columns, and its numbers (NaN leaves a cell empty)."""

    title: str
    names: list[str]
    columns: list[str]
    values: Array

    def cells(self) -> list[list[str]]:
        """The cells as text, a header first."""
        rows = [["", *self.columns]]
        for name, values in zip(self.names, self.values.tolist(), strict=True):
            digits = (_P_DIGITS if column == "p" else _DIGITS for column in self.columns)
            rows.append([name, *(_number(value, places) for value, places in zip(values, digits, strict=True))])
        return rows


def _number(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def as_text(header: list[str], blocks: list[Block]) -> str:
    """Lines of the header, and each table with its columns aligned."""
    lines = list(header)
    for block in blocks:
        cells = block.cells()
        widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
        lines += ["", block.title]
        for row in cells:
            aligned = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
            lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def as_html(header: list[str], blocks: list[Block]) -> str:
    """The same as HTML."""
    parts = ["<div>", *(f"<div>{escape(line)}</div>" for line in header)]
    for block in blocks:
        first, *rest = block.cells()
        parts.append(f"<table><caption>{escape(block.title)}</caption>")
        parts.append("<thead><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in first) + "</tr></thead><tbody>")
        for row in rest:
            values = "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            parts.append(f"<tr><th>{escape(row[0])}</th>{values}</tr>")
        parts.append("</tbody></table>")
    return "\n".join([*parts, "</div>"])


def as_frame(blocks: list[Block], quantiles: Array | None = None) -> Any:
    """A pandas DataFrame, indexed by names, and before them by the quantiles of the tables where there are several."""
    pd = import_module("pandas")  # an extra, imported when used
    names = blocks[0].names
    index = pd.Index(names, name="name")
    if quantiles is not None:
        index = pd.MultiIndex.from_product([quantiles, names], names=["quantile", "name"])
    columns = [*blocks[0].columns[:-2], "low", "high"]
    return pd.DataFrame(np.vstack([block.values for block in blocks]), index=index, columns=columns)
