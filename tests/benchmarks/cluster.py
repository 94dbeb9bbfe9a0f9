"""Fits by a Dask cluster of two processes with a limit of memory, whose workers are killed: always the same bits.

``python -m tests.benchmarks.cluster FOLDER --rows 20000000 --limit 600`` makes the Parquet files of
`tests.benchmarks.blocks` where the folder has none, and fits them by this process, by the cluster, with one worker
killed in each pass, and with both killed in each pass. Run by hand.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import distributed

from ladreg import LADRegressor, blocks
from tests.benchmarks.blocks import make


class Deadly:
    """Blocks of another source; in each pass the first `kills` workers that read one of them are killed."""

    def __init__(self, source, folder, kills):
        self.source, self.folder, self.kills = source, folder, kills
        self.n_blocks, self.owner = source.n_blocks, os.getpid()

    def name(self, k):
        return self.source.name(k)

    def rows(self, k):
        return self.source.rows(k)

    def load(self, k):
        if os.getpid() != self.owner:
            _, name, number, *_ = str(distributed.get_worker().get_current_task()).split("-")
            for kill in range(self.kills):
                if self._is_first(f"{number}-{name}-{kill}"):
                    os.kill(os.getpid(), signal.SIGKILL)
        return self.source.load(k)

    def _is_first(self, mark):
        """Whether no process was killed for this mark, which it then is."""
        try:
            (self.folder / mark).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def peak():
    """The largest memory of this process so far, in MB; that of getrusage is inherited from the parent."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--limit", type=int, default=600, help="megabytes that each worker may have")
    options = parser.parse_args()
    if not any(options.folder.glob("*.parquet")):
        maker = get_context("spawn").Process(target=make, args=(options.folder, options.rows, 20))
        maker.start()
        maker.join()
    data = blocks.parquet(options.folder / "*.parquet", target="y")
    began = time.perf_counter()
    wanted = LADRegressor().fit(data)
    alone = time.perf_counter() - began
    print(f"this process: {wanted.n_passes_} passes, gap {wanted.dual_gap_:.2g}, {alone:.1f} s", flush=True)
    others = 0
    for kills in range(3):
        with (
            tempfile.TemporaryDirectory() as folder,
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, memory_limit=options.limit << 20, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            source = blocks.Blocks(Deadly(data.source, Path(folder), kills))
            began = time.perf_counter()
            model = LADRegressor().fit(source.on(client))
            taken = time.perf_counter() - began
            marks, peaks = sorted(path.name for path in Path(folder).iterdir()), client.run(peak)
        same = model.coef_.tobytes() == wanted.coef_.tobytes() and model.dual_gap_ == wanted.dual_gap_
        others += not same
        print(
            f"{kills} killed in each pass: {'same' if same else 'OTHER'} bits, {taken / alone:.1f} times as long, "
            f"peaks of the workers {sorted(peaks.values())} MB of {options.limit}, of this process {peak()} MB; "
            f"killed: {', '.join(marks) or 'none'}",
            flush=True,
        )
    return int(others > 0)


if __name__ == "__main__":
    sys.exit(main())
