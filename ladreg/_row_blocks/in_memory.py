"""Slices of arrays (in memory, mapped from files, Zarr or HDF5 datasets) and batches of an iterable as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ladreg._cached import cached_property
from ladreg._row_blocks.passes import Job
from ladreg._row_blocks.source import BlockError, Source, checked
from ladreg._row_blocks.summary import Summary


class Arrays:
    """Slices of `step` rows of X, y and weights: whatever has a shape and takes slices."""

    feature_names = None

    def __init__(self, X: Any, y: Any, weight: Any, step: int) -> None:
        self.X, self.y, self.weight, self.step = X, y, weight, step
        self.n_rows = int(X.shape[0])

    @property
    def n_blocks(self) -> int:
        """Number of slices."""
        return -(-self.n_rows // self.step)

    def _slice(self, k: int) -> slice:
        return slice(k * self.step, min((k + 1) * self.step, self.n_rows))

    def name(self, k: int) -> str:
        """The numbers of the rows of block k."""
        rows = self._slice(k)
        return f"rows {rows.start} to {rows.stop - 1}"

    def rows(self, k: int) -> int:
        """Number of rows of block k."""
        rows = self._slice(k)
        return rows.stop - rows.start

    def load(self, k: int) -> tuple[Any, Any, Any]:
        """The slices of block k."""
        rows = self._slice(k)
        return self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows]

    def __getstate__(self) -> dict[str, Any]:
        """A mapped array is sent to workers as its file's name, not as its values."""
        state = dict(vars(self))
        for name in ("X", "y", "weight"):
            state[name] = _Mapping.of(state[name])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value.opened() if isinstance(value, _Mapping) else value)


@dataclass(frozen=True)
class _Mapping:
    """Where the values of a memory map are."""

    filename: str
    dtype: Any
    shape: tuple[int, ...]
    offset: int
    order: Any

    @classmethod
    def of(cls, values: Any) -> Any:
        """The mapping of an array that is a whole contiguous memory map; anything else as it is."""
        if not isinstance(values, np.memmap) or values.filename is None or isinstance(values.base, np.ndarray):
            return values
        if not (values.flags.c_contiguous or values.flags.f_contiguous):
            return values
        order = "C" if values.flags.c_contiguous else "F"
        return cls(str(values.filename), values.dtype, values.shape, int(values.offset), order)

    def opened(self) -> Any:
        """The memory map, read only."""
        return np.memmap(
            self.filename, dtype=self.dtype, mode="r", shape=self.shape, offset=self.offset, order=self.order
        )


class Batches:
    """The batches of a function that returns a new iterable of them at each call; read in order, by one thread."""

    feature_names = None

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self.make = make

    @cached_property
    def _sizes(self) -> list[int]:
        """Rows of each batch, counted in one read."""
        return [checked(self.name(k), batch).y.size for k, batch in enumerate(self.make())]

    @property
    def n_counting_reads(self) -> int:
        """One, where the batches are still to be counted."""
        return int("_sizes" not in vars(self))

    @property
    def n_blocks(self) -> int:
        """Number of batches."""
        return len(self._sizes)

    def name(self, k: int) -> str:
        """The number of the batch."""
        return f"batch {k}"

    def rows(self, k: int) -> int:
        """Number of rows of batch k."""
        return self._sizes[k]

    def load(self, k: int) -> tuple[Any, Any, Any]:
        """Batch k, for which those before it are read as well."""
        for number, batch in enumerate(self.make()):
            if number == k:
                return batch
        raise BlockError(f"{self.name(k)} is missing: the function must return new batches at each call.")

    def run(self, jobs: list[Job], transform: Callable[[Any], Any] | None = None) -> Iterator[Summary]:
        """The summaries of the jobs, in one read of the batches."""
        batches = iter(self.make())
        for job in jobs:
            total = Summary()
            for k in job.blocks:
                try:
                    given = next(batches)
                except StopIteration:
                    raise BlockError(
                        f"{self.name(k)} is missing: the function must return new batches at each call."
                    ) from None
                given = given if transform is None else transform(given)
                total.add(job.summarised(self.name, k, checked(self.name(k), given)))
            yield total


def as_source(X: Any, y: Any, weight: Any, rows: int) -> Source:
    """Slices of `rows` rows of arrays whose lengths agree."""
    for name, values in (("X", X), ("y", y), ("w", weight)):
        if values is not None and not (hasattr(values, "shape") and hasattr(values, "__getitem__")):
            raise TypeError(f"{name} must be an array with a shape and slicing, got {type(values).__name__}.")
        if values is not None and values.shape[0] != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} rows, {name} {values.shape[0]}.")
    if X.shape[0] == 0:
        raise ValueError("X has no rows.")
    return Arrays(X, y, weight, rows)
