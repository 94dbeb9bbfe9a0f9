"""Training data in blocks of rows, and predictions for Dask's collections."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ladreg._arrays import Index
from ladreg._design import as_design
from ladreg._estimators.validation import Data
from ladreg._from_blocks import Survey, survey
from ladreg._row_blocks import HELD, DaskRows, Passes, is_dask, is_source


@dataclass
class BlockData:
    """Blocks of rows, and what is known of them: passes over them, their survey, the sample as `Data`."""

    passes: Passes
    seen: Survey
    sample: Data
    names: list[str] | None
    n_held: int

    @classmethod
    def surveyed(cls, X: Any, y: Any, sample_weight: Any) -> BlockData:
        """The data in blocks that the arguments of `fit` are, after one pass."""
        passes, n_held = opened(X, y, sample_weight)
        names = names_of(passes)
        return cls.of(passes, survey(passes, n_held, names), names, n_held)

    @classmethod
    def of(cls, passes: Passes, seen: Survey, names: list[str] | None, n_held: int) -> BlockData:
        """The data of a survey."""
        rows = seen.sample
        weight = np.ones(rows.y.size) if rows.weight is None else rows.weight / rows.weight.max()
        sample = Data(as_design(rows.X), rows.y[:, None], weight / weight.sum(), seen.dtype, single=True)
        return cls(passes, seen, sample, names, n_held)

    def name_features(self, estimator: Any) -> None:
        """Set what `validate_data` sets."""
        name_features(estimator, self.seen.n_features, self.names)

    def check_features(self, estimator: Any) -> None:
        """A ValueError unless the features are those of the fit."""
        check_features(estimator, self.seen.n_features, self.names)


def name_features(estimator: Any, n_features: int, names: list[str] | None) -> None:
    """Set what `validate_data` sets."""
    estimator.n_features_in_ = n_features
    estimator.__dict__.pop("feature_names_in_", None)
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)


def check_features(estimator: Any, n_features: int, names: list[str] | None) -> None:
    """A ValueError unless the features are those of the fit."""
    if n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and names is not None and list(known) != names:
        raise ValueError("The feature names should match those that were passed during fit.")


def are_blocks(X: Any) -> bool:
    """Whether X is data in blocks of rows: a source of blocks, or a collection of Dask."""
    return is_source(X) or is_dask(X)


def source_of(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, int]:
    """The source, its executor, and the number of rows that may be held."""
    if not is_source(X):
        if y is None:
            raise ValueError("y must be a Dask collection, like X, got None.")
        return DaskRows(X, y, sample_weight), None, HELD
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if values is not None:
            raise ValueError(f"{name} must be None for data in blocks, which contain targets and weights.")
    if hasattr(X, "source") and hasattr(X, "n_held"):
        return X.source, X.executor, X.n_held
    return X, None, HELD


def opened(X: Any, y: Any, sample_weight: Any) -> tuple[Passes, int]:
    """Passes over the data in blocks that the arguments of `fit` are, and the number of rows that may be held."""
    source, executor, n_held = source_of(X, y, sample_weight)
    return Passes(source, executor), n_held


def names_of(passes: Passes) -> list[str] | None:
    """The names of the features, if the source has them."""
    names: list[str] | None = getattr(passes.source, "feature_names", None)
    return None if names is None else [str(name) for name in names]


def splits_of(n_rows: int, held_out: Iterable[Index]) -> list[tuple[Index, Index]]:
    """The training and held-out rows of each fold, for the held-out ones."""
    return [(np.setdiff1d(np.arange(n_rows), rows), rows) for rows in held_out]


def lazily(predict: Callable[[Any], Any], X: Any, n_outputs: int | None) -> Any:
    """Predictions for a collection of Dask, of which nothing is computed; None outputs for a vector."""
    if hasattr(X, "to_dask_array"):
        predict, X = _Named(predict, [str(name) for name in X.columns]), X.to_dask_array()
    if X.ndim == 2 and X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    if n_outputs is None:
        return X.map_blocks(predict, dtype=np.float64, drop_axis=1)
    return X.map_blocks(predict, dtype=np.float64, chunks=(X.chunks[0], (n_outputs,)))


@dataclass(frozen=True)
class _Named:
    """Predicts for arrays whose columns have names."""

    predict: Callable[[Any], Any]
    names: list[str]

    def __call__(self, values: Any) -> Any:
        return self.predict(import_module("pandas").DataFrame(values, columns=self.names))
