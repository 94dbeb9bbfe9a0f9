"""Row groups of Parquet files as blocks, read by pyarrow's datasets."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._optional import optional
from ladreg._row_blocks.source import BlockError

MISSING = ("error", "drop")


@dataclass(frozen=True)
class _File:
    """A file: where it is, how it is read, its size and time of change, and what its folder says of its rows.

    Not a fragment of pyarrow's, which has the statistics of all row groups: a scheduler keeps a copy for each task.
    """

    path: str
    format: Any
    filesystem: Any
    stamp: tuple[int, int | None]
    partition: Any

    @classmethod
    def of(cls, fragment: Any) -> _File:
        """The file of a fragment."""
        everywhere = optional("pyarrow.dataset", "parquet").scalar(True)
        partition = None if fragment.partition_expression.equals(everywhere) else fragment.partition_expression
        path, filesystem = fragment.path, fragment.filesystem
        return cls(path, fragment.format, filesystem, _stamp(filesystem, path), partition)

    @property
    def is_changed(self) -> bool:
        """Whether the file is no longer what it was."""
        return _stamp(self.filesystem, self.path) != self.stamp

    def row_group(self, number: int) -> Any:
        """The fragment of one row group."""
        given = () if self.partition is None else (self.partition,)
        return self.format.make_fragment(self.path, self.filesystem, *given, row_groups=[number])


@dataclass(frozen=True)
class _Unit:
    """One row group: its file, its number there, and its rows."""

    file: _File
    number: int
    n_rows: int

    @property
    def name(self) -> str:
        """What the row group is called."""
        return f"{self.file.path}, row group {self.number}"


class Parquet:
    """The row groups of Parquet files.

    Parameters
    ----------
    given
        Paths, a pattern, or a dataset of pyarrow.
    target, weight
        Names of columns.
    columns
        Names of the features; None for all columns but the target and the weight.
    filter
        An expression of pyarrow, or None.
    missing
        "error", or "drop" for rows without a value in a column that is used.
    """

    is_stamped = True

    def __init__(
        self,
        given: Any,
        target: str,
        weight: str | None,
        columns: Sequence[str] | None,
        filter: Any,  # noqa: A002 - the name that pyarrow has for it
        missing: str,
    ) -> None:
        dataset = _dataset(given)
        self.target, self.weight, self.filter, self.missing = target, weight, filter, missing
        self._schema = dataset.schema
        names = list(dataset.schema.names)
        used = [target, *([] if weight is None else [weight])]
        self.columns = [name for name in names if name not in used] if columns is None else list(columns)
        for name in [*used, *self.columns]:
            if name not in names:
                raise ValueError(f"There is no column {name!r}; the columns are {', '.join(map(repr, names))}.")
        if target in self.columns or weight in self.columns:
            raise ValueError("columns must contain only features, neither the target nor the weight.")
        if not self.columns:
            raise ValueError("There are no columns besides target and weight.")
        self._units = [unit for fragment in dataset.get_fragments() for unit in _units(fragment, filter)]
        if not self._units:
            raise ValueError("The files have no row group that passes the filter.")

    @property
    def n_blocks(self) -> int:
        """Number of row groups, without those that the filter excludes by their statistics."""
        return len(self._units)

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns."""
        return self.columns

    def name(self, k: int) -> str:
        """The file and row group of block k."""
        return self._units[k].name

    def rows(self, k: int) -> int | None:
        """Number of rows of block k; None where some may be left out."""
        return self._units[k].n_rows if self.filter is None and self.missing == "error" else None

    def load(self, k: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """Features as an array by columns, target and weight of block k."""
        table = self._table(k)
        for name in self.columns:
            kind = table.schema.field(name).type
            if not _is_number(kind):
                raise BlockError(
                    f"{self.name(k)}: column {name!r} has type {kind}, which is not a number. Leave it out of "
                    "columns, or pass a fitted transformer to .map."
                )
        single = all(str(table.schema.field(name).type) == "float" for name in self.columns)
        X = np.empty((table.num_rows, len(self.columns)), dtype=np.float32 if single else np.float64, order="F")
        for j, name in enumerate(self.columns):
            begin = 0
            for chunk in table[name].chunks:
                X[begin : begin + len(chunk), j] = chunk.to_numpy(zero_copy_only=False)
                begin += len(chunk)
        return X, *self._others(table)

    def frame(self, k: int) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
        """Features as a data frame of pandas, target and weight of block k."""
        optional("pandas", "parquet")
        table = self._table(k)
        return table.select(self.columns).to_pandas(), *self._others(table)

    def _others(self, table: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return _numbers(table[self.target]), None if self.weight is None else _numbers(table[self.weight])

    def _table(self, k: int) -> Any:
        """Block k without missing values."""
        unit = self._units[k]
        if unit.file.is_changed:
            raise BlockError(f"{unit.name}: the file has changed since it was first opened.")
        used = [*self.columns, self.target, *([] if self.weight is None else [self.weight])]
        table = unit.file.row_group(unit.number).to_table(
            schema=self._schema, columns=list(dict.fromkeys(used)), filter=self.filter, use_threads=False
        )
        holed = [name for name in used if table[name].null_count]
        if not holed:
            return table
        if self.missing == "drop":
            return table.drop_null()
        column = table[holed[0]]
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise BlockError(
            f"{unit.name}: column {holed[0]!r} has no value in row {row} ({column.null_count} of {table.num_rows} are "
            "missing). Fill them in, or pass missing='drop'."
        )


def _dataset(given: Any) -> Any:
    """The dataset of pyarrow that paths or a pattern stand for."""
    datasets = optional("pyarrow.dataset", "parquet")
    if isinstance(given, datasets.Dataset):
        return given
    paths = [os.fspath(path) for path in ([given] if isinstance(given, str | os.PathLike) else given)]
    found = [name for path in paths for name in (sorted(glob.glob(path)) if glob.has_magic(path) else [path])]
    if not found:
        raise FileNotFoundError(f"No file matches {', '.join(map(repr, paths))}.")
    if len(found) == 1:
        return datasets.dataset(found[0], format="parquet")
    return datasets.dataset(found, format="parquet")


def _units(fragment: Any, filter: Any) -> list[_Unit]:  # noqa: A002
    """The row groups of a file, but for those that the filter excludes."""
    try:
        parts, file = fragment.split_by_row_group(filter=filter), _File.of(fragment)
        return [_Unit(file, int(group.id), int(group.num_rows)) for part in parts for group in part.row_groups]
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise BlockError(f"{fragment.path} could not be read: {type(error).__name__}: {error}") from error


def _stamp(filesystem: Any, path: str) -> tuple[int, int | None]:
    """Size and time of change of a file."""
    info = filesystem.get_file_info(path)
    return int(info.size or 0), info.mtime_ns


def _is_number(kind: Any) -> bool:
    types = optional("pyarrow.types", "parquet")
    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _numbers(column: Any) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy()
    return values.astype(np.float64) if values.dtype.kind in "fiubO" else values
