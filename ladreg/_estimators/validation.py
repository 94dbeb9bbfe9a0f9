"""Checks of data and parameters: what passes is finite, float and of matching length."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Integral, Number, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from ladreg._arrays import TINY, Array, MatrixLike, constant, in_memory
from ladreg._design import Design, as_design
from ladreg._row_blocks import is_source
from ladreg._warn import warn_user

# Float64 holds all integers up to 2^53 in size.
_EXACT_INTEGERS = 2**53
# Methods of `scipy.optimize.linprog`.
_METHODS = ("highs", "highs-ds", "highs-ipm")
# Error message of estimators that need all rows in memory.
NO_BLOCKS = (
    "{} needs all rows in memory. For data in blocks use LADRegressor, QuantileRegressor, HuberLossRegressor, "
    "CombinedLossRegressor, LassoCD or ElasticNetCD, the classes that choose their alpha by cross-validation, such as "
    "LADRegressorCV, or LassoCDIC."
)


@dataclass(frozen=True)
class Data:
    """Checked training data.

    Attributes
    ----------
    design : Design
        X.
    Y : ndarray of shape (n_samples, n_targets)
        Targets in float64.
    weight : ndarray of shape (n_samples,)
        Sample weights divided by their sum.
    dtype : numpy dtype
        float32 or float64, as X came.
    single : bool
        Whether y was one-dimensional, or had one column.
    """

    design: Design
    Y: Array
    weight: Array
    dtype: np.dtype[Any]
    single: bool

    def deviations(self) -> Array:
        """The weighted standard deviation of each column, 1 where it is constant up to rounding."""
        return self.design.deviations(self.weight)


def check_real(name: str, value: Any, low: float = -np.inf, high: float = np.inf, *, open_ends: bool = False) -> None:
    """Raise a ValueError that names the parameter unless `value` is a finite number from `low` to `high`."""
    is_number = isinstance(value, Real) and value is not True and value is not False
    number = float(value) if is_number else np.nan
    if isfinite(number) and (low < number < high if open_ends else low <= number <= high):
        return
    if high < np.finfo(float).max:
        wanted = f"strictly between {low:g} and {high:g}" if open_ends else f"from {low:g} to {high:g}"
    else:
        wanted = f"{'> ' if open_ends else '>= '}{low:g}"
    raise ValueError(f"{name} must be a finite number {wanted}, got {value!r}.")


def check_count(name: str, value: Any, *, optional: bool = False) -> None:
    """Raise a ValueError that names the parameter unless `value` is an integer >= 1 (or None, if `optional`)."""
    if optional and value is None:
        return
    is_integer = isinstance(value, Integral) and value is not True
    if is_integer and int(value) >= 1:
        return
    raise ValueError(f"{name} must be {'None or ' if optional else ''}an integer >= 1, got {value!r}.")


def check_flag(name: str, value: object) -> None:
    """Raise a ValueError that names the parameter unless `value` is a bool."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}.")


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise a ValueError that names the parameter unless `value` is one of `choices`."""
    if not isinstance(value, Hashable) or not any(value is choice or value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def check_options(name: str, value: object) -> None:
    """Raise a ValueError that names the parameter unless `value` is None or options of `scipy.optimize.linprog`."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be None or a dict, got {value!r}.")
    if value.get("method") is not None:
        check_choice(f"{name}['method']", value["method"], _METHODS)


def check_verbose(value: object) -> None:
    """Raise a ValueError unless `value` is an integer or a bool."""
    if not isinstance(value, int | np.integer | np.bool_):
        raise ValueError(f"verbose must be an integer or a bool, got {value!r}.")


def any_size() -> AbstractContextManager[None]:
    """Silence NumPy's overflow warnings: a certificate reports overflow, or an OverflowError an infinite objective."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def training_data(
    estimator: Any,
    X: MatrixLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    *,
    reset: bool = True,
    keep: bool = False,
) -> Data:
    """Check X, y and sample_weight as scikit-learn does; sets the estimator's feature names when `reset`.

    A y of one column is taken as one-dimensional, with a warning, as by scikit-learn's regressors of one target. Rows
    of weight zero are left out unless `keep`, which is for callers that number the rows.
    """
    if is_source(X):
        raise TypeError(NO_BLOCKS.format(type(estimator).__name__))
    with any_size():
        checked_X, checked_y = validate_data(
            estimator,
            sound(X),
            y,
            reset=reset,
            accept_sparse=("csr", "csc"),
            dtype=[np.float64, np.float32],
            # The pass over a dense X that finds its columns' ranges finds NaN as well.
            ensure_all_finite=sp.issparse(X),
            multi_output=True,
            y_numeric=True,
        )
    if sp.issparse(checked_y):
        raise ValueError("y must be dense; call y.toarray() first.")
    try:
        Y = _aligned(np.asarray(checked_y, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must be numeric, got an array of dtype {checked_y.dtype}.") from error
    _warn_of_rounding(checked_y if y is None else y)
    if Y.ndim == 2 and Y.shape[1] == 1:
        warn_user(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,), "
            "for example using ravel().",
            DataConversionWarning,
        )
        Y = Y[:, 0]
    single = Y.ndim == 1
    weight = _checked_weight(sample_weight, Y.shape[0])
    design = as_design(_canonical(checked_X))
    if not design.is_finite:
        check_array(checked_X, accept_sparse=("csr", "csc"), dtype=None, estimator=estimator, input_name="X")
    design, Y = _without_denormal_columns(design), _without("y", Y, np.abs(Y).max(axis=0))
    data = Data(
        design=design,
        Y=Y[:, None] if single else Y,
        weight=weight,
        dtype=checked_X.dtype,
        single=single,
    )
    return data if keep else present(data)


def _warn_of_rounding(y: ArrayLike) -> None:
    """Warn of targets beyond 2**53, integers or decimals, that float64 cannot represent."""
    if isinstance(y, np.ndarray) and y.dtype.kind not in "iuO":
        return
    values = np.asarray(y)
    if values.dtype.kind in "iu":
        rounded: Any = _rounded_integers(values.ravel())
    elif values.dtype.kind == "O":
        rounded = [value for value in values.ravel() if isinstance(value, Number) and _is_rounded(value)]
    else:
        return
    if len(rounded) == 0:
        return
    warn_user(
        f"y has {len(rounded)} numbers beyond 2**53, which float64 rounds: {rounded[0]} becomes "
        f"{int(float(rounded[0]))}. Subtract a constant from y before the fit, and add it to the predictions.",
        UserWarning,
    )


def _is_rounded(value: Any) -> bool:
    """Whether float64 cannot represent an integer, a decimal or a fraction beyond 2**53."""
    number = float(value)
    return abs(number) >= _EXACT_INTEGERS and number != value


def _rounded_integers(values: NDArray[Any]) -> NDArray[Any]:
    """The integers with more binary digits, from the first to the last that is one, than float64 has."""
    if values.dtype.itemsize < 8 or values.size == 0:
        return values[:0]
    if values.min() >= -_EXACT_INTEGERS and values.max() <= _EXACT_INTEGERS:
        return values[:0]
    size = np.where(values < 0, ~values.astype(np.uint64) + np.uint64(1), values.astype(np.uint64))
    last = np.maximum(size & (~size + np.uint64(1)), np.uint64(1))
    rounded: NDArray[Any] = values[size // last > _EXACT_INTEGERS]
    return rounded


def feature_weights(name: str, values: ArrayLike | None, n_features: int) -> Array:
    """Weights >= 0, one per feature, infinity allowed; ones for None."""
    if values is None:
        return np.ones(n_features)
    try:
        weights = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, got {values!r}.") from error
    if weights.shape != (n_features,):
        raise ValueError(f"{name} must have shape ({n_features},), one factor per feature, got {weights.shape}.")
    if not np.all(weights >= 0):
        raise ValueError(f"{name} must be >= 0 (infinity excludes a feature), got {weights[~(weights >= 0)][0]:g}.")
    return weights


def present(data: Data) -> Data:
    """The data without rows of weight zero."""
    if in_memory(data.weight).min() > 0:
        return data
    rows = np.flatnonzero(data.weight > 0)
    return replace(data, design=data.design.take(rows), Y=data.Y[rows], weight=data.weight[rows])


def relative_weights(sample_weight: ArrayLike, n_samples: int) -> Array:
    """Weights divided by the largest; a ValueError unless they are finite, >= 0 and not all zero."""
    weight = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight")
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must be one-dimensional, got an array of shape {weight.shape}.")
    check_consistent_length(weight, np.empty(n_samples))
    if np.any(weight < 0):
        raise ValueError(f"Negative values in sample_weight: they must be >= 0, got {weight.min():g}.")
    if not np.any(weight > 0):
        raise ValueError("sample_weight must contain at least one non-zero number: all weights are zero.")
    weight = weight / weight.max()
    return _without("sample_weight", weight, weight)


def _checked_weight(sample_weight: ArrayLike | None, n_samples: int) -> Array:
    """Weights with sum one; without `sample_weight` all rows share one number in memory."""
    if sample_weight is None:
        return constant(1.0 / n_samples, n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    weight = relative_weights(sample_weight, n_samples)  # the sum of huge weights is not finite
    # Without zeros the sum has the bits of a table without these rows: a last bit decides between optima that are tied.
    nonzero = weight if weight.min(initial=np.inf) > 0 else weight[weight > 0]
    normalised: Array = weight / nonzero.sum()
    return normalised


def _is_denormal(sizes: Array) -> NDArray[np.bool_]:
    return (sizes > 0) & (sizes < TINY)


def _any_denormal(sizes: Array) -> bool:
    return bool(sizes.min(initial=TINY) < TINY) and bool(_is_denormal(sizes).any())


def _without(name: str, values: Array, sizes: Array) -> Array:
    """The values, or columns of values, with zero where their sizes are denormal, and a warning if any is."""
    if not _any_denormal(sizes):
        return values
    warnings.warn(
        f"{name} has denormal numbers (smaller than {TINY:.3g}; for weights, relative to the "
        "largest), which have lost precision: they are treated as zero.",
        UserWarning,
        stacklevel=5,
    )
    return np.where(_is_denormal(sizes), 0.0, values)


def _without_denormal_columns(design: Design) -> Design:
    """The design with zero for columns of denormal numbers only; beside other numbers denormal ones do no harm."""
    reach = design.reach()
    if not _any_denormal(reach):
        return design
    X: Any = design.X
    if not _is_sparse(X):
        return as_design(_without("X", X, reach))
    columns = np.repeat(np.arange(X.shape[1]), np.diff(X.indptr)) if X.format == "csc" else X.indices
    data = _without("X", X.data, reach[columns])
    return as_design(type(X)((data, X.indices, X.indptr), shape=X.shape))


def _is_sparse(X: Any) -> bool:
    """Whether X is sparse; its type stays Any, since the one that `issparse` leaves has no attributes."""
    return bool(sp.issparse(X))


def sound(X: Any) -> Any:
    """X; a ValueError if X is sparse and its indices are out of range, which SciPy does not check."""
    if not _is_sparse(X) or X.ndim != 2:
        return X
    if X.format == "coo":
        fits = all(
            _indexes(axis, size) and axis.shape == X.data.shape for axis, size in zip(X.coords, X.shape, strict=True)
        )
    elif X.format in ("csr", "csc", "bsr"):
        rows, columns = (size // block for size, block in zip(X.shape, getattr(X, "blocksize", (1, 1)), strict=True))
        fits = _is_compressed(X, *((columns, rows) if X.format == "csc" else (rows, columns)))
    else:
        return sound(X.tocsr())
    if not fits:
        raise ValueError("Input X is a sparse matrix with inconsistent indices: some are out of range.")
    return X


def _indexes(values: Any, size: int) -> bool:
    """Whether these are integers from 0 to `size` - 1."""
    return (
        values.ndim == 1 and values.dtype.kind in "iu" and values.min(initial=0) >= 0 and values.max(initial=-1) < size
    )


def _is_compressed(X: Any, n_lines: int, n_places: int) -> bool:
    """Whether the pointers and indices of a compressed X are in range; its lines are rows (CSR) or columns (CSC)."""
    begin = X.indptr
    if begin.shape != (n_lines + 1,) or begin[0] != 0 or not _indexes(begin, min(X.indices.size, X.data.shape[0]) + 1):
        return False
    return bool(np.all(begin[1:] >= begin[:-1])) and _indexes(X.indices[: begin[-1]], n_places)


def _aligned(values: NDArray[Any]) -> NDArray[Any]:
    """The values, copied if they are not aligned in memory (fields of packed records, for example)."""
    return values if values.flags.aligned else values.copy()


def _canonical(X: Any) -> Any:
    """X, aligned; if sparse, with repeated entries summed, since sums of absolute values would be wrong otherwise."""
    if not _is_sparse(X):
        return _aligned(X)
    if not all(part.flags.aligned for part in (X.data, X.indices, X.indptr)):
        X = X.copy()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
