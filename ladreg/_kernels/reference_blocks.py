"""The kernels of `_blocks` in plain NumPy: slow, short, and their specification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.integer]


def disjoint_columns(
    indices: Index, indptr: Index, most_rows: int, n_classes: int, rows: Index, label: NDArray[np.intp]
) -> None:
    """Put each column into the first class none of whose columns has a value in the same row; -1 where none is free.

    A column without values, or with more than `most_rows`, is in no class. `rows` gets the row numbers by columns.
    """
    columns = indices[indptr[0] : indptr[-1]]
    order = np.argsort(columns, kind="stable")
    rows[: columns.size] = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))[order]
    begin = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=label.size))])
    taken = np.zeros((n_classes, indptr.size - 1), dtype=bool)
    for j in range(label.size):
        own = rows[begin[j] : begin[j + 1]]
        free = np.flatnonzero(~taken[:, own].any(axis=1))
        label[j] = free[0] if free.size and 0 < own.size <= most_rows else -1
        if label[j] >= 0:
            taken[label[j], own] = True


def block_gram(
    data: Array,
    indices: Index,
    indptr: Index,
    weight: Array,
    place: NDArray[np.intp],
    position: Index,
    begin: Index,
    border: bool,
    diagonal: Array,
    cross: Array,
    inner: Array,
) -> None:
    """Add the blocks of the Gram matrix of a CSR array, with a last column of ones if `border`."""
    for i in range(weight.size):
        stored = np.arange(indptr[i], indptr[i + 1])
        number = place[indices[stored]]
        others = stored[number >= 0]
        full = np.zeros(inner.shape[0])
        full[number[number >= 0]] = data[others]
        if border:
            full[-1] = 1.0
        inner += weight[i] * np.outer(full, full)
        for t in stored[number < 0]:
            own = -1 - place[indices[t]]
            diagonal[own] += weight[i] * data[t] ** 2
            where = position[others] if position.size else own * inner.shape[0] + place[indices[others]]
            cross[where] += weight[i] * data[t] * data[others]
            if border:
                cross[begin[own + 1] - 1] += weight[i] * data[t]
