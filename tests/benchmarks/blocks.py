"""A fit to Parquet files larger than memory: passes, peak of memory, and time in units of one read of the files.

``python -m tests.benchmarks.blocks FOLDER --rows 20000000 --columns 20 --limit 1200`` makes the files where the folder
has none, limits the process to 1,200 MB of address space beyond its own, and fits them. Run by hand: the files take
8 bytes per number.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from ladreg import LADRegressor, blocks

# What a fit may take: reads of the files, memory of this process, and the part of the objective that is not proved.
PASSES, MEGABYTES, GAP = 4, 600, 1e-12


def make(folder, n_rows, n_columns, n_files=40):
    """Files of normal columns with targets whose errors have Student's t distribution with two degrees of freedom."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(n_files):
        rng = np.random.default_rng(k)
        X = rng.standard_normal((n_rows // n_files, n_columns))
        y = X @ np.linspace(-1.0, 1.0, n_columns) + rng.standard_t(2, X.shape[0])
        table = pa.table({**{f"x{j}": column for j, column in enumerate(X.T)}, "y": y})
        pq.write_table(
            table, folder / f"{k:03}.parquet", row_group_size=125_000, compression=None, use_dictionary=False
        )


def read_once(data):
    """Wall and processor seconds of loading each block, one after the other."""
    began, used = time.perf_counter(), time.process_time()
    for k in range(data.n_blocks):
        data.load(k)
    return time.perf_counter() - began, time.process_time() - used


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--limit", type=int, default=0, help="megabytes of addresses, 0 for no limit")
    options = parser.parse_args()
    if not any(options.folder.glob("*.parquet")):  # in a process of its own, whose peak is not that of the fit
        maker = get_context("spawn").Process(target=make, args=(options.folder, options.rows, options.columns))
        maker.start()
        maker.join()
    if options.limit:
        pages = int(Path("/proc/self/statm").read_text().split()[0])  # of the modules that were imported
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (options.limit << 20),) * 2)
    data = blocks.parquet(options.folder / "*.parquet", target="y")
    wall, used = read_once(data)
    began, before = time.perf_counter(), time.process_time()
    model = LADRegressor().fit(data)
    fit_wall, fit_used = time.perf_counter() - began, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"passes {model.n_passes_}, peak {peak:.0f} MB")
    print(
        f"wall {fit_wall:.1f} s, {fit_wall / wall:.1f} reads; processor {fit_used:.1f} s, {fit_used / used:.1f} reads"
    )
    print(model.certificate_)
    return int(model.n_passes_ > PASSES or peak > MEGABYTES or model.certificate_.relative_gap > GAP)


if __name__ == "__main__":
    sys.exit(main())
