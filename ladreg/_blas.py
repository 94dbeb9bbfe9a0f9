"""The threads of the BLAS libraries of this process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def n_threads() -> int:
    """The largest number of threads of any of them, 1 without one.

    Other packages bring a BLAS without threads, so that the smallest number would tell nothing.
    """
    return max((library.num_threads for library in _libraries().lib_controllers), default=1)


def single_thread() -> AbstractContextManager[Any]:
    """One thread while the context lasts: with others BLAS sums in another order."""
    limits: AbstractContextManager[Any] = _libraries().limit(limits=1)
    return limits


@cache
def _libraries() -> Any:
    return ThreadpoolController().select(user_api="blas")
