"""Partitions of Dask arrays and data frames as blocks; nothing is computed but summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ladreg._optional import optional
from ladreg._row_blocks.passes import Job, is_killed
from ladreg._row_blocks.source import checked
from ladreg._row_blocks.summary import Summary


def is_dask(X: Any) -> bool:
    """Whether X is a collection of Dask."""
    return hasattr(X, "__dask_graph__") and X.__dask_graph__() is not None


class DaskRows:
    """Rows of Dask collections; each partition is computed where Dask computes, and again in every pass."""

    def __init__(self, X: Any, y: Any, weight: Any) -> None:
        dask = optional("dask", "dask")
        self._delayed: Callable[..., Any] = dask.delayed
        self.feature_names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
        others = [("y", y)] if weight is None else [("y", y), ("sample_weight", weight)]
        for name, values in others:
            if not is_dask(values):
                raise TypeError(f"X is a Dask collection, so that {name} must be one too, got {type(values).__name__}.")
        if self.feature_names is not None and all(hasattr(values, "to_frame") for _, values in others):
            self._n_others, self._parts = len(others), _frames(X, [values for _, values in others])
        else:
            self._n_others, self._parts = 0, _arrays(X, others)
        chunks = None if self.feature_names is not None else np.asarray(X.chunks[0], dtype=float)
        self._sizes = None if chunks is None or np.isnan(chunks).any() else [int(size) for size in chunks]

    @property
    def n_blocks(self) -> int:
        """Number of partitions."""
        return len(self._parts)

    def name(self, k: int) -> str:
        """The number of the partition."""
        return f"partition {k}"

    def rows(self, k: int) -> int | None:
        """Number of rows of partition k, if the collection knows it."""
        return None if self._sizes is None else self._sizes[k]

    def load(self, k: int) -> tuple[Any, Any, Any]:
        """Partition k, computed."""
        return _block(self._n_others, *self._delayed(_listed)(*self._parts[k]).compute())

    def run(self, jobs: list[Job], transform: Callable[[Any], Any] | None = None) -> Iterator[Summary]:
        """The summaries of the jobs: a chain of tasks for each, so that it holds one partition at a time."""
        dask = optional("dask", "dask")
        step = self._delayed(_step, pure=False)
        totals = []
        for job in jobs:
            total = None
            given = self._delayed(job, traverse=False, name=f"{job.label}-of-{job.blocks.start}")
            for k in job.blocks:
                total = step(
                    total, given, k, transform, self._n_others, *self._parts[k], dask_key_name=f"{job.label}-{k}"
                )
            totals.append(total)
        try:
            yield from dask.compute(*totals)
        except Exception as error:
            if is_killed(error):
                raise RuntimeError(
                    f"workers died while they read {_of_task(error)}, or blocks that were waiting at the same "
                    f"workers: {error}"
                ) from error
            raise


def _listed(*parts: Any) -> tuple[Any, ...]:
    return parts


def _step(
    total: Summary | None, job: Job, k: int, transform: Callable[[Any], Any] | None, n_others: int, *parts: Any
) -> Summary:
    """The total of a job with partition k, which is the next one."""
    given = _block(n_others, *parts)
    more = job.summarised(_name, k, checked(_name(k), given if transform is None else transform(given)))
    merged = Summary()
    if total is not None:
        merged.add(total)
    merged.add(more)
    return merged


def _of_task(error: Any) -> str:
    """What the task that killed its workers reads: a partition, or a block of a collection that rows are made of."""
    key = getattr(error, "task", None)
    if isinstance(key, tuple) and len(key) > 1:
        return f"block {key[1]} of {key[0]}"
    return _name(int(str(key).rsplit("-", 1)[-1])) if str(key).startswith("ladreg-") else str(key)


def _name(k: int) -> str:
    return f"partition {k}"


def _block(n_others: int, X: Any, y: Any = None, weight: Any = None) -> tuple[Any, Any, Any]:
    """X, y and weight of a partition; a frame may hold all of them, the `n_others` last columns being not X."""
    if n_others == 0:
        return X, y, weight
    values = [X.iloc[:, k].to_numpy() for k in range(-n_others, 0)]
    return X.iloc[:, :-n_others], values[0], values[1] if n_others == 2 else None


def _frames(X: Any, others: list[Any]) -> list[tuple[Any, ...]]:
    """Partitions of one frame of all columns: Dask may give X and y other partitions if they are computed apart."""
    joined = X
    for k, values in enumerate(others):
        column = values if values.ndim == 1 else values[values.columns[0]]
        if column.npartitions != X.npartitions:
            raise ValueError(f"X has {X.npartitions} partitions, y or sample_weight {column.npartitions}.")
        joined = joined.assign(**{f"__ladreg_{k}": column})
    return [(part,) for part in joined.to_delayed()]


def _arrays(X: Any, others: list[tuple[str, Any]]) -> list[tuple[Any, ...]]:
    """Blocks of rows of arrays whose blocks agree."""
    if hasattr(X, "to_dask_array"):
        X = X.to_dask_array()
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, got {X.ndim}.")
    if X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    columns = [X.to_delayed().ravel()]
    for name, given in others:
        values = given.to_dask_array() if hasattr(given, "to_dask_array") else given
        known = not np.isnan(np.asarray(X.chunks[0] + values.chunks[0], dtype=float)).any()
        if known and values.shape[0] != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} rows, {name} {values.shape[0]}.")
        if known and values.chunks[0] != X.chunks[0]:
            values = values.rechunk({0: X.chunks[0]})
        if values.numblocks[0] != X.numblocks[0]:
            raise ValueError(f"X has {X.numblocks[0]} blocks of rows, {name} {values.numblocks[0]}.")
        columns.append(values.to_delayed().ravel())
    return list(zip(*columns, strict=True))
