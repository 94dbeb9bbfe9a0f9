"""What a solver is told besides the problem, and what it gives back: the contracts of all solvers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeVar, cast

from ladreg._problem.problem import Problem
from ladreg._problem.solution import Coefficients, Solution, Uncertified

_Tuning = TypeVar("_Tuning")
_Number = TypeVar("_Number", int, float)


def number(default: _Number, least: _Number, most: _Number) -> _Number:
    """A field of a tuning record: its default, and the range in which solvers find the same optimum."""
    made: Any = field(default=default, metadata={"least": least, "most": most})
    return made


@cache
def _usual(kind: Any) -> Any:
    """The tuning record of this class with the default numbers."""
    return kind()


@dataclass(frozen=True)
class Settings:
    """How to solve a problem.

    Attributes
    ----------
    tol
        Relative gap that a solution must reach. For the squared loss it is relative to ``sum(weight * (y - mean)^2)``,
        or, along a path, to each objective.
    max_iter
        Iteration limit of the engine; None for the engine's default.
    solver
        "auto", or "linprog" for the LP solver on the whole problem, where the loss is piecewise linear.
    options
        Options of `scipy.optimize.linprog`; the key "method" chooses its method.
    precompute
        For the squared loss: True for the Gram matrix of all features, False for working sets, None to choose.
    tuning
        Records of numbers that decide how fast an engine is, not what it finds; an engine without one here has its own.
    """

    tol: float = 1e-9
    max_iter: int | None = None
    solver: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    precompute: bool | None = None
    tuning: tuple[object, ...] = ()

    def limit(self, default: int) -> int:
        """The iteration limit, for an engine with this default."""
        return default if self.max_iter is None else self.max_iter

    def tuned(self, kind: type[_Tuning]) -> _Tuning:
        """The tuning record of this class: the one given, or one with the default numbers."""
        given = next((record for record in self.tuning if isinstance(record, kind)), None)
        return given or _usual(cast(Hashable, kind))


class Solver(Protocol):
    """Solves a problem in the user's units; the solution is certified on that problem."""

    def __call__(self, problem: Problem, settings: Settings, start: Coefficients | None = None) -> Solution:
        """Solve `problem`, from `start` if that helps."""


class Engine(Protocol):
    """Solves a problem at unit scale; whoever called it certifies the answer."""

    def __call__(self, problem: Problem, settings: Settings, start: Coefficients | None = None) -> Uncertified:
        """Solve `problem`, from `start` if that helps."""
