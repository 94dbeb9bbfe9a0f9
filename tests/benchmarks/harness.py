"""Times rivals in turn in one process, and judges every answer by the same objective and certificate."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sklearn
import threadpoolctl

from ladreg._problem import Problem

# A fit that takes longer than this many seconds is timed once.
_SLOW = 2.0
# Seconds of rest before each fit: thread pools of the rival before spin on, which was measured to cost the next one as
# much again as its own work.
_REST = 0.2
# Seconds for what is not counted, in a process of its own, and its bytes of address space.
_WAIT, _MEMORY = 15.0, 16 << 30


@dataclass(frozen=True)
class Rival:
    """A name, a function from (X, y) to (coef, intercept), and the most entries of X that are worth waiting for.

    A function that times itself, since it runs elsewhere, returns its seconds as a third value.
    """

    name: str
    fit: Callable
    limit: float = np.inf


@dataclass(frozen=True)
class Row:
    """One line of the table: median seconds, and the excess over the best objective known."""

    problem: str
    rival: str
    seconds: float
    objective: float


def timed(rival: Rival, X: np.ndarray, y: np.ndarray) -> tuple[float, tuple]:
    """Seconds and answer of one fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        time.sleep(_REST)
        begin = time.perf_counter()
        coef, intercept, *own = rival.fit(X, y)
        elapsed = time.perf_counter() - begin
    return (own[0] if own else elapsed), (coef, intercept)


def run(name: str, problem: Problem, rivals: list[Rival], repeats: int) -> list[Row]:
    """Fit every rival once, and those that are quick `repeats` times more, in turn.

    In turn, so that a drift of the machine's speed meets all of them. A slow one is timed once; one that raises stands
    in the table without time.
    """
    X, y = problem.design.X, problem.y
    seconds: dict[str, list[float]] = {}
    objectives: dict[str, float] = {}
    chosen = [rival for rival in rivals if X.size <= rival.limit]
    for rival in chosen:
        try:
            elapsed, answer = timed(rival, X, y)
        except Exception as error:
            print(f"{name}: {rival.name} failed: {error!r}", file=sys.stderr)
            seconds[rival.name], objectives[rival.name] = [np.nan], np.nan
            continue
        seconds[rival.name], objectives[rival.name] = [elapsed], problem.objective(*answer)
    quick = [rival for rival in chosen if seconds[rival.name][0] < _SLOW]
    for repeat in range(repeats):
        for rival in quick:
            try:
                elapsed, _ = timed(rival, X, y)
            except Exception as error:  # a random one may fail now and then
                print(f"{name}: {rival.name} failed: {error!r}", file=sys.stderr)
                continue
            seconds[rival.name] = seconds[rival.name] * (repeat > 0) + [elapsed]  # the first was a warm-up
    return [Row(name, rival.name, float(np.median(seconds[rival.name])), objectives[rival.name]) for rival in chosen]


def alone(work: Callable, limit: float) -> tuple[object, bool]:
    """The last that `work(send)` sent, from a process of its own, and whether it ended.

    Compiled code cannot be interrupted: who sends nothing for longer than the limit is stopped from outside.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(work, sender))
    child.start()
    sender.close()
    latest, ended = None, False
    try:
        while receiver.poll(limit + _WAIT):
            latest = receiver.recv()
    except EOFError:
        child.join()
        ended = True
    finally:
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)  # with R, if it runs
            child.join()
    return latest, ended


def _work(work, sender):
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    work(sender.send)
    sender.close()


HEAD = "| problem | solver | seconds | time / ours | objective above the best |\n|---|---|---|---|---|"
SUMMARY = (
    "| problem | ladreg, s | fastest exact peer | time / ours | other solvers, time / ours (excess) |\n"
    "|---|---|---|---|---|"
)
# A solver is exact if its objective is at most this part of it above the best.
EXACT = 1e-9


def heading(name: str, head: str) -> None:
    """Print the head of a table behind the comment by which `tests.benchmarks.page` knows it."""
    print(f"\n<!-- table: {name} -->\n{head}", flush=True)


def table(rows: list[Row], reference: str) -> str:
    """Lines of Markdown for one problem: times as ratios to `reference`, which ran beside the others."""
    ours = next(row.seconds for row in rows if row.rival == reference)
    return "\n".join(
        f"| {row.problem} | {row.rival} | {row.seconds:.4f} | {row.seconds / ours:.2f} | {shown(excess)} |"
        for row, excess in zip(rows, excesses(rows), strict=True)
    )


def summary(rows: list[Row]) -> str:
    """The line of `SUMMARY` for one problem, whose first row is ours: the fastest exact peer, then the others."""
    return summarised(rows[0].problem, [row.rival for row in rows], [row.seconds for row in rows], excesses(rows))


def summarised(problem: str, rivals: list[str], seconds: list[float], excess: list[float]) -> str:
    """`summary` of names, seconds and excesses, ours first."""
    ratio = [one / seconds[0] for one in seconds]
    times = [f"{one:.2g}" if one < 10 else f"{one:,.0f}" for one in ratio]
    order = sorted(range(1, len(rivals)), key=lambda k: ratio[k])
    best = next((k for k in order if excess[k] <= EXACT), 0)
    others = ", ".join(f"{rivals[k]} {times[k]} ({shown(excess[k])})" for k in order if k != best)
    first = f"{rivals[best]} | {times[best]}" if best else "none | -"
    return f"| {problem} | {seconds[0]:.3g} | {first} | {others} |"


def excesses(rows: list[Row]) -> list[float]:
    """The objective of each row above the best of them, as a part of that."""
    best = np.nanmin([row.objective for row in rows])
    return [(row.objective - best) / best for row in rows]


def shown(excess: float) -> str:
    """An excess for a table; 0 where it is rounding."""
    return "failed" if np.isnan(excess) else "0" if excess < 1e-14 else f"{excess:.0e}"


def machine() -> str:
    """What the times were taken on."""
    threads = max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)
    return (
        f"{platform.machine()}, {threads} BLAS threads, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}"
    )
