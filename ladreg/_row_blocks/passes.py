"""Passes over blocks of rows: one ordered sum per block, blocks in order within groups, groups in order.

The groups depend on the number of blocks alone. Whoever computes a group, when, and however often, the bits of the
total are the same.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import numpy as np

from ladreg._arrays import Index
from ladreg._blas import single_thread
from ladreg._row_blocks.source import BlockError, Rows, Source, known_rows, loaded
from ladreg._row_blocks.summary import Summary

_LOG = logging.getLogger("ladreg")
# Groups of blocks, at most: enough for a hundred workers to be busy, few enough for their summaries to be held.
_GROUPS = 64
# Rows per tile: temporary arrays stay in the cache, and malloc does not return memory of their size to the system.
TILE = 1 << 14
# Threads of the default engine, at most: each holds a block.
_THREADS = 4
# Lost workers that one pass survives: more are not chance, but a block that is too large for a worker.
_LOSSES = 3


class Place(NamedTuple):
    """Where a tile is: its block, the global number of its first row, and that row's number in the block."""

    block: int
    first: int
    offset: int
    name: str


Task = Callable[..., Summary]
# What a pass is done within, given its name: who fits says so, for the passes of all that it calls.
Around = Callable[[str], AbstractContextManager[None]]
_around: ContextVar[Around | None] = ContextVar("_around", default=None)


@contextmanager
def passes_within(around: Around) -> Iterator[None]:
    """Do each pass of the fits to come within a context, which is made of its name."""
    token = _around.set(around)
    try:
        yield
    finally:
        _around.reset(token)


@dataclass(frozen=True)
class Job:
    """One group of blocks in one pass.

    `task(place, rows, *common)` summarises a tile; None only counts.
    """

    label: str
    blocks: range
    first: Index | None
    task: Task | None
    common: tuple[Any, ...]
    checksums: bool

    def summarised(self, source_name: Callable[[int], str], k: int, rows: Rows) -> Summary:
        """The summary of block k."""
        total, n_rows = Summary(), int(rows.y.size)
        crc = zlib.crc32(rows.y.tobytes()) if self.checksums else 0
        total.checks.append((k, n_rows, crc))
        if self.task is None or self.first is None:
            return total
        i = k - self.blocks.start
        begin, expected = int(self.first[i]), int(self.first[i + 1] - self.first[i])
        if n_rows != expected:
            raise BlockError(f"{source_name(k)} has {n_rows} rows, and had {expected} before: the data changed.")
        for a in range(0, n_rows, TILE):
            b = min(a + TILE, n_rows)
            weight = None if rows.weight is None else rows.weight[a:b]
            place = Place(k, begin + a, a, source_name(k))
            total.add(self.task(place, Rows(rows.X[a:b], rows.y[a:b], weight), *self.common))
        return total


def work(source: Source, job: Job, stop: Event | None = None) -> Summary:
    """Sum of the summaries of the blocks of a job, in their order."""
    total = Summary()
    # Blocks are read side by side already. A pass begins with it in its own process as well, so that threads which end
    # do not give the others back to those that still work.
    with single_thread():
        for k in job.blocks:
            if stop is not None and stop.is_set():
                break
            total.add(job.summarised(source.name, k, loaded(source, k)))
    return total


class Passes:
    """The passes of one fit over the blocks of a source.

    Attributes
    ----------
    source, executor
        Where rows come from, and who loads them: None for threads of this process, anything with
        ``submit(function, *args)`` whose results have ``result()``, or a function without arguments that makes one.
    names
        The passes so far.
    first
        Global number of the first row of each block, and, last, the number of rows.
    """

    def __init__(self, source: Source, executor: Any = None) -> None:
        self.source, self.executor = source, executor
        self.names: list[str] = ["count"] * int(getattr(source, "n_counting_reads", 0))
        self._checks: dict[int, tuple[int, int]] = {}
        if source.n_blocks < 1:
            raise ValueError("The data have no blocks.")
        bounds = np.linspace(0, source.n_blocks, min(_GROUPS, source.n_blocks) + 1).astype(int).tolist()
        self._groups = [range(a, b) for a, b in pairwise(bounds)]
        sizes = [known_rows(source, k) for k in range(source.n_blocks)]
        self.first: Index = np.zeros(1, dtype=np.intp)
        if any(size is None for size in sizes):
            seen = self._total("count", None, ())
            sizes = [n_rows for _, n_rows, _ in seen.checks]
        self.first = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.intp))]).astype(np.intp)
        if self.n_rows == 0:
            raise ValueError(f"The data have no rows: all {source.n_blocks} blocks are empty.")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.first[-1])

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.source.n_blocks

    def total(self, name: str, task: Task, *common: Any) -> Summary:
        """One pass: the sum of ``task(place, rows, *common)`` over all tiles of all blocks."""
        return self._total(name, task, common)

    def _total(self, name: str, task: Task | None, common: tuple[Any, ...]) -> Summary:
        around = _around.get()
        with nullcontext() if around is None else around(name):
            return self._summed(name, task, common)

    def _summed(self, name: str, task: Task | None, common: tuple[Any, ...]) -> Summary:
        began = time.perf_counter()
        self.names.append(name)
        # Dask's dashboard groups tasks by the words that their keys begin with.
        label = f"ladreg-{name.replace('+', '-')}-{len(self.names)}-{uuid.uuid4().hex[:8]}"
        jobs = [self._job(label, group, task, common) for group in self._groups]
        run: Callable[[list[Job]], Iterator[Summary]] | None = getattr(self.source, "run", None)
        if run is not None and self.executor is not None:
            raise ValueError("An executor cannot read an iterable or a Dask collection: omit .on.")
        parts = run(jobs) if run is not None else _run(self.source, self.executor, jobs)
        total = Summary()
        with single_thread():
            for part in parts:
                total.add(part)
        self._compare(total.checks)
        _LOG.info("pass %d (%s): %d blocks, %.3g s", len(self.names), name, self.n_blocks, time.perf_counter() - began)
        return total

    def _job(self, label: str, group: range, task: Task | None, common: tuple[Any, ...]) -> Job:
        first = None if task is None else self.first[group.start : group.stop + 1]
        checksums = not getattr(self.source, "is_stamped", False)
        return Job(f"{label}-{group.start}", group, first, task, common, checksums)

    def _compare(self, checks: list[tuple[int, int, int]]) -> None:
        """An error that names the block whose rows or targets are not those of the first pass."""
        if [k for k, _, _ in checks] != list(range(self.n_blocks)):
            raise BlockError(f"{len(checks)} blocks were read, but there are {self.n_blocks}: the data changed.")
        for k, n_rows, crc in checks:
            if self._checks.setdefault(k, (n_rows, crc)) != (n_rows, crc):
                raise BlockError(f"{self.source.name(k)}: y changed during the fit.")


def _run(source: Source, executor: Any, jobs: list[Job]) -> Iterator[Summary]:
    """The summaries of the jobs in their order, by the engine that the executor is."""
    if executor is None:
        return _by_threads(source, jobs)
    if isinstance(executor, type):  # a class of executors makes them
        return _by_executor(source, executor(), jobs, executor)
    if hasattr(executor, "scheduler_info") and hasattr(executor, "submit"):
        return _by_client(source, executor, jobs)
    if hasattr(executor, "submit"):
        return _by_executor(source, executor, jobs, None)
    return _by_executor(source, executor(), jobs, executor)


def _by_threads(source: Source, jobs: list[Job]) -> Iterator[Summary]:
    """Threads of this process; a few jobs are begun ahead, so that few summaries wait."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    number = min(_THREADS, processors, len(jobs))
    stop, waiting = Event(), deque(jobs)
    with ThreadPoolExecutor(number, thread_name_prefix="ladreg") as pool:
        ahead = [waiting.popleft() for _ in range(min(number + 1, len(jobs)))]
        pending = deque(pool.submit(work, source, job, stop) for job in ahead)
        try:
            while pending:
                part = pending.popleft().result()
                if waiting:
                    pending.append(pool.submit(work, source, waiting.popleft(), stop))
                yield part
        finally:
            stop.set()
            for future in pending:
                future.cancel()


def _by_client(source: Source, client: Any, jobs: list[Job]) -> Iterator[Summary]:
    """Workers of a Dask cluster, which repeats the tasks of workers that are lost."""
    futures = [client.submit(work, source, job, key=job.label, pure=False) for job in jobs]
    for future in futures:
        try:
            part: Summary = future.result()
        except Exception as error:
            if not is_killed(error):
                raise
            # The tasks that waited where a worker died count as suspects too.
            suspects = [job for job, other in zip(jobs, futures, strict=True) if other.status == "error"]
            names = " or ".join(_span(source, [job]) for job in suspects)
            raise RuntimeError(f"workers died while they read {names}: {error}") from error
        yield part


def is_killed(error: Exception) -> bool:
    """Whether Dask has given up a task since its workers died."""
    return type(error).__name__ == "KilledWorker"


def _span(source: Source, jobs: list[Job]) -> str:
    """What the blocks of some jobs are called."""
    first, last = source.name(jobs[0].blocks[0]), source.name(jobs[-1].blocks[-1])
    return first if first == last else f"{first} to {last}"


def _by_executor(source: Source, pool: Any, jobs: list[Job], make: Callable[[], Any] | None) -> Iterator[Summary]:
    """Any executor; where a function `make` makes them, another one takes the place of one that lost a worker."""
    losses, done = 0, 0
    try:
        while done < len(jobs):
            try:
                futures = [pool.submit(work, source, job) for job in jobs[done:]]
                for future in futures:
                    part = future.result()
                    done += 1
                    yield part
            except BrokenExecutor as error:
                losses += 1
                what = f"a worker ended abruptly while workers read {_span(source, jobs[done:])}"
                if make is None:
                    raise RuntimeError(
                        f"{what}. Pass a function that makes executors to .on, so that a new one can replace it."
                    ) from error
                if losses > _LOSSES:
                    raise RuntimeError(
                        f"{what}, {losses} times in one pass: check that a block fits into the memory of a worker."
                    ) from error
                pool.shutdown(wait=False, cancel_futures=True)
                pool = make()
    finally:
        if make is not None:
            pool.shutdown(wait=True, cancel_futures=True)
