"""Prediction intervals with a guaranteed coverage: two quantiles, calibrated on rows that did not fit them."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from numbers import Integral
from typing import Any, Literal, Self, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ladreg._arrays import Array, Index, MatrixLike
from ladreg._estimators import (
    Bounds,
    Data,
    ShowsCertificate,
    Versioned,
    all_or_nothing,
    check_count,
    check_real,
    relative_weights,
    sound,
    training_data,
)
from ladreg._problem import Certificate
from ladreg._warn import warn_user
from ladreg.metrics import d2_pinball_score
from ladreg.quantile import QuantileRegressor

# A probability is reached up to 1e-12: sums of weights and products with the coverage are rounded.
_REACHED = 1e-12
# What the quantiles' fit leaves behind.
_FITTED = ("coef_", "intercept_", "quantile_", "alpha_", "objective_", "dual_gap_", "_certificates")


class ConformalQuantileRegressor(ShowsCertificate, Versioned, RegressorMixin, BaseEstimator):
    r"""Prediction intervals that cover new targets with a given probability, for any distribution.

    The quantiles :math:`(1 - c) / 2` and :math:`(1 + c) / 2` of y, for coverage c, are fitted to some of the rows. The
    other m rows are for calibration: with their distances from the fitted interval (negative inside)

    .. math:: s_i = \max\big( \hat q_{lo}(x_i) - y_i, \; y_i - \hat q_{hi}(x_i) \big), \qquad
        \text{interval}(x) = \big[ \hat q_{lo}(x) - s, \; \hat q_{hi}(x) + s \big]

    where s is the k-th smallest distance, :math:`k = \lceil (m + 1) c \rceil`. A new target from the same population is
    inside with probability at least c, for any sample size and even if the linear model is wrong (conformalized
    quantile regression; Romano, Patterson and Candès 2019). `predict` returns the median, fitted to the same rows as
    the quantiles, `predict_interval` the interval.

    Parameters
    ----------
    coverage : float, default=0.9
        Probability that a new target is inside its interval, strictly between 0 and 1.
    calibration_size : float or int, default=0.5
        Fraction or number of the calibration rows. There must be at least ``coverage / (1 - coverage)`` of them, 9 for
        0.9 and 19 for 0.95; with fewer the intervals are infinite, and `fit` warns.
    alpha : float or "pivotal", default=0.0
        Strength of the L1 penalty of the quantiles, as in `QuantileRegressor`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `QuantileRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `QuantileRegressor`: one number.
    penalty_weights : array-like of shape (n_features,), default=None
        Penalty factors, one per feature, as in `QuantileRegressor`.
    solver : {"auto", "linprog", "highs", "highs-ds", "highs-ipm"}, default="auto"
        As in `QuantileRegressor`.
    solver_options : dict, default=None
        As in `QuantileRegressor`.
    tol : float, default=1e-9
        Largest relative gap of the quantiles' fits that is accepted without a ConvergenceWarning.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    random_state : int, RandomState or None, default=None
        Seed for the choice of the calibration rows.

    Attributes
    ----------
    coef_ : ndarray of shape (3, n_features)
        Coefficients of the fitted quantiles: lower limit, median, upper limit.
    intercept_ : ndarray of shape (3,)
        Their intercepts.
    quantile_ : ndarray of shape (3,)
        The quantiles.
    alpha_ : float or ndarray of shape (3,)
        The `alpha` used.
    objective_ : ndarray of shape (3,)
        The objectives of their fits.
    dual_gap_ : ndarray of shape (3,)
        Proved upper bounds of the distances of the objectives from their optima.
    calibration_rows_ : ndarray of shape (n_calibration,)
        Indices of the calibration rows.
    correction_ : float
        The distance s by which the intervals are widened on both sides, for a new row with the mean weight.
    calibration_scores_ : ndarray of shape (n_calibration,)
        The distances :math:`s_i`, ascending.
    calibration_weights_ : ndarray of shape (n_calibration,)
        Their weights, with mean one.
    coverage_ : float
        The `coverage` of the fit.
    mean_weight_ : float
        The mean weight of the calibration rows; 1 without weights.
    n_iter_ : int
        Most iterations of the linear programming solvers for a quantile, at least 1.
    certificate_ : list of Certificate
        The proofs of the three fits.
    certificates_ : list of Certificate
        The same.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    QuantileRegressor : The quantiles alone, whose coverage of new targets is too low in small samples.
    infer : Confidence intervals of coefficients and of conditional quantiles.

    Notes
    -----
    The probability is over the training rows and the new target together. Given the training rows the coverage has a
    beta distribution with parameters k and m + 1 - k, whose standard deviation is about :math:`\sqrt{c (1 - c) / m}`.
    It is also an average over x: intervals adapt to x as far as the quantiles do, but no method guarantees c for every
    x.

    With `sample_weight` new rows come from another population: a weight is the ratio of the density there to that of
    the training population (covariate shift; Tibshirani, Foygel Barber, Candès and Ramdas 2019). The guarantee holds if
    `predict_interval` gets the weights of the new rows, in the same units.

    Dependent rows (of one person, of one village) are not exchangeable with a new row, and the guarantee does not hold:
    `groups` raises an error. Pass one row of each group.

    A pipeline gives intervals by ``pipeline.predict(X, return_interval=True)``.

    References
    ----------
    Romano, Y., Patterson, E. and Candès, E. J. (2019). Conformalized quantile regression. Advances in Neural
    Information Processing Systems 32. arXiv:1905.03222

    Tibshirani, R. J., Foygel Barber, R., Candès, E. J. and Ramdas, A. (2019). Conformal prediction under covariate
    shift. Advances in Neural Information Processing Systems 32. arXiv:1904.06019

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import ConformalQuantileRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 4, (400, 1))
    >>> y = X[:, 0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_normal(400)
    >>> model = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X, y)
    >>> model.predict_interval([[0.5], [3.5]]).round(1)
    array([[-0.7,  1.8],
           [ 0.7,  6.3]])
    """

    _doc_link_module = "ladreg"
    _doc_link_template = "https://ladreg.readthedocs.io/en/stable/generated/ladreg.{estimator_name}.html"

    coef_: NDArray[np.floating]
    intercept_: NDArray[np.floating]
    quantile_: Array
    alpha_: float | Any
    objective_: Array
    dual_gap_: Array
    calibration_rows_: Index
    correction_: float
    calibration_scores_: Array
    calibration_weights_: Array
    coverage_: float
    mean_weight_: float
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        *,
        coverage: float = 0.9,
        calibration_size: Any = 0.5,
        alpha: float | Literal["pivotal"] = 0.0,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | None = None,
        solver: Literal["auto", "linprog", "highs", "highs-ds", "highs-ipm"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        tol: float = 1e-9,
        max_iter: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.coverage = coverage
        self.calibration_size = calibration_size
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.solver_options = solver_options
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: MatrixLike, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the quantiles to some rows, and calibrate the intervals on the others.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Target.
        **fit_params : dict
            `sample_weight` of shape (n_samples,), non-negative (see Notes), and nothing else. A weight is not the same
            as a repeated row here, because the choice of the calibration rows depends on the order of rows.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X, y or sample_weight is invalid, or no row is left to fit or to
            calibrate.
        TypeError
            If `groups` or anything else is passed.

        Warns
        -----
        UserWarning
            If there are too few calibration rows, so that intervals are infinite.
        ConvergenceWarning
            If a quantile was not fitted to `tol`.
        """
        with all_or_nothing(self):
            weight = self._weight(fit_params)
            self._check_parameters()
            data = training_data(self, X, y, weight, keep=True)
            if not data.single:
                raise ValueError(f"y must be one-dimensional, got {data.Y.shape[1]} targets: fit one model for each.")
            rows = np.flatnonzero(data.weight > 0)
            self.calibration_rows_ = self._drawn(rows)
            others = np.setdiff1d(rows, self.calibration_rows_)
            fitted = self._quantiles().fit(*_some(data, others))
            for name in _FITTED:
                setattr(self, name, getattr(fitted, name))
            self.n_iter_ = int(np.max(fitted.n_iter_))
            self._calibrate(data, rows.size)
            largest = 1.0 if weight is None else float(np.max(np.asarray(weight, dtype=np.float64)))
            mean = data.weight[self.calibration_rows_].mean()
            self.mean_weight_ = float(mean / data.weight.max()) * largest
        return self

    def _weight(self, fit_params: dict[str, Any]) -> ArrayLike | None:
        if "groups" in fit_params:
            raise TypeError(
                "fit takes no groups: rows of one group are not exchangeable with a new row, and the coverage is not "
                "guaranteed. Pass one row of each group."
            )
        unknown = set(fit_params) - {"sample_weight"}
        if unknown:
            raise TypeError(f"fit got an unexpected argument {min(unknown)!r}: it takes X, y and sample_weight.")
        return fit_params.get("sample_weight")

    def _check_parameters(self) -> None:
        check_real("coverage", self.coverage, low=0.0, high=1.0, open_ends=True)
        if isinstance(self.calibration_size, Integral):
            check_count("calibration_size", self.calibration_size)
        else:
            check_real("calibration_size", self.calibration_size, low=0.0, high=1.0, open_ends=True)

    def _drawn(self, rows: Index) -> Index:
        """The rows that calibrate, in ascending order."""
        size = self.calibration_size
        number = int(size) if isinstance(size, Integral) else ceil(size * rows.size)
        if not number < rows.size:
            raise ValueError(
                f"n_samples={rows.size} with calibration_size={size!r} leaves no rows for fitting the quantiles."
            )
        return np.sort(check_random_state(self.random_state).permutation(rows)[:number])

    def _quantiles(self) -> QuantileRegressor:
        half = float(self.coverage) / 2
        names = QuantileRegressor().get_params(deep=False).keys() & self.get_params(deep=False).keys()
        shared = {name: getattr(self, name) for name in names}
        return QuantileRegressor(quantile=[0.5 - half, 0.5, 0.5 + half], rearrange=True, **shared)

    def _fitted(self) -> QuantileRegressor:
        """The quantiles as they were fitted."""
        check_is_fitted(self)
        model = self._quantiles()
        for name in (*_FITTED, "n_features_in_"):
            setattr(model, name, getattr(self, name))
        return model

    def _calibrate(self, data: Data, n_samples: int) -> None:
        X, y, weight = _some(data, self.calibration_rows_)
        lines = np.asarray(self._fitted().predict(X), dtype=np.float64)
        scores = np.maximum(lines[:, 0] - y, y - lines[:, 2])
        order = np.argsort(scores, kind="stable")
        self.calibration_scores_ = scores[order]
        self.calibration_weights_ = weight[order] / weight.mean()
        self.coverage_ = float(self.coverage)
        self.correction_ = float(self._correction(np.ones(1))[0])
        if np.isinf(self.correction_):
            needed = ceil(self.coverage_ / (1 - self.coverage_) * (1 - _REACHED))
            of_all = n_samples - y.size + needed
            if not isinstance(self.calibration_size, Integral):
                of_all = ceil(needed / self.calibration_size)
            warn_user(
                f"{y.size} rows are too few to calibrate a coverage of {self.coverage_:g}, so that intervals are "
                f"infinite: there must be at least {needed} calibration rows, that is {of_all} rows with this "
                "calibration_size.",
                UserWarning,
            )

    def _correction(self, weight: Array) -> Array:
        """The smallest score that reaches the coverage, for new rows of these weights; infinity where none does."""
        reached = np.cumsum(self.calibration_weights_)
        goal = self.coverage_ * (reached[-1] + weight) * (1 - _REACHED)
        return np.append(self.calibration_scores_, np.inf)[np.searchsorted(reached, goal)]

    @overload
    def predict(self, X: MatrixLike, return_interval: Literal[False] = False) -> NDArray[np.floating]: ...

    @overload
    def predict(
        self, X: MatrixLike, return_interval: Literal[True]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]: ...

    @overload
    def predict(
        self, X: MatrixLike, return_interval: bool
    ) -> NDArray[np.floating] | tuple[NDArray[np.floating], NDArray[np.floating]]: ...

    def predict(
        self, X: MatrixLike, return_interval: bool = False
    ) -> NDArray[np.floating] | tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Predict the median, and optionally the interval.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.
        return_interval : bool, default=False
            Whether to return the intervals as well.

        Returns
        -------
        ndarray of shape (n_samples,), or a tuple of that and one of shape (n_samples, 2)
            The median, which has no guarantee, and the intervals.
        """
        median = self._lines(X)[:, 1]
        return (median, self.predict_interval(X)) if return_interval else median

    def predict_interval(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> NDArray[np.floating]:
        """Intervals for new targets.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of these rows, in the units of the weights of `fit`; None for `mean_weight_` in each row.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper limits. If `correction_` is negative and the quantiles nearly meet, the limits are sorted.
        """
        lines = self._lines(X)
        correction: Array = np.full(lines.shape[0], self.correction_)
        if sample_weight is not None:
            relative = relative_weights(sample_weight, lines.shape[0])
            largest = float(np.max(np.asarray(sample_weight, dtype=np.float64)))
            correction = self._correction(relative * (largest / self.mean_weight_))
        ends: NDArray[np.floating] = np.column_stack([lines[:, 0] - correction, lines[:, 2] + correction])
        return np.sort(ends, axis=1)

    def _lines(self, X: MatrixLike) -> Array:
        """The fitted quantiles of new rows, not calibrated."""
        check_is_fitted(self)
        table = validate_data(
            self, sound(X), reset=False, accept_sparse=("csr", "csc", "coo"), dtype=[np.float64, np.float32]
        )
        return np.asarray(self._fitted().predict(table), dtype=np.float64)

    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The mean D² score of the lower limit, the median and the upper limit as quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            As for `QuantileRegressor` with several quantiles: 1 is best, 0 is the score of constants. The losses of the
            two limits add up to the interval score, which rewards narrow intervals and penalises targets outside.
        """
        low, high = self.predict_interval(X).T
        lines = np.column_stack([low, self.predict(X), high])
        return float(d2_pinball_score(y, lines, quantile=self.quantile_, sample_weight=sample_weight))

    def verify(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> list[Certificate]:
        """Certify the quantiles again, from the data of the fit.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            The data of the fit, with the rows in the same order: the calibration rows are left out.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        list of Certificate
            As `QuantileRegressor.verify` returns them.
        """
        fitted = self._fitted()
        data = training_data(self, X, y, sample_weight, reset=False, keep=True)
        others = np.setdiff1d(np.flatnonzero(data.weight > 0), self.calibration_rows_)
        return cast(list[Certificate], fitted.verify(*_some(data, others)))

    @property
    def certificate_(self) -> list[Certificate]:
        """Proofs of the fits."""
        return self._fitted().certificates_

    @property
    def certificates_(self) -> list[Certificate]:
        """Proofs of the fits, as `certificate_`."""
        return self.certificate_


def _some(data: Data, rows: Index) -> tuple[Any, Array, Array]:
    """X, y and weights of some rows."""
    return data.design.X[rows], data.Y[rows, 0], data.weight[rows]
