"""The solutions of a range of alphas or quantiles of which a walk found no vertex that is proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver
from ladreg._tolerances import PROVED_GAP

# A range is divided at most 12 times: more than 4,000 knots in it are left to the gaps.
_DIVISIONS = 12


def pieces(
    posed: Callable[[float], Problem],
    begin: float,
    end: float,
    settings: Settings,
    solve: Solver,
    start: Coefficients | None,
) -> list[tuple[float, Solution]]:
    """The solutions between two values, each with the value where it ends.

    Parameters
    ----------
    posed
        The problem at a value, on which the objective of given coefficients depends linearly.
    begin, end
        The ends of the range.
    settings, solve, start
        For single problems; the first may be solved from `start`.

    Notes
    -----
    The optimum is concave in the value, so that what is optimal at both ends is so between them. Two different
    solutions have equal objectives at one value, where either both are optimal, and the range has one knot, or a third
    one is, which divides it (Eisner and Severance 1976, doi 10.1145/321978.321982).
    """
    first, last = solve(posed(begin), settings, start), solve(posed(end), settings)
    found = _Between(posed, settings, solve).of(begin, end, first, last, _DIVISIONS)
    return [(value, solved_alone(solution)) for value, solution in found]


def solved_alone(solution: Solution) -> Solution:
    """The solution, counted as one that a walk did not find."""
    return replace(solution, stats={**solution.stats, "solved_alone": 1})


@dataclass(frozen=True)
class _Between:
    """How ranges are divided."""

    posed: Callable[[float], Problem]
    settings: Settings
    solve: Solver

    def _value(self, solution: Solution, at: float) -> float:
        return self.posed(at).objective(solution.coef, solution.intercept)

    def of(
        self, begin: float, end: float, first: Solution, last: Solution, divisions: int
    ) -> list[tuple[float, Solution]]:
        """The solutions between two values, of which those at the ends are given."""
        too_late = self._value(first, end) - last.objective
        too_early = self._value(last, begin) - first.objective
        if too_late <= PROVED_GAP * last.objective:
            return [(end, first)]
        if too_early <= PROVED_GAP * first.objective:
            return [(end, last)]
        middle = begin + too_early / (too_early + too_late) * (end - begin)
        third, value = self.solve(self.posed(middle), self.settings), self._value(first, middle)
        missed = value - third.objective
        if missed <= PROVED_GAP * value or divisions == 0:
            return [(middle, _with_gap(first, missed, value)), (end, _with_gap(last, missed, value))]
        before = self.of(begin, middle, first, third, divisions - 1)
        return before + self.of(middle, end, third, last, divisions - 1)


def _with_gap(solution: Solution, gap: float, value: float) -> Solution:
    """The solution with a gap that is at least as large as the one given, for an objective of `value`."""
    return replace(
        solution, gap=max(solution.gap, gap), relative_gap=max(solution.relative_gap, gap / value if value > 0 else 0.0)
    )
