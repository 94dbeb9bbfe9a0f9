"""The state of an estimator: coefficients in the dtype of X, all or nothing of a fit, and the version that saved it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._estimators.validation import Data
from ladreg._problem import ElasticNet, Problem
from ladreg._version import __version__

# Coefficients are rounded to float32 if that moves predictions by at most 1e-4 of the targets' median distance from
# their median, with the rounding errors of all terms taken as independent.
_HELD = 1e-4
# That median distance is computed from 10 000 to 20 000 targets, or from all if there are fewer.
_SAMPLE = 10_000


class all_or_nothing:  # noqa: N801 - used as a function
    """Restore the estimator if its fit ends with an exception, also with Ctrl-C."""

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.before = estimator, dict(vars(estimator))

    def __enter__(self) -> None:
        """Nothing is to be done yet."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Restore where there was an exception."""
        if kind is not None:
            self.estimator.__dict__ = self.before


def stored(data: Data, problems: list[Problem], coefs: Array, intercepts: Array) -> tuple[NDArray[Any], NDArray[Any]]:
    """Coefficients, one fit per row, and intercepts in the dtype of X, or in float64 if float32 cannot hold them.

    Float32 cannot hold them if a nonzero number would overflow or be denormal, if a prediction may overflow, or if
    rounding would move predictions by more than `_HELD` of the spread of the targets. `problems` has one entry per row,
    or one for all.
    """
    if data.dtype == np.float64:
        return coefs, intercepts
    limits = np.finfo(np.float32)
    sizes = np.abs(np.append(coefs, intercepts))
    if np.all((sizes == 0) | ((sizes >= limits.tiny) & (sizes <= limits.max))):
        total = np.hypot(np.linalg.norm(coefs * data.design.reach(), axis=1), intercepts)
        moved = 0.5 * float(limits.eps) * total
        held = moved <= _HELD * np.array([_spread(problem.y) for problem in problems])
        if np.all(held & (total <= 0.01 * float(limits.max))):  # sums of products stay finite
            rounded = _rounded(coefs, problems[0].penalty)
            return (coefs, intercepts) if rounded is None else (rounded, intercepts.astype(np.float32))
    return coefs, intercepts


def _rounded(coefs: Array, penalty: ElasticNet) -> NDArray[np.float32] | None:
    """Coefficients in float32, within their limits; None where float32 has no number between two limits."""
    rounded = coefs.astype(np.float32)
    if not penalty.limited:
        return rounded
    lower, upper = penalty.lower.astype(np.float32), penalty.upper.astype(np.float32)
    lower = np.where(lower < penalty.lower, np.nextafter(lower, np.float32(np.inf)), lower)
    upper = np.where(upper > penalty.upper, np.nextafter(upper, np.float32(-np.inf)), upper)
    return None if np.any(lower > upper) else np.clip(rounded, lower, upper)


def _spread(y: Array) -> float:
    """The median distance from the median of the targets that differ from it; |median| if all are equal."""
    sample = y[:: max(1, y.size // _SAMPLE)]
    middle = float(np.median(sample))
    distance = np.abs(sample - middle)
    return float(np.median(distance[distance > 0])) if distance.any() else abs(middle)


class Versioned:
    """An estimator that is saved with the version of ladreg; loading it with another version warns."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_ladreg_version": __version__}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_ladreg_version", __version__)
        if version != __version__:
            warnings.warn(
                f"{type(self).__name__} was saved by ladreg {version} and is loaded by ladreg {__version__}. Its "
                "coefficients and parameters are those that were saved; if an attribute is missing, fit the model "
                "again.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__({**self._parameters_before(), **state})  # type: ignore[misc]

    @classmethod
    def _parameters_before(cls) -> dict[str, Any]:
        """Values of the parameters that an estimator saved by an older version does not have."""
        parameters: dict[str, Any] = cls().get_params(deep=False)  # type: ignore[attr-defined]
        return parameters
