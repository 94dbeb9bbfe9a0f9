"""Times rivals in turn in one process, and judges every answer by the same objective and certificate."""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sklearn
import threadpoolctl

from ladreg._problem import Problem


@dataclass(frozen=True)
class Rival:
    """A name, a function from (X, y) to (coef, intercept), and the most rows that are worth waiting for."""

    name: str
    fit: Callable
    limit: int = 10**9


@dataclass(frozen=True)
class Row:
    """One line of the table: median seconds, and the excess over the best objective known."""

    problem: str
    rival: str
    seconds: float
    objective: float


def run(name: str, problem: Problem, rivals: list[Rival], repeats: int) -> list[Row]:
    """Fit every rival `repeats` times, in turn, so that a drift of the machine's speed meets all of them."""
    X, y = problem.design.X, problem.y
    chosen = [rival for rival in rivals if problem.n_samples <= rival.limit]
    seconds: dict[str, list[float]] = {rival.name: [] for rival in chosen}
    answers = {}
    for repeat in range(repeats + 1):
        for rival in chosen:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                begin = time.perf_counter()
                answers[rival.name] = rival.fit(X, y)
                if repeat:  # the first round warms up
                    seconds[rival.name].append(time.perf_counter() - begin)
    return [
        Row(name, rival.name, float(np.median(seconds[rival.name])), problem.objective(*answers[rival.name]))
        for rival in chosen
    ]


def table(rows: list[Row], reference: str) -> str:
    """Markdown: times as ratios to `reference`, which ran beside the others."""
    lines = ["| problem | solver | seconds | time / ours | objective above the best |", "|---|---|---|---|---|"]
    for row in rows:
        beside = [other for other in rows if other.problem == row.problem]
        ours = next(other.seconds for other in beside if other.rival == reference)
        best = min(other.objective for other in beside)
        excess = (row.objective - best) / best
        shown = "0" if excess < 1e-14 else f"{excess:.0e}"
        lines.append(f"| {row.problem} | {row.rival} | {row.seconds:.4f} | {row.seconds / ours:.2f} | {shown} |")
    return "\n".join(lines)


def machine() -> str:
    """What the times were taken on."""
    threads = max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=1)
    return (
        f"{platform.machine()}, {threads} BLAS threads, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, scikit-learn {sklearn.__version__}"
    )
