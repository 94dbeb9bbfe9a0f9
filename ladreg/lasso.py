"""The lasso as a scikit-learn estimator."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ladreg._estimator import CertifiedRegressor
from ladreg._losses import HalfSquared, Loss
from ladreg._penalties import ElasticNet
from ladreg._problem import Problem
from ladreg._validation import check_count, check_flag, check_real, training_data
from ladreg.solvers import Solver, choose_solver


class LassoCD(CertifiedRegressor):
    r"""The lasso by coordinate descent with soft-thresholding, to a certified gap.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2 + \alpha \sum_j |b_j|

    the objective of scikit-learn's `Lasso`, with the same meaning of `alpha`. Newton steps on the support finish what
    coordinate descent begins, so that tight tolerances cost little. Where several coefficients are optimal (duplicate
    columns), the result is the smallest in Euclidean norm.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the L1 penalty, in units of y times units of X; 0 is least squares.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    max_iter : int, default=10000
        Largest number of epochs (passes over the features).
    tol : float, default=1e-10
        Stop when the proved gap is at most ``tol * mean((y - mean(y))^2)`` (``mean(y^2)`` without intercept):
        scikit-learn's meaning at a much tighter value, since it is cheap here. Values below 1e-15 count as 1e-15.
    warm_start : bool, default=False
        Whether to start from the coefficients of the previous fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, exactly zero where a feature is not selected.
    sparse_coef_ : sparse matrix of shape (n_targets, n_features)
        `coef_` in CSR format.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs used.
    objective_ : float or ndarray of shape (n_targets,)
        Objective at the solution.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The proof in full.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    LADRegressor : Absolute loss, with or without the L1 penalty.
    sklearn.linear_model.Lasso : The same model with a looser tolerance and no certificate.

    Notes
    -----
    Of `Lasso`'s parameters these have no counterpart: `precompute` and `copy_X` (X is never changed, and what is worth
    computing first is decided from its shape), `selection` and `random_state` (the order of coordinates is cyclic: the
    answer is certified, and where it is not unique it is canonical, so that the order cannot matter).

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso. JRSS B 58(1), 267-288.
    doi:10.1111/j.2517-6161.1996.tb02080.x

    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models via
    coordinate descent. Journal of Statistical Software 33(1). doi:10.18637/jss.v033.i01

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
        max_iter: int = 10_000,
        tol: float = 1e-10,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def _check_parameters(self) -> None:
        check_real("alpha", self.alpha, low=0.0)
        check_flag("fit_intercept", self.fit_intercept)
        check_flag("positive", self.positive)
        check_count("max_iter", self.max_iter)
        check_real("tol", self.tol, low=0.0)
        check_flag("warm_start", self.warm_start)

    def _loss(self) -> Loss:
        return HalfSquared()

    def _penalty(self, n_features: int) -> ElasticNet:
        return ElasticNet(np.full(n_features, float(self.alpha)), bool(self.positive))

    def _solver(self, problem: Problem) -> Solver:
        return choose_solver(problem)

    @property
    def sparse_coef_(self) -> sp.csr_matrix:
        """`coef_` in CSR format."""
        return sp.csr_matrix(self.coef_)


def alpha_max(
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
) -> float | NDArray[np.float64]:
    r"""The smallest `alpha` for which all coefficients of `LassoCD` are zero.

    .. math:: \alpha_{\max} = \max_j \Big| \sum_i w_i \, x_{ij} (y_i - \bar y) \Big| \Big/ \sum_i w_i,
        \qquad \bar y = \sum_i w_i y_i \Big/ \sum_i w_i

    with :math:`\bar y = 0` without intercept, and the largest of the sums themselves (or 0) instead of their sizes
    where coefficients are to be positive. Grids of `alpha` are parts of it.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    fit_intercept : bool, default=True
        As in `LassoCD`.
    positive : bool, default=False
        As in `LassoCD`.

    Returns
    -------
    float or ndarray of shape (n_targets,)
        One number for each target; in units of y times units of X, as `alpha`.

    Raises
    ------
    ValueError
        As `LassoCD.fit` does, for data or parameters that make no sense.

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
    model = LassoCD(fit_intercept=fit_intercept, positive=positive)
    model._check_parameters()
    data = training_data(model, X, y, sample_weight)
    ones = np.ones(data.design.n_features)
    found = [model._problem(data, np.ascontiguousarray(target)).largest_alpha(ones) for target in data.Y.T]
    return found[0] if data.single else np.array(found)
