"""Regularization paths as functions: `lasso_path` and `enet_path` as scikit-learn has them, and one a robust loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from ladreg._arrays import Array, MatrixLike
from ladreg._estimators import (
    Bounds,
    any_size,
    check_choice,
    check_count,
    check_flag,
    check_real,
    checked_quantiles,
    is_adaptive,
    root_task,
    task,
    with_callbacks,
)
from ladreg._paths import Path, path_of_quantiles
from ladreg._tuning import Asked, FoundPaths, check_single, paths_of, problems_of, warn_of, watched
from ladreg.combined import CombinedLossRegressor
from ladreg.huber import HuberLossRegressor
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD
from ladreg.quantile import QuantileRegressor


def enet_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: int | ArrayLike | None = 100,
    precompute: bool | Literal["auto"] | ArrayLike = "auto",
    Xy: ArrayLike | None = None,  # noqa: ARG001
    copy_X: bool = True,  # noqa: ARG001
    coef_init: ArrayLike | None = None,  # noqa: ARG001
    verbose: bool | int = False,
    return_n_iter: bool = False,
    return_intercept: bool = False,
    positive: bool = False,
    bounds: Bounds | None = None,
    check_input: bool = True,  # noqa: ARG001
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    standardize: bool = False,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int = 10_000,
    tol: float = 1e-10,
    selection: Literal["cyclic", "random"] = "cyclic",
    random_state: int | np.random.RandomState | None = None,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Any, ...]:
    r"""Coefficients of the elastic net for a sequence of alphas, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b)^2
        + \alpha \sum_j v_j \Big( \rho \, |b_j| + \frac{1 - \rho}{2} \, b_j^2 \Big)

    as `ElasticNetCD` does. For one target it has the parameters and results of scikit-learn's function of the same
    name, and can replace it; like that function it fits an intercept only with ``fit_intercept=True``. For several
    targets scikit-learn's function solves another problem, the multi-task elastic net, which ladreg does not have: here
    each target has its own elastic net, and results have the shapes of scikit-learn's, gaps of each target.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    l1_ratio : float, default=0.5
        Share of the L1 penalty: 1 is the lasso.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    n_alphas : int, default=None
        Number of alphas, if `alphas` is not a list: the former name in scikit-learn.
    alphas : int or array-like, default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try.
    precompute : {"auto", True, False} or array-like, default="auto"
        True works on the Gram matrix of all features, False on that of a working set that grows; "auto" chooses. A Gram
        matrix counts as True: checking it against X would cost as much as computing it.
    Xy, copy_X, coef_init : object
        Ignored; for compatibility with scikit-learn's function. X is never modified, and results do not depend on the
        start.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    return_n_iter : bool, default=False
        Whether to return numbers of iterations as well.
    return_intercept : bool, default=False
        Whether to return intercepts as well.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `ElasticNetCD`.
    check_input : bool, default=True
        Ignored: input is always checked.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=False
        Whether to fit an intercept; it is ``mean(y) - mean(X) @ coef``, with weighted means.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `ElasticNetCD`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a
        pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=10000
        Largest number of epochs plus active-set steps for each alpha.
    tol : float, default=1e-10
        Each gap is proved to be at most this fraction of its objective, up to rounding; looser ones save little.
    selection : {"cyclic", "random"}, default="cyclic"
        Ignored: results do not depend on the order of the coordinates.
    random_state : int, RandomState instance or None, default=None
        Not used.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients, one column per alpha; three-dimensional if y is two-dimensional.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Proved upper bounds of the distance of each objective from its optimum.
    n_iters : list of int, or list of lists
        Epochs and steps, if `return_n_iter`.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts, the last item, if `return_intercept`; zeros without `fit_intercept`.

    Raises
    ------
    ValueError
        For invalid parameters or data.

    Warns
    -----
    ConvergenceWarning
        If the gap of some alpha is larger than `tol` allows.

    See Also
    --------
    lasso_path : The case ``l1_ratio=1``.
    ElasticNetCDCV : Chooses alpha by cross-validation.

    References
    ----------
    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models via
    coordinate descent. Journal of Statistical Software 33(1). doi:10.18637/jss.v033.i01

    Larsson, J. and Wallin, J. (2022). The Hessian screening rule. NeurIPS 35. doi:10.48550/arXiv.2104.13026

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import enet_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, gaps = enet_path(X, y, l1_ratio=0.9, alphas=50)
    >>> coefs.shape, bool(gaps.max() < 1e-8)
    ((10, 50), True)
    """
    return _squares(
        X,
        y,
        sample_weight,
        alphas,
        n_alphas,
        eps,
        verbose,
        return_n_iter,
        return_intercept,
        selection,
        random_state,
        max_features=max_features,
        alpha_per_target=alpha_per_target,
        callbacks=callbacks,
        l1_ratio=l1_ratio,
        precompute=precompute,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        penalty_weights=penalty_weights,
        gamma=gamma,
        standardize=standardize,
        max_iter=max_iter,
        tol=tol,
    )


def lasso_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: int | ArrayLike | None = 100,
    precompute: bool | Literal["auto"] | ArrayLike = "auto",
    Xy: ArrayLike | None = None,  # noqa: ARG001
    copy_X: bool = True,  # noqa: ARG001
    coef_init: ArrayLike | None = None,  # noqa: ARG001
    verbose: bool | int = False,
    return_n_iter: bool = False,
    return_intercept: bool = False,
    positive: bool = False,
    bounds: Bounds | None = None,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    standardize: bool = False,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int = 10_000,
    tol: float = 1e-10,
    selection: Literal["cyclic", "random"] = "cyclic",
    random_state: int | np.random.RandomState | None = None,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Any, ...]:
    r"""Coefficients of the lasso for a sequence of alphas, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b)^2 + \alpha \sum_j v_j |b_j|

    as `LassoCD` does. For one target it has the parameters and results of scikit-learn's function of the same name, and
    can replace it; like that function it fits an intercept only with ``fit_intercept=True``. For several targets
    scikit-learn's function solves another problem, the multi-task lasso, which ladreg does not have: here each target
    has its own lasso, and results have the shapes of scikit-learn's, gaps of each target.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    n_alphas : int, default=None
        Number of alphas, if `alphas` is not a list: the former name in scikit-learn.
    alphas : int or array-like, default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try.
    precompute : {"auto", True, False} or array-like, default="auto"
        True works on the Gram matrix of all features, False on that of a working set that grows; "auto" chooses. A Gram
        matrix counts as True: checking it against X would cost as much as computing it.
    Xy, copy_X, coef_init : object
        Ignored; for compatibility with scikit-learn's function. X is never modified, and results do not depend on the
        start.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    return_n_iter : bool, default=False
        Whether to return numbers of iterations as well.
    return_intercept : bool, default=False
        Whether to return intercepts as well.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LassoCD`.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=False
        Whether to fit an intercept; it is ``mean(y) - mean(X) @ coef``, with weighted means.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `LassoCD`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot
        fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=10000
        Largest number of epochs plus active-set steps for each alpha.
    tol : float, default=1e-10
        Each gap is proved to be at most this fraction of its objective, up to rounding; looser ones save little.
    selection : {"cyclic", "random"}, default="cyclic"
        Ignored: results do not depend on the order of the coordinates.
    random_state : int, RandomState instance or None, default=None
        Not used.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients, one column per alpha; three-dimensional if y is two-dimensional.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Proved upper bounds of the distance of each objective from its optimum.
    n_iters : list of int, or list of lists
        Epochs and steps, if `return_n_iter`.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts, the last item, if `return_intercept`; zeros without `fit_intercept`.

    Raises
    ------
    ValueError
        For invalid parameters or data.

    Warns
    -----
    ConvergenceWarning
        If the gap of some alpha is larger than `tol` allows.

    See Also
    --------
    enet_path : With an L2 term in the penalty.
    LassoCDCV : Chooses alpha by cross-validation.
    LassoCDIC : Chooses alpha by an information criterion.

    References
    ----------
    Tibshirani, R. et al. (2012). Strong rules for discarding predictors in lasso-type problems. JRSS B 74(2), 245-266.
    doi:10.1111/j.1467-9868.2011.01004.x

    Larsson, J. and Wallin, J. (2022). The Hessian screening rule. NeurIPS 35. doi:10.48550/arXiv.2104.13026

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import lasso_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, gaps = lasso_path(X, y, alphas=[2.0, 1.0, 0.1], fit_intercept=True)
    >>> np.count_nonzero(coefs, axis=0)
    array([2, 3, 7])
    """
    return _squares(
        X,
        y,
        sample_weight,
        alphas,
        n_alphas,
        eps,
        verbose,
        return_n_iter,
        return_intercept,
        selection,
        random_state,
        max_features=max_features,
        alpha_per_target=alpha_per_target,
        callbacks=callbacks,
        l1_ratio=1.0,
        precompute=precompute,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        penalty_weights=penalty_weights,
        gamma=gamma,
        standardize=standardize,
        max_iter=max_iter,
        tol=tol,
    )


def lad_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    alphas: int | ArrayLike | None = None,
    method: Literal["grid", "knots"] = "grid",
    quantiles: ArrayLike | None = None,
    alpha: float = 0.0,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    bounds: Bounds | None = None,
    l1_ratio: float = 1.0,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int | None = None,
    tol: float = 1e-9,
    verbose: bool | int = False,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Array, Array, Array, Array]:
    r"""Coefficients of least absolute deviations for a sequence of penalties, or of quantiles, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, |y_i - x_i^\top b - b_0| + \alpha \sum_j v_j |b_j|

    as `LADRegressor` does; with `quantiles`, for each :math:`\tau` the objective of `QuantileRegressor` at `alpha`.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    alphas : int or array-like, default=None
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try. None is 100.
    method : {"grid", "knots"}, default="grid"
        "grid" solves for the given alphas. "knots" returns all solutions down to `eps` times the largest alpha: they
        are piecewise constant in alpha, and for n rows and p features their number is often about the larger of n and
        p, or a few times that.
    quantiles : array-like of shape (n_quantiles,), default=None
        A grid of quantiles, each between 0 and 1, instead of alphas.
    alpha : float, default=0.0
        The penalty for a grid of quantiles, as in `QuantileRegressor`.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LADRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `LADRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `LADRegressor`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a
        pilot fit :math:`\tilde b` (see `LADRegressor`).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver.
    tol : float, default=1e-9
        Largest relative gap that is accepted without a warning.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task,
        with "knots" the whole path, and with quantiles the fit of a target.

    Returns
    -------
    grid : ndarray of shape (n_points,) or (n_targets, n_points)
        The alphas, decreasing, or the quantiles as they are given. With "knots" the first alpha is the largest one
        with a coefficient just below it, and the last one `eps` times that; column k of `coefs` is optimal for all
        alphas from ``grid[k]`` to ``grid[k - 1]``, column 0 for all from ``grid[0]`` on.
    coefs : ndarray of shape (n_features, n_points) or (n_targets, n_features, n_points)
        Coefficients, one column for each.
    intercepts : ndarray of shape (n_points,) or (n_targets, n_points)
        Intercepts.
    dual_gaps : ndarray of shape (n_points,) or (n_targets, n_points)
        Proved upper bounds of the distance of each objective from its optimum; with "knots" for the whole range of its
        alphas, in the units of the objective in the middle of it.

    Raises
    ------
    ValueError
        For invalid parameters or data, for `alphas` with `quantiles` or "knots", for "knots" or
        `max_features` with `quantiles`, for an `alpha` without `quantiles`, and for "knots" if X has more than 2**27
        entries, since two dense copies are needed.
    RuntimeError
        If "knots" cannot be followed to the end, because a basis is singular up to rounding.

    Warns
    -----
    ConvergenceWarning
        If some gap is larger than `tol` allows.

    See Also
    --------
    LADRegressorCV : Chooses alpha by cross-validation.
    LADRegressorIC : Chooses alpha by an information criterion.
    quantile_path : Other quantiles than the median.

    References
    ----------
    Wang, H., Li, G. and Jiang, G. (2007). Robust regression shrinkage and consistent variable selection through the
    LAD-lasso. Journal of Business and Economic Statistics 25(3), 347-355. doi:10.1198/073500106000000251

    Li, Y. and Zhu, J. (2008). L1-norm quantile regression. Journal of Computational and Graphical Statistics 17(1),
    163-185. doi:10.1198/106186008X289155

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import lad_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, intercepts, gaps = lad_path(X, y, alphas=20)
    >>> coefs.shape, bool(gaps.max() < 1e-10)
    ((10, 20), True)
    >>> alphas, coefs, intercepts, gaps = lad_path(X, y, method="knots", eps=0.5)
    >>> alphas.size, np.count_nonzero(coefs[:, [0, 1, -1]], axis=0)
    (83, array([0, 1, 4]))
    >>> quantiles, coefs, intercepts, gaps = lad_path(X, y, quantiles=[0.1, 0.5, 0.9])
    >>> intercepts.round(0)
    array([ 80., 152., 224.])
    """
    common: dict[str, Any] = {
        "fit_intercept": fit_intercept,
        "positive": positive,
        "bounds": bounds,
        "l1_ratio": l1_ratio,
        "penalty_weights": penalty_weights,
        "gamma": gamma,
        "max_iter": max_iter,
        "tol": tol,
    }
    _check_method(method, alphas, quantiles)
    if quantiles is None:
        if alpha != 0:
            raise ValueError(f"alpha={alpha!r} is for quantiles, of which there are none: pass alphas as a list.")
        model = watched(LADRegressor(alpha=1.0, **common), callbacks)
        asked = Asked(_number(alphas), eps, max_features, alpha_per_target, verbose, knots=method == "knots")
        return _arrays(paths_of(model, X, y, sample_weight, asked))
    grid = np.array(checked_quantiles(quantiles))
    if alphas is not None:
        raise ValueError("alphas must be None where quantiles are given: alpha is the penalty for all of them.")
    if max_features is not None:
        raise ValueError(f"max_features must be None where quantiles are given, got {max_features!r}: raise alpha.")
    several = watched(QuantileRegressor(quantile=grid, alpha=alpha, **common), callbacks)
    return (grid, *_quantiles(several, X, y, sample_weight, alpha_per_target, verbose))


def quantile_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    quantile: float = 0.5,
    eps: float = 1e-3,
    alphas: int | ArrayLike | None = None,
    method: Literal["grid", "knots"] = "grid",
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    bounds: Bounds | None = None,
    l1_ratio: float = 1.0,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int | None = None,
    tol: float = 1e-9,
    verbose: bool | int = False,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Array, Array, Array, Array]:
    r"""Coefficients of a quantile regression for a sequence of penalties, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \max\big( \tau \, r_i, (\tau - 1) \, r_i \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`\tau` for `quantile`, as `QuantileRegressor` does. For several quantiles at one `alpha` there is
    ``lad_path(X, y, quantiles=[0.1, 0.5, 0.9], alpha=0.1)``.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    quantile : float, default=0.5
        The quantile, strictly between 0 and 1.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    alphas : int or array-like, default=None
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try. None is 100.
    method : {"grid", "knots"}, default="grid"
        "grid" solves for the given alphas. "knots" returns all solutions down to `eps` times the largest alpha: they
        are piecewise constant in alpha, and for n rows and p features their number is often about the larger of n and
        p, or a few times that.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `QuantileRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `QuantileRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `QuantileRegressor`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with
        a pilot fit :math:`\tilde b` (see `QuantileRegressor`).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver.
    tol : float, default=1e-9
        Largest relative gap that is accepted without a warning.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task,
        and with "knots" the whole path.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Decreasing. With "knots" the first alpha is the largest one with a coefficient just below it, and the last one
        `eps` times that; column k of `coefs` is optimal for all alphas from ``alphas[k]`` to ``alphas[k - 1]``, column
        0 for all from ``alphas[0]`` on.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients, one column for each.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Proved upper bounds of the distance of each objective from its optimum; with "knots" for the whole range of its
        alphas, in the units of the objective in the middle of it.

    Raises
    ------
    ValueError
        For invalid parameters or data, for `alphas` with "knots", and for "knots" if X has more
        than 2**27 entries, since two dense copies are needed.
    RuntimeError
        If "knots" cannot be followed to the end, because a basis is singular up to rounding.

    Warns
    -----
    ConvergenceWarning
        If some gap is larger than `tol` allows.

    See Also
    --------
    QuantileRegressorCV : Chooses alpha by cross-validation.
    QuantileRegressorIC : Chooses alpha by an information criterion.
    lad_path : The median, with the loss not halved.

    References
    ----------
    Li, Y. and Zhu, J. (2008). L1-norm quantile regression. Journal of Computational and Graphical Statistics 17(1),
    163-185. doi:10.1198/106186008X289155

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import quantile_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, intercepts, gaps = quantile_path(X, y, quantile=0.9, method="knots", eps=0.5)
    >>> np.count_nonzero(coefs[:, [0, 2, -1]], axis=0), bool(gaps.max() < 1e-10)
    (array([0, 1, 3]), True)
    """
    check_single("quantile", quantile)
    model = QuantileRegressor(
        quantile=quantile,
        alpha=1.0,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        l1_ratio=l1_ratio,
        penalty_weights=penalty_weights,
        gamma=gamma,
        max_iter=max_iter,
        tol=tol,
    )
    _check_method(method, alphas)
    asked = Asked(_number(alphas), eps, max_features, alpha_per_target, verbose, knots=method == "knots")
    return _arrays(paths_of(watched(model, callbacks), X, y, sample_weight, asked))


def quantile_process(
    X: MatrixLike,
    y: ArrayLike,
    *,
    alpha: float = 0.0,
    quantile_range: tuple[float, float] = (0.01, 0.99),
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    penalty_weights: ArrayLike | None = None,
    max_iter: int | None = None,
    tol: float = 1e-9,
    verbose: bool | int = False,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Array, Array, Array, Array]:
    r"""Coefficients of all quantiles at once: the whole quantile regression process, each solution proved.

    For every :math:`\tau` between two quantiles it minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \max\big( \tau \, r_i, (\tau - 1) \, r_i \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    as `QuantileRegressor` does. The solutions are piecewise constant in :math:`\tau`.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,)
        Target.
    alpha : float, default=0.0
        The penalty, the same for all quantiles, as in `QuantileRegressor`.
    quantile_range : tuple of float, default=(0.01, 0.99)
        The lowest and the highest quantile, strictly between 0 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    penalty_weights : array-like of shape (n_features,), default=None
        Penalty factors :math:`v_j \ge 0`, as in `QuantileRegressor`.
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver, where one is needed.
    tol : float, default=1e-9
        Largest relative gap that is accepted without a warning.
    verbose : bool or int, default=False
        Whether to print a line when the path is done.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: the whole path is one task.

    Returns
    -------
    quantiles : ndarray of shape (n_solutions + 1,)
        Increasing, from the lowest quantile to the highest: the edges of the ranges of the solutions.
    coefs : ndarray of shape (n_features, n_solutions)
        Coefficients: column k is optimal for all quantiles from ``quantiles[k]`` to ``quantiles[k + 1]``.
    intercepts : ndarray of shape (n_solutions,)
        Intercepts.
    dual_gaps : ndarray of shape (n_solutions,)
        Proved upper bounds of the distance of each objective from its optimum, for the whole range of its quantiles.

    Raises
    ------
    ValueError
        For invalid parameters or data, for several targets, and if the coefficients would be more than 2**27 numbers (1
        GiB), or X has more entries than that, since two dense copies are needed.
    RuntimeError
        If the quantiles cannot be followed to the end, because a basis is singular up to rounding.

    Warns
    -----
    ConvergenceWarning
        If some gap is larger than `tol` allows.

    See Also
    --------
    QuantileRegressor : One quantile, or a list of them.
    lad_path : A grid of quantiles, or of alphas.
    quantile_path : All alphas at one quantile.

    Notes
    -----
    The number of solutions is from about n for few features to a few times n. Each follows from the previous one by one
    exchange of the parametric simplex method.

    References
    ----------
    Koenker, R. and d'Orey, V. (1987). Algorithm AS 229: Computing regression quantiles. Journal of the Royal
    Statistical Society C 36(3), 383-393. doi:10.2307/2347802

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import quantile_process
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (200, 1))
    >>> y = 3 * X[:, 0] + (0.5 + X[:, 0]) * rng.standard_normal(200)
    >>> quantiles, coefs, intercepts, gaps = quantile_process(X, y)
    >>> k = np.searchsorted(quantiles, [0.1, 0.5, 0.9]) - 1
    >>> coefs[0, k].round(1), bool(gaps.max() < 1e-12)
    (array([1.2, 2.5, 4.6]), True)
    """
    low, high = _checked_range(quantile_range)
    if is_adaptive(penalty_weights):
        raise ValueError(
            "penalty_weights must be numbers in quantile_process, got 'adaptive', which has different factors for "
            "each quantile. Use quantile_path or QuantileRegressor."
        )
    model = QuantileRegressor(
        quantile=low,
        alpha=alpha,
        fit_intercept=fit_intercept,
        positive=positive,
        penalty_weights=penalty_weights,
        max_iter=max_iter,
        tol=tol,
    )
    model._check_parameters()
    check_real("alpha", alpha, low=0.0)
    path = _process(watched(model, callbacks), X, y, sample_weight, alpha, high)
    warn_of(path, tol, parameter="quantile")
    if verbose:
        print(f"{path.alphas.size} solutions, largest gap {path.relative_gap.max():.3g} (relative)", flush=True)
    return np.append(low, path.alphas), path.coef, path.intercept, path.gap


@with_callbacks  # type: ignore[untyped-decorator]
def _process(
    model: QuantileRegressor, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None, alpha: float, high: float
) -> Path:
    """All solutions from the quantile of the model up to `high`, as one task."""
    problems = problems_of(model, X, y, sample_weight, alpha)
    if len(problems) > 1:
        raise ValueError(
            f"y must have one target, got {len(problems)}: the solutions of each change at other quantiles. Call "
            "quantile_process for each target."
        )
    with task(root_task(model, 0, "path"), model, X=X, y=y), any_size():
        return path_of_quantiles(problems[0], high, model._settings())


def huber_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    epsilon: float = 1.35,
    scale: float | Literal["mad"] = "mad",
    eps: float = 1e-3,
    alphas: int | ArrayLike = 100,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    bounds: Bounds | None = None,
    l1_ratio: float = 1.0,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int | None = None,
    tol: float = 1e-9,
    verbose: bool | int = False,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Array, Array, Array, Array]:
    r"""Coefficients of Huber's loss for a sequence of penalties, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, h(y_i - x_i^\top b - b_0) + \alpha \sum_j v_j |b_j|, \qquad
        h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta \, (|r| - \delta / 2) & |r| > \delta \end{cases}

    with :math:`\delta` for `epsilon` times the scale, as `HuberLossRegressor` does.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    epsilon : float, default=1.35
        Threshold between the squared and the absolute part, in units of the scale.
    scale : float or "mad", default="mad"
        Scale of the errors, in units of y. "mad" estimates it once, without the penalty, as in `HuberLossRegressor`.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    alphas : int or array-like, default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try, in units of y times units of X.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `HuberLossRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `HuberLossRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `HuberLossRegressor`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma`
        with a pilot fit :math:`\tilde b` (see `HuberLossRegressor`).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=None
        Limit of Newton steps for each alpha; None for 200.
    tol : float, default=1e-9
        Largest relative gap that is accepted without a warning.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients, one column for each alpha.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Proved upper bounds of the distance of each objective from its optimum.

    Raises
    ------
    ValueError
        For invalid parameters or data.

    Warns
    -----
    ConvergenceWarning
        If some gap is larger than `tol` allows.

    See Also
    --------
    HuberLossRegressorCV : Chooses alpha by cross-validation.

    References
    ----------
    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 73-101.
    doi:10.1214/aoms/1177703732

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import huber_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, intercepts, gaps = huber_path(X, y, alphas=20)
    >>> coefs.shape, bool(gaps.max() < 1e-9)
    ((10, 20), True)
    """
    model = HuberLossRegressor(
        epsilon,
        scale=scale,
        alpha=1.0,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        l1_ratio=l1_ratio,
        penalty_weights=penalty_weights,
        gamma=gamma,
        max_iter=max_iter,
        tol=tol,
    )
    asked = Asked(alphas, eps, max_features, alpha_per_target, verbose)
    return _arrays(paths_of(watched(model, callbacks), X, y, sample_weight, asked))


def combined_path(
    X: MatrixLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    alphas: int | ArrayLike = 100,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    positive: bool = False,
    bounds: Bounds | None = None,
    penalty_l1_ratio: float = 1.0,
    penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
    gamma: float = 1.0,
    max_features: int | None = None,
    alpha_per_target: bool = False,
    max_iter: int | None = None,
    tol: float = 1e-9,
    verbose: bool | int = False,
    callbacks: Sequence[Any] | None = None,
) -> tuple[Array, Array, Array, Array]:
    r"""Coefficients of the combined L1 and L2 loss for a sequence of penalties, each proved.

    For each :math:`\alpha` of a decreasing grid it minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \big( \rho \, |r_i| + (1 - \rho) \, r_i^2 \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`\rho` for `l1_ratio`, as `CombinedLossRegressor` does.

    Parameters
    ----------
    X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
        Data; not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target; each column of a two-dimensional y is fitted separately.
    l1_ratio : float, default=0.5
        Share of the absolute loss, from 0 (least squares) to 1 (least absolute deviations).
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the path.
    alphas : int or array-like, default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero, or the list of alphas to try.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; only their ratios matter.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `CombinedLossRegressor`.
    penalty_l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `CombinedLossRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, as in `CombinedLossRegressor`. "adaptive" is :math:`1 / |\tilde b_j|^\gamma`
        with a pilot fit :math:`\tilde b` (see `CombinedLossRegressor`).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    max_features : int, default=None
        Largest number of non-zero coefficients: the path ends before the first alpha with more. None is no limit.
    alpha_per_target : bool, default=False
        Whether each column of a two-dimensional y has alphas of its own. Otherwise all targets have the same alphas,
        and a grid starts at the largest `alpha_max` of a target. Not used with a one-dimensional y.
    max_iter : int, default=None
        Iteration limit of the solver for each alpha; None is its default.
    tol : float, default=1e-9
        Largest relative gap that is accepted without a warning.
    verbose : bool or int, default=False
        Whether to print a line for each target when its path is done.
    callbacks : list of callbacks, default=None
        Callbacks of scikit-learn (version 1.9 or later), such as ``[ProgressBar()]``: each alpha is a task.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Decreasing.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients, one column for each alpha.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts.
    dual_gaps : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Proved upper bounds of the distance of each objective from its optimum.

    Raises
    ------
    ValueError
        For invalid parameters or data.

    Warns
    -----
    ConvergenceWarning
        If some gap is larger than `tol` allows.

    See Also
    --------
    CombinedLossRegressorCV : Chooses alpha by cross-validation.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import combined_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, intercepts, gaps = combined_path(X, y, l1_ratio=0.9, alphas=20)
    >>> coefs.shape, bool(gaps.max() < 1e-9)
    ((10, 20), True)
    """
    model = CombinedLossRegressor(
        l1_ratio,
        alpha=1.0,
        fit_intercept=fit_intercept,
        positive=positive,
        bounds=bounds,
        penalty_l1_ratio=penalty_l1_ratio,
        penalty_weights=penalty_weights,
        gamma=gamma,
        max_iter=max_iter,
        tol=tol,
    )
    asked = Asked(alphas, eps, max_features, alpha_per_target, verbose)
    return _arrays(paths_of(watched(model, callbacks), X, y, sample_weight, asked))


def _check_method(method: str, *grids: Any) -> None:
    """Raise a ValueError for a method that is not known, and for a grid beside "knots"."""
    check_choice("method", method, ("grid", "knots"))
    if method == "knots" and any(grid is not None for grid in grids):
        raise ValueError("alphas and quantiles must be None with method='knots': the knots of the path are the alphas.")


def _checked_range(quantile_range: Any) -> tuple[float, float]:
    """The two quantiles; a ValueError unless they rise and lie between 0 and 1."""
    if np.ndim(quantile_range) != 1 or len(quantile_range) != 2:
        raise ValueError(f"quantile_range must be two quantiles, got {quantile_range!r}.")
    for value in quantile_range:
        check_real("quantile_range", value, low=0.0, high=1.0, open_ends=True)
    low, high = map(float, quantile_range)
    if not low < high:
        raise ValueError(f"quantile_range must begin with the lower quantile, got {quantile_range!r}.")
    return low, high


def _squares(
    X: MatrixLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    alphas: int | ArrayLike | None,
    n_alphas: int | None,
    eps: float,
    verbose: bool | int,
    return_n_iter: bool,
    return_intercept: bool,
    selection: str,
    random_state: int | np.random.RandomState | None,
    *,
    max_features: int | None,
    alpha_per_target: bool,
    callbacks: Sequence[Any] | None,
    precompute: Any,
    **parameters: Any,
) -> tuple[Any, ...]:
    check_flag("return_n_iter", return_n_iter)
    check_flag("return_intercept", return_intercept)
    check_count("n_alphas", n_alphas, optional=True)
    if n_alphas is not None and (alphas is None or np.ndim(alphas) == 0):
        alphas = n_alphas
    check_choice("selection", selection, ("cyclic", "random"))
    check_random_state(random_state)
    working: Any = precompute if precompute is False or isinstance(precompute, str) else True
    model = ElasticNetCD(precompute=working, **parameters)
    asked = Asked(_number(alphas), eps, max_features, alpha_per_target, verbose)
    path = paths_of(watched(model, callbacks), X, y, sample_weight, asked)
    column = np.ndim(y) == 2 and path.coef.ndim == 2  # as scikit-learn's functions have one
    found: list[Any] = [path.alphas, path.coef[None] if column else path.coef, path.gap]
    found += [path.n_iter] if return_n_iter else []
    found += [path.intercept] if return_intercept else []
    return tuple(found)


def _number(alphas: Any) -> Any:
    """The alphas, or their number if there are none."""
    return 100 if alphas is None else alphas


def _arrays(found: FoundPaths) -> tuple[Array, Array, Array, Array]:
    """What the functions for other losses than the square return."""
    return found.alphas, found.coef, found.intercept, found.gap


def _quantiles(
    model: QuantileRegressor,
    X: MatrixLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    alpha_per_target: bool,
    verbose: bool | int,
) -> tuple[Array, Array, Array]:
    """Coefficients, intercepts and gaps of several quantiles, with a first axis for targets if there are several."""
    check_flag("alpha_per_target", alpha_per_target)
    several = np.ndim(y) == 2 and np.shape(y)[1] > 1
    fits: list[tuple[Array, Array, Array]] = []
    for k, target in enumerate(np.asarray(y).T if several else [y]):
        fit: Any = model.fit(X, target, sample_weight)
        fits.append((fit.coef_.T.copy(), fit.intercept_, fit.dual_gap_))
        if verbose:
            name, gaps = f"target {k}: " if several else "", [one["relative_gap"] for one in fit._certificates]
            print(f"{name}{len(gaps)} quantiles, largest gap {max(gaps):.3g} (relative)", flush=True)
    if not several:
        return fits[0]
    coef, intercept, gap = (np.array(one) for one in zip(*fits, strict=True))
    return coef, intercept, gap
