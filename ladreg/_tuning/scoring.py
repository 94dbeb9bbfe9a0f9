"""Scores of held-out rows by one of scikit-learn's scorers, in the place of the loss that the fits minimise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sklearn.base import clone

from ladreg._arrays import Array, Index
from ladreg._estimators import CertifiedRegressor

Scorer = Callable[..., float]


def checked_scorer(scoring: Any) -> Scorer:
    """The scorer of that name, or the function that is given; a ValueError for anything else."""
    # Imported here, as splitters are.
    from sklearn.metrics import get_scorer

    remedy = "must be None, the name of one of scikit-learn's scorers or a function (estimator, X, y) -> score"
    if isinstance(scoring, str):
        try:
            found: Scorer = get_scorer(scoring)
        except ValueError:
            raise ValueError(
                f"scoring {remedy}, got {scoring!r}: sklearn.metrics.get_scorer_names() lists the names."
            ) from None
        return found
    if not callable(scoring):
        raise ValueError(f"scoring {remedy}, got {scoring!r}.")
    if getattr(scoring, "__module__", "").startswith("sklearn.metrics.") and inspect.isfunction(scoring):
        raise ValueError(
            f"scoring {remedy}, got the metric {scoring.__name__}: make it a scorer by sklearn.metrics.make_scorer."
        )
    return cast(Scorer, scoring)


@dataclass(frozen=True)
class Scores:
    """A scorer, and the rows that it is asked about: X as it was given, one target, and what it takes for each row."""

    scorer: Scorer
    X: Any
    y: Array
    others: dict[str, Any]

    @classmethod
    def of(cls, scorer: Scorer, X: Any, y: Array, others: dict[str, Any]) -> Scores:
        """The scorer with the rows of X; a ValueError if it takes no weights and there are some."""
        given = {name: value for name, value in others.items() if value is not None}
        if "sample_weight" in given and not _takes(scorer, "sample_weight"):
            raise ValueError(
                f"scoring must take sample_weight if weights are given, got {scorer!r}: add this parameter to it, or "
                "pass no weights."
            )
        return cls(scorer, X.tocsr() if hasattr(X, "tocsr") else X, y, given)

    def along(self, model: CertifiedRegressor, rows: Index, alphas: Array, coefs: Array, intercepts: Array) -> Array:
        """The score of each of several fits, the columns of `coefs`, on some of the rows."""
        fitted: Any = clone(model)
        fitted.n_features_in_ = coefs.shape[0]
        if hasattr(self.X, "columns"):
            fitted.feature_names_in_ = np.asarray(self.X.columns, dtype=object)
        part, y = rows_of(self.X, rows), self.y[rows]
        others = {name: rows_of(value, rows) if np.ndim(value) else value for name, value in self.others.items()}
        scores = np.empty(alphas.size)
        for k, alpha in enumerate(alphas.tolist()):
            fitted.alpha, fitted.coef_, fitted.intercept_ = alpha, coefs[:, k].copy(), intercepts[k]
            scores[k] = self.scorer(fitted, part, y, **others)
            if not np.isfinite(scores[k]):
                raise ValueError(
                    f"scoring must return finite numbers, got {scores[k]} for {rows.size} held-out rows at "
                    f"alpha={alpha:.6g}: choose another scorer, or larger folds."
                )
        return scores


def _takes(scorer: Scorer, name: str) -> bool:
    """Whether a scorer has a parameter of this name, or takes any."""
    parameters = inspect.signature(scorer).parameters.values()
    return any(one.name == name or one.kind is one.VAR_KEYWORD for one in parameters)


def rows_of(values: Any, rows: Index) -> Any:
    """The chosen rows of an array, a sparse matrix, a list or a data frame."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if isinstance(values, list | tuple):
        return [values[row] for row in rows]
    return values[rows]
