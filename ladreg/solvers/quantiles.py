"""Many quantiles of the same data: each is solved from its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ladreg._problem import Problem, Solution

Array = NDArray[np.float64]


def solve(
    problems: Sequence[Problem],
    *,
    choose: Callable[[Problem], Callable[..., Solution]],
    tol: float,
    max_iter: int | None = None,
) -> list[Solution]:
    """Solve problems that differ in their loss, `Pinball`, only."""
    order = np.argsort([problem.loss.interval()[1] for problem in problems], kind="stable")
    found: dict[int, Solution] = {}
    start = None
    for place in order.tolist():
        problem = problems[place]
        found[place] = choose(problem)(problem, start=start, tol=tol, max_iter=max_iter)
        start = found[place].coef, found[place].intercept
    return [found[place] for place in range(len(problems))]
