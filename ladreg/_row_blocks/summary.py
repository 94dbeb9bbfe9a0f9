"""`Summary`: what a pass keeps of rows; summaries of several blocks are merged in the order of the blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from ladreg._arrays import Array, Index
from ladreg._row_blocks.source import Rows

# Distinct rows of several tiles are merged once they are 4096, and again whenever they have doubled.
_MANY, _AGAIN = 4096, 2
# Entries of sparse rows, at most, that are made dense to be compared: 64 MB.
_DENSE = 1 << 23


def picked(rows: Rows, index: Index) -> Rows:
    """Copies of the chosen rows, their weights written out."""
    X: Any = rows.X[index]
    X = X if sp.issparse(X) else np.ascontiguousarray(X)
    return Rows(X, rows.y[index], np.ones(index.size) if rows.weight is None else rows.weight[index])


def stacked(parts: list[Rows]) -> Rows:
    """All rows of several parts, which have weights; a single part as it is."""
    if len(parts) == 1:
        return parts[0]
    tables: list[Any] = [part.X for part in parts if part.y.size] or [parts[0].X]
    X: Any = sp.csr_array(sp.vstack(tables, format="csr")) if sp.issparse(tables[0]) else np.concatenate(tables)
    weights: list[Array] = [part.weight for part in parts if part.weight is not None]
    return Rows(X, np.concatenate([part.y for part in parts]), np.concatenate(weights))


def merged(rows: Rows) -> Rows:
    """Each distinct row once, with the sum of its weights; sparse rows that are too many to be made dense stay."""
    given: Any = rows.X
    if rows.weight is None or given.shape[0] * given.shape[1] > _DENSE:
        return rows
    is_sparse: bool = sp.issparse(given)
    table = np.column_stack([given.toarray() if is_sparse else given, rows.y]) + 0.0  # no negative zeros
    keys = np.ascontiguousarray(table).view(np.dtype((np.void, table.itemsize * table.shape[1]))).ravel()
    _, chosen, group = np.unique(keys, return_index=True, return_inverse=True)
    return Rows(given[chosen], rows.y[chosen], np.bincount(group.ravel(), rows.weight).astype(np.float64))


@dataclass
class Summary:
    """Sums, minima and maxima by name, and chosen rows by name; a summary owns its arrays.

    Rows whose name ends with "distinct" are kept once each, with the sum of their weights.
    """

    sums: dict[str, Any] = field(default_factory=dict)
    low: dict[str, Any] = field(default_factory=dict)
    high: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[Rows]] = field(default_factory=dict)
    # Of blocks: their number, rows and checksum of y.
    checks: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, other: Summary, prefix: str = "") -> None:
        """Take in the summary of the rows that follow, its names after a prefix."""
        for name, value in other.sums.items():
            key = prefix + name
            self.sums[key] = value if key not in self.sums else self.sums[key] + value
        for name, value in other.low.items():
            key = prefix + name
            self.low[key] = value if key not in self.low else np.minimum(self.low[key], value)
        for name, value in other.high.items():
            key = prefix + name
            self.high[key] = value if key not in self.high else np.maximum(self.high[key], value)
        for name, parts in other.rows.items():
            own = self.rows.setdefault(prefix + name, [])
            own.extend(parts)
            n_rows = sum(part.y.size for part in own)
            if name.endswith("distinct") and len(own) > 1 and n_rows > max(_AGAIN * own[0].y.size, _MANY):
                own[:] = [merged(stacked(own))]
        self.checks += other.checks

    def parts(self) -> dict[str, Summary]:
        """What was added with each prefix, which ends at the first colon of a name."""
        parts: dict[str, Summary] = {}
        for kind in ("sums", "low", "high", "rows"):
            for key, value in getattr(self, kind).items():
                prefix, _, name = key.partition(":")
                if prefix not in parts:
                    parts[prefix] = Summary()
                getattr(parts[prefix], kind)[name] = value
        return parts
