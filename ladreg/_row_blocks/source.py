"""What a source of blocks of rows is, and how one of its blocks is loaded and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import Array


class BlockError(ValueError):
    """A block that cannot be used: it cannot be read, has other rows than before, or holds what is no number."""

    __module__ = "ladreg.blocks"


@runtime_checkable
class Source(Protocol):
    """Rows in blocks, each of which can be loaded again and again; workers get a pickled copy.

    A source may have more: `rows(k)`, the number of rows of a block, or None where it is not known before the block is
    read (the fit then counts, in one more pass); `feature_names`, a list of strings or None; `frame(k)`, as `load`, but
    with X as a data frame for transformers; `is_stamped`, True where `load` itself notices that its data changed; and
    `run(jobs)`, where the source, not an executor, decides who loads its blocks.
    """

    @property
    def n_blocks(self) -> int:
        """Number of blocks. Sums are added block by block, so that the bits of a fit belong to these blocks."""

    def name(self, k: int) -> str:
        """What block k is called in errors: its file and row group, or its rows."""

    def load(self, k: int) -> tuple[Any, Any, Any]:
        """X, y and the sample weights (or None) of block k."""


class Rows(NamedTuple):
    """Rows of a table: X (an array or a CSR array), targets, and weights (None: all one)."""

    X: Any
    y: Array
    weight: Array | None


def is_source(X: Any) -> bool:
    """Whether X is a source of blocks, and not an array."""
    return not isinstance(X, np.ndarray) and all(hasattr(X, name) for name in ("n_blocks", "name", "load"))


def known_rows(source: Source, k: int) -> int | None:
    """The number of rows of block k, if it is known before the block is read."""
    rows: Callable[[int], int | None] | None = getattr(source, "rows", None)
    return None if rows is None else rows(k)


def loaded(source: Source, k: int) -> Rows:
    """Block k, checked; a BlockError that names the block where it cannot be read."""
    name = source.name(k)
    try:
        given = source.load(k)
    except BlockError:
        raise
    except Exception as error:
        raise BlockError(f"{name} could not be read: {type(error).__name__}: {error}") from error
    return checked(name, given)


def checked(name: str, given: Any) -> Rows:
    """The rows of a block as arrays of floats; numbers are checked later, in the pass that reads them anyway."""
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        raise BlockError(f"{name}: a block must be a tuple (X, y) or (X, y, weights), got {type(given).__name__}.")
    X, y = _matrix(name, given[0]), _vector(name, "y", given[1])
    weight = None if len(given) == 2 or given[2] is None else _vector(name, "the weights", given[2])
    for what, size in (("y", y.size), *((("the weights", weight.size),) if weight is not None else ())):
        if size != X.shape[0]:
            raise BlockError(f"{name}: X has {X.shape[0]} rows, {what} {size}.")
    return Rows(X, y, weight)


def _matrix(name: str, X: Any) -> Any:
    if sp.issparse(X):
        given: Any = X
        rows: Any = sp.csr_array(given)
        rows.sum_duplicates()
        return rows if rows.dtype in (np.float64, np.float32) else rows.astype(np.float64)
    if hasattr(X, "dtypes") and hasattr(X, "columns"):
        for column, dtype in zip(X.columns, X.dtypes, strict=True):
            if getattr(dtype, "kind", "O") not in "fiub":
                raise BlockError(
                    f"{name}: column {column!r} has dtype {dtype}, which is not a number. Leave it out, or pass a "
                    "fitted transformer to .map."
                )
        X = X.to_numpy()
    return _floats(name, "X", X, 2)


def _vector(name: str, what: str, values: Any) -> Array:
    vector = _floats(name, what, values, 1)
    return np.ascontiguousarray(vector, dtype=np.float64)


def _floats(name: str, what: str, values: Any, n_dimensions: int) -> NDArray[np.floating]:
    """An aligned array of float32 or float64; buffers that came from another process may lie anywhere."""
    array = np.asarray(values)
    if array.ndim == 2 and n_dimensions == 1 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != n_dimensions:
        raise BlockError(f"{name}: {what} must have {n_dimensions} dimensions, got shape {array.shape}.")
    if array.dtype not in (np.float64, np.float32):
        if array.dtype.kind == "c":
            raise BlockError(f"{name}: {what} has complex numbers.")
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise BlockError(f"{name}: {what} must be numbers: {error}") from error
    return array if array.flags.aligned else array.copy()


@dataclass(frozen=True)
class Transform:
    """Makes a block with X transformed of a block."""

    transform: Callable[[Any], Any]

    def __call__(self, given: Any) -> tuple[Any, Any, Any]:
        """The block with X transformed."""
        X, *others = given
        made: Any = (self.transform(X), *others)
        return made


@dataclass(frozen=True, eq=False)
class Mapped:
    """The blocks of a source, with X transformed; frames are transformed as frames, where the source has them."""

    source: Source
    transform: Callable[[Any], Any]

    @classmethod
    def of(cls, source: Source, transform: Callable[[Any], Any]) -> Mapped:
        """The source with transformed blocks, which decides who loads them if `source` does."""
        return (MappedRun if hasattr(source, "run") else Mapped)(source, transform)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.source.n_blocks

    @property
    def n_counting_reads(self) -> int:
        """Reads that count the blocks."""
        return int(getattr(self.source, "n_counting_reads", 0))

    @property
    def is_stamped(self) -> bool:
        """Whether the source notices by itself that its data changed."""
        return bool(getattr(self.source, "is_stamped", False))

    @property
    def feature_names(self) -> list[str] | None:
        """Names that the transformer gives to its columns, where it does."""
        owner = getattr(self.transform, "__self__", None)
        if owner is None or not hasattr(owner, "get_feature_names_out"):
            return None
        return [str(name) for name in owner.get_feature_names_out()]

    def name(self, k: int) -> str:
        """The name of block k in errors."""
        return self.source.name(k)

    def rows(self, k: int) -> int | None:
        """Number of rows of block k, if known."""
        return known_rows(self.source, k)

    def load(self, k: int) -> tuple[Any, Any, Any]:
        """Block k, transformed."""
        read = getattr(self.source, "frame", None) or self.source.load
        return Transform(self.transform)(read(k))

    frame = load


class MappedRun(Mapped):
    """The transformed blocks of a source that decides who loads them."""

    def run(self, jobs: Any, transform: Callable[[Any], Any] | None = None) -> Any:
        """The summaries of the jobs."""
        here = Transform(self.transform)
        after = here if transform is None else _Both(here, transform)
        return self.source.run(jobs, after)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Both:
    """Two functions, one after the other."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, given: Any) -> Any:
        return self.second(self.first(given))
