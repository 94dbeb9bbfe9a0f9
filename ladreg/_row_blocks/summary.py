"""`Summary`: what a pass keeps of rows; summaries of several blocks are merged in the order of the blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array, Index
from ladreg._row_blocks.source import Rows


@dataclass
class Picked:
    """Chosen rows, in ascending order of their global numbers; weights are written out."""

    ids: Index
    X: Any
    y: Array
    weight: Array

    @classmethod
    def of(cls, first: int, rows: Rows, index: Index) -> Picked:
        """The rows with these numbers of a block or tile whose first row has the global number `first`."""
        X: Any = rows.X[index]
        X = X if sp.issparse(X) else np.ascontiguousarray(X)
        weight = np.ones(index.size) if rows.weight is None else rows.weight[index]
        return cls(first + index, X, rows.y[index], weight)


def stacked(parts: list[Picked]) -> Picked:
    """All rows of several parts, in ascending order of their numbers, each once."""
    tables: list[Any] = [part.X for part in parts if part.ids.size] or [parts[0].X]
    X: Any = sp.csr_array(sp.vstack(tables, format="csr")) if sp.issparse(tables[0]) else np.concatenate(tables)
    ids = np.concatenate([part.ids for part in parts])
    y, weight = np.concatenate([part.y for part in parts]), np.concatenate([part.weight for part in parts])
    if np.all(ids[1:] > ids[:-1]):
        return Picked(ids, X, y, weight)
    ids, order = np.unique(ids, return_index=True)
    return Picked(ids, X[order], y[order], weight[order])


@dataclass
class Summary:
    """Sums, minima and maxima by name, chosen rows, triangles of QR decompositions; arrays are owned, not shared."""

    sums: dict[str, Any] = field(default_factory=dict)
    low: dict[str, Any] = field(default_factory=dict)
    high: dict[str, Any] = field(default_factory=dict)
    rows: list[Picked] = field(default_factory=list)
    # Of blocks: their number, rows and checksum of y.
    checks: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Take in the summary of the rows that follow."""
        for name, value in other.sums.items():
            self.sums[name] = value if name not in self.sums else self.sums[name] + value
        for name, value in other.low.items():
            self.low[name] = value if name not in self.low else np.minimum(self.low[name], value)
        for name, value in other.high.items():
            self.high[name] = value if name not in self.high else np.maximum(self.high[name], value)
        self.rows += other.rows
        self.checks += other.checks
