"""Blocks of rows that are read again and again: their sources, and the passes over them."""

from ladreg._row_blocks.dask_collections import DaskRows, is_dask
from ladreg._row_blocks.in_memory import Batches, as_source
from ladreg._row_blocks.parquet import MISSING, Parquet
from ladreg._row_blocks.passes import Passes, Place, passes_within
from ladreg._row_blocks.source import BlockError, Mapped, Rows, Source, is_source, known_rows
from ladreg._row_blocks.summary import Summary, merged, picked, stacked

# Rows that a fit holds in memory at most, by default: 42 MB for 20 columns.
HELD = 1 << 18

__all__ = [
    "HELD",
    "MISSING",
    "Batches",
    "BlockError",
    "DaskRows",
    "Mapped",
    "Parquet",
    "Passes",
    "Place",
    "Rows",
    "Source",
    "Summary",
    "as_source",
    "is_dask",
    "is_source",
    "known_rows",
    "merged",
    "passes_within",
    "picked",
    "stacked",
]
