"""What the functions share that return paths: checks, one path for each target, progress, and arrays in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array, MatrixLike
from ladreg._estimators import (
    NO_BLOCKS,
    CertifiedRegressor,
    any_size,
    are_blocks,
    check_count,
    check_flag,
    check_real,
    root_task,
    subtasks,
    task,
    training_data,
    with_callbacks,
)
from ladreg._paths import Path, Ranges, last_alpha, path_of_knots, solve_path
from ladreg._problem import Problem
from ladreg._tuning.candidates import alpha_grid, check_not_empty, checked_alphas, together, warn_of
from ladreg._tuning.targets import stacked, targets_of

Model = TypeVar("Model", bound=CertifiedRegressor)

Tell = Callable[[Path, int], None]


@dataclass(frozen=True)
class Asked:
    """What a path function is asked besides the model and the data.

    Attributes
    ----------
    alphas, eps, max_features, alpha_per_target, verbose
        As the functions document them.
    knots : bool
        Whether all solutions are wanted instead of a grid.
    """

    alphas: Any
    eps: float
    max_features: int | None
    alpha_per_target: bool
    verbose: bool | int
    knots: bool = False

    def check(self) -> None:
        """Raise a ValueError for what makes no sense."""
        checked_alphas(self.alphas)
        check_real("eps", self.eps, low=0.0, open_ends=True)
        check_count("max_features", self.max_features, optional=True)
        check_flag("alpha_per_target", self.alpha_per_target)


@dataclass(frozen=True)
class FoundPaths:
    """The paths of all targets as arrays: of one target as `Path` has them, of several with a first axis for targets.

    If the targets have the same alphas, these have no such axis.
    """

    alphas: Array
    coef: Array
    intercept: Array
    gap: Array
    n_iter: list[Any]

    @classmethod
    def of(cls, paths: Sequence[Path], *, single: bool, shared: bool) -> FoundPaths:
        """From one path for each target."""
        first = paths[0]
        if single:
            return cls(first.alphas, first.coef, first.intercept, first.gap, first.n_iter.tolist())
        return cls(
            first.alphas if shared else stacked([path.alphas for path in paths]),
            stacked([path.coef for path in paths]),
            stacked([path.intercept for path in paths]),
            stacked([path.gap for path in paths]),
            [path.n_iter.tolist() for path in paths],
        )


def watched(model: Model, callbacks: Any) -> Model:
    """The model with these callbacks; a ValueError if they are none, or if scikit-learn has none."""
    if callbacks is None:
        return model
    wrong = f"callbacks must be None or a list of callbacks as scikit-learn has them, got {callbacks!r}"
    set_callbacks: Any = getattr(model, "set_callbacks", None)
    if set_callbacks is None:
        raise ValueError(f"{wrong}: it has them from version 1.9 on.")
    if not isinstance(callbacks, list | tuple):
        raise ValueError(f"{wrong}.")
    try:
        set_callbacks(*callbacks)
    except TypeError as error:
        raise ValueError(f"{wrong}: {error}") from None
    return model


@with_callbacks  # type: ignore[untyped-decorator]
def paths_of(model: CertifiedRegressor, X: Any, y: Any, sample_weight: ArrayLike | None, asked: Asked) -> FoundPaths:
    """The paths of a plain estimator, its parameters and data checked; each alpha is a task of its callbacks."""
    model._check_parameters()
    asked.check()
    problems = problems_of(model, X, y, sample_weight)
    shared = len(problems) > 1 and not asked.alpha_per_target
    groups = [problems] if shared else [[problem] for problem in problems]
    with any_size():
        ends = [_end(group, asked) for group in groups]
        number = 0 if asked.knots else sum(end.size * len(group) for group, end in zip(groups, ends, strict=True))
        context = root_task(model, number, "path")
        tasks = iter(subtasks(context, "alpha", number) if hasattr(model, "_skl_callbacks") else [])
        targets = np.asarray(y).T if len(problems) > 1 else [y]
        told = iter([_told(model, tasks, X, target) for target in targets])
        with task(context, model, X=X, y=y):
            found = [_solved(model, group, end, asked, told) for group, end in zip(groups, ends, strict=True)]
    paths = [path for group in found for path in group]
    for k, path in enumerate(paths):
        warn_of(path, model.tol)
        _say(f"target {k}: " if len(paths) > 1 else "", path, asked.verbose)
    return FoundPaths.of(paths, single=len(paths) == 1, shared=shared)


def problems_of(
    model: CertifiedRegressor, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None, alpha: float = 1.0
) -> list[Problem]:
    """The problem of each target with this alpha in the place of the model's, the data checked."""
    if are_blocks(X):
        raise TypeError(NO_BLOCKS.format("A path"))
    parts = targets_of(training_data(model, X, y, sample_weight))
    with any_size():
        return [model._problems(part, model._scaled_penalty(part, alpha))[0] for part in parts]


def _say(name: str, path: Path, verbose: bool | int) -> None:
    """Print what was found, if `verbose`."""
    if verbose:
        print(f"{name}{path.alphas.size} alphas, largest gap {path.relative_gap.max():.3g} (relative)", flush=True)


def _end(problems: Sequence[Problem], asked: Asked) -> Any:
    """The alphas of some problems, or the last one if all knots are wanted."""
    return last_alpha(problems, asked.eps) if asked.knots else alpha_grid(problems, asked.alphas, asked.eps)


def _solved(
    model: CertifiedRegressor, problems: Sequence[Problem], end: Any, asked: Asked, told: Iterator[Tell | None]
) -> list[Path]:
    """The paths of some problems, which end together; `told` has what is called with the solutions of each."""
    settings, paths = model._settings(), []
    for problem in problems:
        if asked.knots:
            path = path_of_knots(problem, end, settings, asked.max_features)
        else:
            path = solve_path(problem, end, settings, asked.max_features, next(told))
        check_not_empty(path, asked.max_features)
        paths.append(path)
    if len(paths) == 1:
        return paths
    paths = [row[0] for row in together([[path] for path in paths], knots=asked.knots)]
    if not asked.knots:
        return paths
    ranges = Ranges.common(paths)
    return [replace(one.solutions(), alphas=one.ends, ends=None) for one in ranges]


def _told(model: CertifiedRegressor, tasks: Iterator[Any], X: Any, y: Any) -> Tell | None:
    """What tells the callbacks of each solution; None if there are none."""
    if not hasattr(model, "_skl_callbacks"):
        return None

    def tell(path: Path, k: int) -> None:
        def known() -> dict[str, Any]:
            coef, intercept = path.at(k)
            return {"coef_": coef.copy(), "intercept_": np.float64(intercept)}

        context = next(tasks)
        context.call_on_fit_task_begin(estimator=model, X=X, y=y)
        context.call_on_fit_task_end(estimator=model, X=X, y=y, reconstruction_attributes=known)

    return tell
