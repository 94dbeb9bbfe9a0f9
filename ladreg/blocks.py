"""Data in blocks of rows, for tables that do not fit into memory: Parquet files, mapped arrays, batches.

A block is read whenever a pass over the rows needs it, and given up afterwards. The result of a pass is a sum over
blocks in a fixed order, so that its bits do not depend on who reads them: threads, processes or a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ladreg._row_blocks import (
    HELD,
    MISSING,
    Batches,
    BlockError,
    Mapped,
    Parquet,
    Source,
    as_source,
    is_source,
    known_rows,
)

__all__ = ["BlockError", "Blocks", "arrays", "iterable", "parquet"]


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows in blocks, and how they are read.

    Made by `parquet`, `arrays` and `iterable`, or from any other source with the methods below.

    Parameters
    ----------
    source : object
        Has ``n_blocks``, the number of blocks; ``name(k)``, the name of block k in errors; and ``load(k)``, which
        returns ``(X, y)`` or ``(X, y, weights)`` of block k, the same at every call. X is an array, a sparse matrix or
        a DataFrame of numbers. Workers get a pickled copy of the source. Optional are ``rows(k)``, the number of rows
        of a block, without which a fit needs one more pass; ``feature_names``, a list of strings; and ``frame(k)``,
        like ``load``, but with X as transformers need it.
    executor : object, default=None
        See `on`.
    n_held : int, default=262144
        See `holding`.

    Raises
    ------
    TypeError
        If `source` does not have these methods.

    See Also
    --------
    parquet, arrays, iterable : Ready-made sources.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg.blocks import Blocks
    >>> class Simulated:
    ...     n_blocks = 3
    ...     def name(self, k):
    ...         return f"simulation {k}"
    ...     def load(self, k):
    ...         rng = np.random.default_rng(k)
    ...         X = rng.standard_normal((100, 2))
    ...         return X, X @ [1.0, 2.0] + rng.standard_cauchy(100)
    >>> data = Blocks(Simulated())
    >>> data.n_blocks, data.load(2)[0].shape
    (3, (100, 2))
    """

    source: Any
    executor: Any = None
    n_held: int = HELD

    def __post_init__(self) -> None:
        if not is_source(self.source):
            raise TypeError(
                f"source must have n_blocks, name(k) and load(k), got {type(self.source).__name__}; for arrays use "
                "ladreg.blocks.arrays."
            )

    def map(self, transform: Callable[[Any], Any]) -> Blocks:
        """The data with X transformed, block by block, as blocks are read.

        Parameters
        ----------
        transform : callable
            Takes the X of a block and returns the same number of rows: for example the method ``transform`` of a
            *fitted* scikit-learn transformer. For Parquet files and Dask DataFrames it gets a pandas DataFrame.

        Returns
        -------
        Blocks
            The transformed data.

        Raises
        ------
        TypeError
            If `transform` is not callable.
        """
        if not callable(transform):
            raise TypeError(f"transform must be a function of X, such as encoder.transform; got {transform!r}.")
        return replace(self, source=Mapped.of(self.source, transform))

    def on(self, executor: Any) -> Blocks:
        """The data, read by an executor instead of threads of this process.

        Parameters
        ----------
        executor : object or callable
            A `distributed.Client`; an executor with ``submit(function, *args)`` whose results have ``result()``, as in
            `concurrent.futures`; or a function that makes one for each pass, and a new one if a worker of the first was
            lost. None for threads of this process. A fitted model does not keep it.

        Returns
        -------
        Blocks
            The same data.

        Raises
        ------
        TypeError
            If `executor` is none of these.
        """
        if executor is not None and not (hasattr(executor, "submit") or callable(executor)):
            raise TypeError(
                f"executor must have a method submit, or be a function that returns such an executor; got {executor!r}."
            )
        return replace(self, executor=executor)

    def holding(self, rows: int) -> Blocks:
        """The data, with a limit for the number of rows that a fit keeps in memory (about).

        A sample of this number of rows is solved first; finally at most half this number, those near the fit, are
        solved exactly. If there are fewer rows in total, all are kept in memory and read once. A fit to n rows and p
        columns needs about ``sqrt(20 p n)`` rows, and more if many rows are fitted exactly or a few are far out in X.
        If fewer rows do not prove a fit to at most 2,000 rows, all of them are kept.

        Parameters
        ----------
        rows : int
            Number of rows.

        Returns
        -------
        Blocks
            The same data.

        Raises
        ------
        ValueError
            If `rows` is not an integer >= 1.
        """
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise ValueError(f"rows must be an integer >= 1, got {rows!r}.")
        return replace(self, n_held=rows)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.source.n_blocks)

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features, if the source has them."""
        names: Sequence[str] | None = getattr(self.source, "feature_names", None)
        return None if names is None else list(names)

    def name(self, k: int) -> str:
        """The name of block k in errors.

        Parameters
        ----------
        k : int
            Number of the block.

        Returns
        -------
        str
            Its name.
        """
        return str(self.source.name(k))

    def rows(self, k: int) -> int | None:
        """Number of rows of block k; None if it is not known before the block is read.

        Parameters
        ----------
        k : int
            Number of the block.

        Returns
        -------
        int or None
            Its number of rows.
        """
        source: Source = self.source
        return known_rows(source, k)

    def load(self, k: int) -> Any:
        """X, y and weights (or None) of block k, as the source gives them.

        Parameters
        ----------
        k : int
            Number of the block.

        Returns
        -------
        tuple
            X, y and, if the source has them, weights.
        """
        return self.source.load(k)


def parquet(
    paths: Any,
    *,
    target: str,
    weight: str | None = None,
    columns: Sequence[str] | None = None,
    filter: Any = None,  # noqa: A002 - the name that pyarrow has for it
    missing: Literal["error", "drop"] = "error",
) -> Blocks:
    """Parquet files, one block for each row group.

    Files are read by `pyarrow` (``pip install 'ladreg[parquet]'``). For columns that are not numbers use a transformer:
    see `Blocks.map`. If the size or modification time of a file changes after this call, a fit raises an error.

    Parameters
    ----------
    paths : str, path, list of these, or pyarrow.dataset.Dataset
        Files, directories, or patterns such as ``"sales/*.parquet"``, whose files are sorted.
    target : str
        Name of the target's column.
    weight : str, default=None
        Name of the column of sample weights.
    columns : list of str, default=None
        Names of the features; None for all columns but target and weight.
    filter : pyarrow.compute.Expression, default=None
        Rows to read, such as ``pyarrow.compute.field("year") >= 2020``.
    missing : {"error", "drop"}, default="error"
        Whether a missing value raises an error, or its row is dropped.

    Returns
    -------
    Blocks
        The data.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    FileNotFoundError
        If no file matches.
    ValueError
        If there is no such column, or nothing to read.
    BlockError
        If a file cannot be read.

    Examples
    --------
    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> import pandas as pd
    >>> from ladreg import blocks
    >>> folder = tempfile.TemporaryDirectory()
    >>> for year in (2024, 2025):
    ...     table = pd.DataFrame({"size": np.arange(50.0), "price": 3.0 * np.arange(50.0) + year})
    ...     table.to_parquet(os.path.join(folder.name, f"{year}.parquet"), row_group_size=25)
    >>> data = blocks.parquet(os.path.join(folder.name, "*.parquet"), target="price")
    >>> data.n_blocks, data.feature_names, data.rows(0)
    (4, ['size'], 25)
    >>> folder.cleanup()
    """
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(map(repr, MISSING))}; got {missing!r}.")
    return Blocks(Parquet(paths, target, weight, columns, filter, missing))


def arrays(X: Any, y: Any, w: Any = None, *, rows: int = 100_000) -> Blocks:
    """Arrays that can be sliced, in blocks of `rows` rows: NumPy memory maps, Zarr arrays, HDF5 datasets.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Features. A memory map is sent to other processes as a file name; an array in memory is copied to them.
    y : array-like of shape (n_samples,)
        Targets.
    w : array-like of shape (n_samples,), default=None
        Sample weights.
    rows : int, default=100_000
        Rows per block; for chunked storage use a multiple of the rows per chunk.

    Returns
    -------
    Blocks
        The data.

    Raises
    ------
    TypeError
        If an array has no shape or takes no slices.
    ValueError
        If lengths differ, there are no rows, or `rows` is not an integer >= 1.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import blocks
    >>> data = blocks.arrays(np.zeros((250, 3)), np.zeros(250), rows=100)
    >>> [data.rows(k) for k in range(data.n_blocks)]
    [100, 100, 50]
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ValueError(f"rows must be an integer >= 1, got {rows!r}.")
    return Blocks(as_source(X, y, w, rows))


def iterable(batches: Callable[[], Iterable[Any]]) -> Blocks:
    """Batches of rows, one block for each.

    They are read in order, by this process. A fit reads them several times, and once more to count the rows.

    Parameters
    ----------
    batches : callable
        Returns an iterable of ``(X, y)`` or ``(X, y, weights)``, the same at each call: for example a generator
        function.

    Returns
    -------
    Blocks
        The data.

    Raises
    ------
    TypeError
        If `batches` is not callable, for example an iterator, which can be read only once.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import blocks
    >>> def batches():
    ...     for seed in range(3):
    ...         X = np.random.default_rng(seed).standard_normal((10, 2))
    ...         yield X, X.sum(axis=1)
    >>> blocks.iterable(batches).n_blocks
    3
    """
    if not callable(batches):
        raise TypeError(
            f"batches must be a function that returns new batches at each call, got {type(batches).__name__}: an "
            "iterator can be read only once."
        )
    return Blocks(Batches(batches))
