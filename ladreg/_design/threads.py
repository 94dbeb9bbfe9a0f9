"""Blocks of rows read by several threads, their results in the order of the blocks: bits do not depend on who reads.

Threads are made for one pass, so that a forked child has none to wait for, and are not made inside other threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from ladreg._blas import n_threads as n_blas_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

# Numbers of a table from which threads pay: reading 2^22 numbers takes some milliseconds, making a thread 0.1.
_MANY = 1 << 22
# Blocks that wait for each thread, at most: their results are held until those of the blocks before are taken.
_WAITING = 4


def in_order(work: Callable[[Item], Result], items: Iterable[Item], n_numbers: int) -> Iterator[Result]:
    """``map(work, items)``, by several threads where the items have many numbers; `work` must release the GIL."""
    number = n_threads() if n_numbers >= _MANY else 1
    return map(work, items) if number == 1 else _by_threads(work, items, number)


def _by_threads(work: Callable[[Item], Result], items: Iterable[Item], number: int) -> Iterator[Result]:
    rest, waiting = iter(items), deque[Future[Result]]()
    pool = ThreadPoolExecutor(number, thread_name_prefix="ladreg")
    try:
        for item in islice(rest, _WAITING * number):
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
            for item in islice(rest, 1):
                waiting.append(pool.submit(work, item))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def n_threads() -> int:
    """The number of threads that may read: the number of BLAS's threads, and 1 inside any thread but the main one."""
    return n_blas_threads() if threading.current_thread() is threading.main_thread() else 1
