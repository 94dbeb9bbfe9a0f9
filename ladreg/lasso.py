"""The lasso and the elastic net as scikit-learn estimators."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from ladreg._arrays import TINY, Array, MatrixLike
from ladreg._estimators import (
    Bounds,
    Data,
    Limits,
    MomentData,
    WeightedRegressor,
    any_size,
    check_choice,
    check_count,
    check_flag,
    check_in_memory,
    check_real,
    multiples,
    opened,
    training_data,
    verified_by_moments,
)
from ladreg._problem import Coefficients, ElasticNet, HalfSquared, Loss, Settings, Solution
from ladreg._solvers import largest_alpha


class ElasticNetCD(WeightedRegressor):
    r"""The elastic net by coordinate descent with soft-thresholding, to a certified gap.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2
        + \alpha \sum_j v_j \Big( \rho \, |b_j| + \frac{1 - \rho}{2} \, b_j^2 \Big)

    with :math:`\rho` for `l1_ratio` and :math:`v` for `penalty_weights`: the objective of scikit-learn's `ElasticNet`,
    with the same meaning of `alpha` and `l1_ratio`. If the optimum is not unique, the coefficients of the smallest
    Euclidean norm are returned.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty; 0 is least squares.
    l1_ratio : float, default=0.5
        Share of the L1 penalty: 1 is the lasso, 0 is ridge regression (for which scikit-learn's `Ridge` is faster with
        many features).
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, ``(lower, upper)``: one number each, or one number per feature, in
        units of the coefficients; infinity means no bound. `positive` is short for ``(0, inf)``. If zero is not
        allowed, the penalty shrinks towards the bound nearest to zero.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature: 0 leaves it unpenalised (forced in), infinity excludes it.
        They are not rescaled. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see
        Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation. Coefficients are
        on the original scale, and sparse X stays sparse. Columns that are constant (up to rounding, a fraction of 1e-14
        of their size) are treated as having standard deviation 1.
    precompute : {"auto", True, False}, default="auto"
        True works on the Gram matrix of all features, False on that of a working set that grows; "auto" chooses. The
        result is the same up to rounding.
    max_iter : int, default=10000
        Largest number of epochs (passes over the features of the working set) plus active-set steps.
    tol : float, default=1e-10
        Stop when the proved gap is at most ``tol * mean((y - mean(y))^2)`` (``mean(y^2)`` without intercept): as in
        scikit-learn, with a much smaller default, since it costs little here. Values below 1e-15 count as 1e-15.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; exactly zero for features that are not selected.
    sparse_coef_ : sparse matrix of shape (n_targets, n_features)
        `coef_` in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs and steps used.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    n_passes_ : int
        Number of passes over the rows; only for data in blocks.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    LassoCD : The case ``l1_ratio=1``.
    sklearn.linear_model.ElasticNet : The same model with a looser tolerance and no certificate.

    Notes
    -----
    These parameters of `ElasticNet` do not exist here: `copy_X` (X is never modified), `selection` and `random_state`
    (the result is the certified, canonical optimum, so that the order of coordinates does not matter).

    ``penalty_weights="adaptive"`` is the adaptive lasso (Zou 2006): features with large coefficients in a pilot fit are
    penalised less. The pilot is least squares if there are more rows than columns, and otherwise ridge regression on
    standardised columns, with the largest ridge penalty whose generalised cross-validation error (Golub, Heath and
    Wahba 1979) is within a thousandth of the minimum. A feature whose coefficient in the pilot is zero is excluded.
    With `standardize` the factors are those of standardised columns. Each target has a pilot.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net. JRSS B 67(2), 301-320.
    doi:10.1111/j.1467-9868.2005.00503.x

    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models via
    coordinate descent. Journal of Statistical Software 33(1). doi:10.18637/jss.v033.i01

    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics 21(2), 215-223. doi:10.1080/00401706.1979.10489751

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import ElasticNetCD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCD(alpha=0.01, l1_ratio=0.8).fit(X, y)
    >>> int(np.count_nonzero(model.coef_)), model.certificate_.relative_gap < 1e-12
    (9, True)

    The body mass index is forced in, and the first feature is kept out:

    >>> weights = np.ones(10)
    >>> weights[[2, 0]] = 0, np.inf
    >>> model = ElasticNetCD(alpha=5, l1_ratio=0.8, penalty_weights=weights).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([2])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        standardize: bool = False,
        precompute: bool | Literal["auto"] = "auto",
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.standardize = standardize
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        check_real("alpha", self.alpha, low=0.0)
        check_real("l1_ratio", self.l1_ratio, low=0.0, high=1.0)
        check_real("gamma", self.gamma, low=0.0, open_ends=True)
        for name in ("fit_intercept", "positive", "standardize", "warm_start"):
            check_flag(name, getattr(self, name))
        check_choice("precompute", self.precompute, ("auto", True, False))
        check_count("max_iter", self.max_iter)
        check_real("tol", self.tol, low=0.0)

    def _loss(self) -> Loss:
        return HalfSquared()

    @property
    def _depends_on_rows(self) -> bool:
        return bool(self.standardize) or super()._depends_on_rows

    def _weighted(self, data: Data, alpha: float, weights: Array) -> ElasticNet:
        unit: Array | float = data.deviations() if self.standardize else 1.0
        ridge = None
        with np.errstate(over="ignore"):  # an infinite strength makes a coefficient zero
            penalised = multiples(self.l1_ratio, multiples(alpha, weights)) * unit
            if self.l1_ratio < 1:
                share = alpha * np.where(np.isinf(weights), 0.0, weights) * (1.0 - self.l1_ratio)
                ridge = np.multiply(share, unit**2, out=np.zeros_like(share), where=share > 0)
                if self.standardize and np.any(((ridge < TINY) | np.isinf(ridge)) & (share > 0)):
                    raise OverflowError(
                        "the squares of the columns' standard deviations overflow or underflow float64. Scale the "
                        "columns to ordinary sizes."
                    )
        return Limits.of(self.bounds, bool(self.positive), weights).penalty(penalised, ridge)

    def _fit_blocks(self, X: Any, y: Any, sample_weight: Any) -> None:
        check_in_memory(self.penalty_weights)
        given = MomentData.of(opened(X, y, sample_weight)[0], None, bool(self.fit_intercept))
        problem = self._problems(given.data, self._penalty(given.data))[0]
        solution = self._solve([problem], [self._start_in(given)])[0]
        solution = given.certified(problem, solution, self._settings())
        given.name_features(self)
        self.n_passes_ = len(given.passes.names)
        self._store(given.original, [given.original_problem(problem)], [solution])
        self._warn([solution])

    def _start_in(self, given: MomentData) -> Coefficients | None:
        """Previous coefficients, if `warm_start` is set and their number fits."""
        coef = np.asarray(getattr(self, "coef_", np.zeros(0)), dtype=np.float64)
        if not self.warm_start or coef.shape != (given.data.design.n_features,):
            return None
        return Coefficients(coef, 0.0)  # the intercept follows from the coefficients

    def _verified_blocks(self, X: Any, y: Any, sample_weight: Any) -> list[Solution]:
        return verified_by_moments(self, X, y, sample_weight)

    def _settings(self) -> Settings:
        precompute = None if self.precompute == "auto" else bool(self.precompute)
        return Settings(tol=self.tol, max_iter=self.max_iter, precompute=precompute)

    @property
    def penalty(self) -> str | None:
        """Kind of the penalty, for `sklearn.feature_selection.SelectFromModel`: "l1" where `l1_ratio` is 1."""
        if self.alpha == 0:
            return None
        return "l1" if self.l1_ratio == 1 else "elasticnet"

    @property
    def sparse_coef_(self) -> sp.csr_matrix:
        """`coef_` in CSR format."""
        return sp.csr_matrix(self.coef_)


class LassoCD(ElasticNetCD):
    r"""The lasso by coordinate descent with soft-thresholding, to a certified gap.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2 + \alpha \sum_j v_j |b_j|

    with :math:`v` for `penalty_weights`: the objective of scikit-learn's `Lasso`, with the same meaning of `alpha`.
    Coordinate descent finds the active set and a direct solve finishes, so that tight tolerances cost little. If the
    optimum is not unique (duplicate columns), the coefficients of the smallest Euclidean norm are returned.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the L1 penalty, in units of y times units of X; 0 is least squares.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, ``(lower, upper)``: one number each, or one number per feature, in
        units of the coefficients; infinity means no bound. `positive` is short for ``(0, inf)``. If zero is not
        allowed, the penalty shrinks towards the bound nearest to zero.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature: 0 leaves it unpenalised (forced in), infinity excludes it.
        They are not rescaled. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see
        Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation. Coefficients are
        on the original scale, and sparse X stays sparse. Columns that are constant (up to rounding, a fraction of 1e-14
        of their size) are treated as having standard deviation 1.
    precompute : {"auto", True, False}, default="auto"
        True works on the Gram matrix of all features, False on that of a working set that grows; "auto" chooses. The
        result is the same up to rounding.
    max_iter : int, default=10000
        Largest number of epochs (passes over the features of the working set) plus active-set steps.
    tol : float, default=1e-10
        Stop when the proved gap is at most ``tol * mean((y - mean(y))^2)`` (``mean(y^2)`` without intercept): as in
        scikit-learn, with a much smaller default, since it costs little here. Values below 1e-15 count as 1e-15.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; exactly zero for features that are not selected.
    sparse_coef_ : sparse matrix of shape (n_targets, n_features)
        `coef_` in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs and steps used.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate.
    certificates_ : list of Certificate
        The same as a list, also of one target.
    n_passes_ : int
        Number of passes over the rows; only for data in blocks.
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The adaptive penalty factors, only with ``penalty_weights="adaptive"``; `verify` uses them.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    ElasticNetCD : L1 and L2 terms in the penalty.
    LADRegressor : Absolute loss, with or without the L1 penalty.
    sklearn.linear_model.Lasso : The same model with a looser tolerance and no certificate.

    Notes
    -----
    These parameters of `Lasso` do not exist here: `copy_X` (X is never modified), `selection` and `random_state` (the
    result is the certified, canonical optimum, so that the order of coordinates does not matter).

    ``penalty_weights="adaptive"`` is the adaptive lasso (Zou 2006): features with large coefficients in a pilot fit are
    penalised less. The pilot is least squares if there are more rows than columns, and otherwise ridge regression on
    standardised columns, with the largest ridge penalty whose generalised cross-validation error (Golub, Heath and
    Wahba 1979) is within a thousandth of the minimum. A feature whose coefficient in the pilot is zero is excluded.
    With `standardize` the factors are those of standardised columns. Each target has a pilot.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso. JRSS B 58(1), 267-288.
    doi:10.1111/j.2517-6161.1996.tb02080.x

    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models via
    coordinate descent. Journal of Statistical Software 33(1). doi:10.18637/jss.v033.i01

    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics 21(2), 215-223. doi:10.1080/00401706.1979.10489751

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LassoCD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCD(alpha=0.5).fit(X, y)
    >>> model.coef_.round(6)
    array([  0.      ,   0.      , 471.013582, 136.516898,   0.      ,
             0.      , -58.340093,   0.      , 408.021865,   0.      ])
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        standardize: bool = False,
        precompute: bool | Literal["auto"] = "auto",
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            positive=positive,
            bounds=bounds,
            penalty_weights=penalty_weights,
            gamma=gamma,
            standardize=standardize,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
        )


def alpha_max(
    X: MatrixLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 1.0,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    bounds: Bounds | None = None,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    standardize: bool = False,
) -> float | Any:
    r"""The smallest `alpha` for which all penalised coefficients of `LassoCD` or `ElasticNetCD` are zero.

    .. math:: \alpha_{\max} = \max_j \frac{1}{\rho \, v_j} \Big| \sum_i w_i \, x_{ij} r_i \Big| \Big/ \sum_i w_i

    where r are the residuals of the model without penalised features: :math:`y_i - \bar y` with the weighted mean
    :math:`\bar y` (0 without intercept) if there are no unpenalised ones. With ``positive=True`` it is the largest of
    the sums themselves (or 0) instead of their absolute values. Use fractions of it as a grid.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target.
    l1_ratio : float, default=1.0
        As in `ElasticNetCD`, but above 0: an L2 term alone never makes a coefficient zero.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    fit_intercept : bool, default=True
        As in `LassoCD`.
    positive : bool, default=False
        As in `LassoCD`.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LassoCD`.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        As in `LassoCD`; 0 where no feature is penalised.
        "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        As in `LassoCD`.

    Returns
    -------
    float or ndarray of shape (n_targets,)
        One number for each target; in units of y times units of X, as `alpha`.

    Raises
    ------
    ValueError
        As in `LassoCD.fit`, for invalid data or parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LassoCD, alpha_max
    >>> X, y = load_diabetes(return_X_y=True)
    >>> largest = alpha_max(X, y)
    >>> [int(np.count_nonzero(LassoCD(alpha=part * largest).fit(X, y).coef_)) for part in (1.001, 0.999, 0.1)]
    [0, 1, 5]
    """
    model = ElasticNetCD(
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        penalty_weights=penalty_weights,
        gamma=gamma,
        standardize=standardize,
    )
    model._check_parameters()
    if l1_ratio == 0:
        raise ValueError("l1_ratio must be > 0: an L2 term alone makes no coefficient exactly zero, for any alpha.")
    data = training_data(model, X, y, sample_weight)
    with any_size():
        found = [largest_alpha(problem) for problem in model._problems(data, model._penalty(data))]
    return found[0] if data.single else np.array(found)
