"""Estimators that choose alpha by cross-validation along a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array
from ladreg._estimators import Bounds, CertifiedRegressor, Data
from ladreg._problem import ElasticNet, Problem, Solution
from ladreg._tuning import Choice, CrossValidatedRegressor, HeldOut, Target, check_single
from ladreg.combined import CombinedLossRegressor
from ladreg.huber import HuberLossRegressor
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD
from ladreg.quantile import QuantileRegressor


class ElasticNetCDCV(CrossValidatedRegressor):
    r"""The elastic net, with `alpha` and `l1_ratio` chosen by cross-validation along paths.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2
        + \alpha \sum_j v_j \Big( \rho \, |b_j| + \frac{1 - \rho}{2} \, b_j^2 \Big)

    with :math:`\rho` for `l1_ratio` and :math:`v` for `penalty_weights`, as `ElasticNetCD` does, for each `l1_ratio`
    and each :math:`\alpha` of a decreasing sequence on the training rows of each fold, and chooses by the mean squared
    error of the held-out rows. The fit to all rows with the chosen values has a certificate. Grid, folds and choice are
    those of scikit-learn's `ElasticNetCV`.

    Parameters
    ----------
    l1_ratio : float or list of float, default=0.5
        Share of the L1 penalty, or several to choose from: 1 is the lasso, 0 ridge regression. A useful list is denser
        near 1, such as ``[0.1, 0.5, 0.7, 0.9, 0.95, 0.99, 1]``.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto" or array-like of shape (n_alphas,), default=100
        Number of alphas for each `l1_ratio`, on a log-spaced grid that starts at `alpha_max`, from which on all
        penalised coefficients are zero in the fit to all rows, or the list of alphas to try, which ``l1_ratio=0``
        requires. 0 is least squares. "auto" starts with 100 and extends the grid while the smallest alpha is the best
        one, by at most three decades below `eps`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `ElasticNetCD`.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `ElasticNetCD`: 0 leaves it unpenalised, infinity
        excludes it. They are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit
        :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation, in each fold by
        that of its training rows. Columns that are constant (up to rounding, a fraction of 1e-14 of their size) are
        treated as having standard deviation 1.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        least squares fit to the selected features, without penalty. Held-out losses are computed with these
        coefficients. None is 1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    max_iter : int, default=10000
        Largest number of epochs plus active-set steps for each alpha.
    tol : float, default=1e-10
        As in `ElasticNetCD`; along paths gaps are relative to their objectives.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest, at the same `l1_ratio`.
    l1_ratio_ : float or ndarray of shape (n_targets,)
        The chosen `l1_ratio`, with the smallest mean loss.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        The alphas, decreasing, one row for each of several `l1_ratio`; rows that `max_features` shortens are filled
        with NaN.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Mean squared error of the held-out rows of each fold; NaN where `alphas_` is.
    scores_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `mse_path_` if `scoring` is given. The
        largest mean is best.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows, at the `l1_ratio` chosen.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs and steps for the chosen `alpha`, from the solution for the one before it; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
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
    ElasticNetCD : The elastic net with a given alpha.
    LassoCDCV : The case ``l1_ratio=1``.
    sklearn.linear_model.ElasticNetCV : The same choice, with looser tolerances and no certificate.

    Notes
    -----
    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` and scikit-learn's `ElasticNetCV` do. The standard error is the standard deviation of the folds'
    means divided by the square root of the number of folds. For splitters that need groups, such as `GroupKFold`, pass
    ``fit(X, y, groups=groups)``. A scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get
    the metadata that they request.

    The one-standard-error rule is applied at the `l1_ratio` of the smallest mean loss. Where there are more rows than
    features, the Gram matrix of a fold is that of all rows minus that of the held-out rows, so that the training rows
    are not read again.

    ``post_selection=0`` is least squares on the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` is the adaptive lasso (Zou 2006): features with large coefficients in a pilot fit are
    penalised less. The pilot is least squares if there are more rows than columns, and otherwise ridge regression on
    standardised columns, with the largest ridge penalty whose generalised cross-validation error (Golub, Heath and
    Wahba 1979) is within a thousandth of the minimum. A feature whose coefficient in the pilot is zero is excluded.
    With `standardize` the factors are those of standardised columns. Each target has a pilot. Each fold has its own
    pilot, fitted to its training rows.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net. JRSS B 67(2), 301-320.
    doi:10.1111/j.1467-9868.2005.00503.x

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics 21(2), 215-223. doi:10.1080/00401706.1979.10489751

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import ElasticNetCDCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCDCV(l1_ratio=[0.5, 0.9, 1], alphas=50).fit(X, y)
    >>> model.mse_path_.shape, model.l1_ratio_, round(model.alpha_, 6)
    ((3, 50, 5), 1.0, 0.003775)
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "mse_path_"
    mse_path_: Array
    l1_ratio_: float | Any

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        standardize: bool = False,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.standardize = standardize
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=object)).tolist()
        if not ratios:
            raise ValueError("l1_ratio must be a number or a non-empty list, got an empty list.")
        return [self._like(ElasticNetCD, l1_ratio=ratio) for ratio in ratios]

    def _chosen(self, targets: Sequence[Target], given: HeldOut) -> list[Choice]:
        choices = super()._chosen(targets, given)
        for target, choice in zip(targets, choices, strict=True):
            model: Any = target.candidates[choice.candidate].model
            target.fit.l1_ratio_ = float(model.l1_ratio)
        return choices


class LassoCDCV(CrossValidatedRegressor):
    r"""The lasso, with `alpha` chosen by cross-validation along a path.

    Minimises

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i \, (y_i - x_i^\top b - b_0)^2 + \alpha \sum_j v_j |b_j|

    with :math:`v` for `penalty_weights`, as `LassoCD` does, for each :math:`\alpha` of a decreasing grid on the
    training rows of each fold, and chooses by the mean squared error of the held-out rows. The fit to all rows with the
    chosen alpha has a certificate. Grid, folds and choice are those of scikit-learn's `LassoCV`.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero in the fit to all rows, or the list of alphas to try, in units of y times units of X. 0 is least squares.
        "auto" starts with 100 and extends the grid while the smallest alpha is the best one, by at most three decades
        below `eps`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LassoCD`.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `LassoCD`: 0 leaves it unpenalised, infinity excludes
        it. They are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit :math:`\tilde
        b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    standardize : bool, default=False
        Whether to penalise as if every column had been divided by its (weighted) standard deviation, in each fold by
        that of its training rows. Columns that are constant (up to rounding, a fraction of 1e-14 of their size) are
        treated as having standard deviation 1.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        least squares fit to the selected features, without penalty. Held-out losses are computed with these
        coefficients. None is 1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    max_iter : int, default=10000
        Largest number of epochs plus active-set steps for each alpha.
    tol : float, default=1e-10
        As in `LassoCD`; along paths gaps are relative to their objectives.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error of the held-out rows of each fold.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `mse_path_` if `scoring` is given. The
        largest mean is best.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Epochs and steps for the chosen `alpha`, from the solution for the one before it; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
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
    LassoCD : The lasso with a given alpha.
    ElasticNetCDCV : With an L2 term in the penalty.
    LassoCDIC : Chooses alpha by an information criterion, with one path instead of one for each fold.
    LADRegressorCV : Absolute loss.
    StabilitySelection : Selects features with a bound on false ones.
    sklearn.linear_model.LassoCV : The same choice, with looser tolerances and no certificate.

    Notes
    -----
    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` and scikit-learn's `LassoCV` do. The standard error is the standard deviation of the folds' means
    divided by the square root of the number of folds. For splitters that need groups, such as `GroupKFold`, pass
    ``fit(X, y, groups=groups)``. A scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get
    the metadata that they request.

    The one-standard-error rule chooses the largest alpha whose error is statistically as good as the best. It suits
    feature selection; at the minimum predictions are usually slightly better, but irrelevant features are often kept.

    Where there are more rows than features, the Gram matrix of a fold is that of all rows minus that of the held-out
    rows, so that the training rows are not read again.

    ``post_selection=0`` is least squares on the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` is the adaptive lasso (Zou 2006): features with large coefficients in a pilot fit are
    penalised less. The pilot is least squares if there are more rows than columns, and otherwise ridge regression on
    standardised columns, with the largest ridge penalty whose generalised cross-validation error (Golub, Heath and
    Wahba 1979) is within a thousandth of the minimum. A feature whose coefficient in the pilot is zero is excluded.
    With `standardize` the factors are those of standardised columns. Each target has a pilot. Each fold has its own
    pilot, fitted to its training rows.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso. JRSS B 58(1), 267-288.
    doi:10.1111/j.2517-6161.1996.tb02080.x

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good ridge
    parameter. Technometrics 21(2), 215-223. doi:10.1080/00401706.1979.10489751

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LassoCDCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCDCV(cv=10).fit(X, y)
    >>> model.mse_path_.shape, round(model.alpha_, 6), int(np.count_nonzero(model.coef_))
    ((100, 10), 0.057054, 7)

    The largest alpha within one standard error selects fewer features:

    >>> sparse = LassoCDCV(cv=10, selection="1se").fit(X, y)
    >>> round(sparse.alpha_, 6), np.flatnonzero(sparse.coef_)
    (0.402504, array([2, 3, 6, 8]))
    >>> sparse.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "mse_path_"
    mse_path_: Array

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        standardize: bool = False,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.standardize = standardize
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        return [self._like(LassoCD)]


class LADRegressorCV(CrossValidatedRegressor):
    r"""Least absolute deviations, with the strength of the L1 penalty chosen by cross-validation along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, |y_i - x_i^\top b - b_0| + \alpha \sum_j v_j |b_j|

    with :math:`v` for `penalty_weights`, as `LADRegressor` does, for each :math:`\alpha` of a decreasing grid on the
    training rows of each fold, and chooses by the mean absolute error of the held-out rows, which outliers in y do not
    dominate. The fit to all rows with the chosen alpha has a certificate.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto", "knots" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero in the fit to all rows, or the list of alphas to try, in units of X. 0, which is in no grid, is plain LAD.
        "auto" starts with 100 and extends the grid while the smallest alpha is the best one, by at most three decades
        below `eps`. "knots" chooses among all alphas at once (see Notes).
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `LADRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `LADRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `LADRegressor`: 0 leaves it unpenalised, infinity
        excludes it. Numbers are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit
        :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        LAD fit to the selected features, without penalty. Held-out losses are computed with these coefficients. None is
        1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    solver : {"auto", "linprog"}, default="auto"
        As in `LADRegressor`, for all fits.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds).
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing. With "knots" there is one for each range of alpha in which no fit changes: the geometric
        mean of its ends, or twice the lower end for the first range, which has no upper end.
    knots_ : ndarray of shape (n_alphas,)
        Only with ``alphas="knots"``: the lower ends of these adjacent ranges; row k of `mae_path_` and column k of
        `coef_path_` hold for a whole range.
    mae_path_ : ndarray of shape (n_alphas, n_folds)
        Mean absolute error of the held-out rows of each fold.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `mae_path_` if `scoring` is given. The
        largest mean is best.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the linear programming solvers in the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
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
    LADRegressor : The fit with a given alpha, or with the pivotal one, which needs no cross-validation.
    QuantileRegressorCV : Other quantiles than the median.
    LADRegressorIC : Chooses alpha by an information criterion.
    LassoCDCV : Squared loss.

    Notes
    -----
    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` does. The standard error is the standard deviation of the folds' means divided by the square root of
    the number of folds. For splitters that need groups, such as `GroupKFold`, pass ``fit(X, y, groups=groups)``. A
    scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get the metadata that they request.

    With at most 3,000 rows, or 10 rows per feature, a path is followed from breakpoint to breakpoint and takes hardly
    longer for 100 alphas than for 20. With more rows each alpha of each fold is a linear program, solved from the
    neighbouring solution: 20 alphas take a fifth of the time and are often enough.

    With ``alphas="knots"`` the paths of all folds and of all rows are followed from breakpoint (knot) to breakpoint.
    Between two knots no coefficient of any fit changes: the mean held-out loss is a step function of alpha, and its
    minimum over all alphas from `eps` times the largest upwards is found. `alpha_min_` is in the range where it is
    attained, `alpha_1se_` in the first range within one standard error of it; of several ranges with the same mean loss
    the one of larger alphas is taken. A path has about as many knots as there are rows or features, or a few times
    that, and there are as many ranges as knots of all paths together. If the coefficients would be more than 2**27
    numbers (1 GiB), ``fit`` raises a ValueError; if a path cannot be followed to its end because a basis is singular up
    to rounding, a RuntimeError: raise `eps`, or pass a number of alphas.

    ``post_selection=0`` is plain LAD on the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wang, Li and Jiang 2007). The pilot is least absolute deviations without penalty if there
    are more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each fold has its own pilot. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Wang, H., Li, G. and Jiang, G. (2007). Robust regression shrinkage and consistent variable selection through the
    LAD-lasso. Journal of Business and Economic Statistics 25(3), 347-355. doi:10.1198/073500106000000251

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    10 % of the targets are outliers; two of twenty features are relevant:

    >>> import numpy as np
    >>> from ladreg import LADRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((120, 20))
    >>> y = 3 * X[:, 4] - 2 * X[:, 7] + rng.standard_normal(120)
    >>> y[::10] += 100
    >>> model = LADRegressorCV(alphas=20, selection="1se").fit(X, y)
    >>> model.mae_path_.shape, np.flatnonzero(model.coef_)
    ((20, 5), array([4, 7]))

    The best of all alphas, not of twenty:

    >>> best = LADRegressorCV(alphas="knots", eps=0.01).fit(X, y)
    >>> bool(best.mae_path_.mean(axis=1).min() <= model.mae_path_.mean(axis=1).min())
    True
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "mae_path_"
    _has_knots = True
    solver: str
    mae_path_: Array

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        solver: Literal["auto", "linprog"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.solver = solver
        self.solver_options = solver_options
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        check_single("l1_ratio", self.l1_ratio)
        return [self._like(LADRegressor, alpha=1.0)]


class QuantileRegressorCV(LADRegressorCV):
    r"""Quantile regression, with the strength of the L1 penalty chosen by cross-validation along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \max\big( \tau \, r_i, (\tau - 1) \, r_i \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`\tau` for `quantile` and :math:`v` for `penalty_weights`, as `QuantileRegressor` does, for each
    :math:`\alpha` of a decreasing grid on the training rows of each fold, and chooses by the mean pinball loss of the
    held-out rows. The fit to all rows with the chosen alpha has a certificate.

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile, strictly between 0 and 1. For several quantiles fit one model each.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto", "knots" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero in the fit to all rows, or the list of alphas to try, in units of X. 0, which is in no grid, is no penalty.
        "auto" starts with 100 and extends the grid while the smallest alpha is the best one, by at most three decades
        below `eps`. "knots" chooses among all alphas at once (see Notes).
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `QuantileRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `QuantileRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `QuantileRegressor`: 0 leaves it unpenalised, infinity
        excludes it. Numbers are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a pilot fit
        :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        fit to the selected features, without penalty. Held-out losses are computed with these coefficients. None is 1:
        no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    solver : {"auto", "linprog", "highs", "highs-ds", "highs-ipm"}, default="auto"
        As in `QuantileRegressor`, for all fits.
    solver_options : dict, default=None
        Options of `scipy.optimize.linprog`, used whenever it is called, such as ``{"time_limit": 60}`` (seconds).
    max_iter : int, default=None
        Iteration limit of each call of a linear programming solver; None is the solver's own limit.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing. With "knots" there is one for each range of alpha in which no fit changes: the geometric
        mean of its ends, or twice the lower end for the first range, which has no upper end.
    knots_ : ndarray of shape (n_alphas,)
        Only with ``alphas="knots"``: the lower ends of these adjacent ranges; row k of `pinball_path_` and column k of
        `coef_path_` hold for a whole range.
    pinball_path_ : ndarray of shape (n_alphas, n_folds)
        Mean pinball loss of the held-out rows of each fold.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `pinball_path_` if `scoring` is given.
        The largest mean is best.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the linear programming solvers in the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
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
    QuantileRegressor : The fit with a given alpha, or with the pivotal one, which needs no cross-validation.
    LADRegressorCV : The median, with the loss not halved.
    QuantileRegressorIC : Chooses alpha by an information criterion.
    ladreg.metrics.pinball_loss : The loss of given predictions.

    Notes
    -----
    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` does. The standard error is the standard deviation of the folds' means divided by the square root of
    the number of folds. For splitters that need groups, such as `GroupKFold`, pass ``fit(X, y, groups=groups)``. A
    scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get the metadata that they request.

    `score` is R2, which measures squared errors; compare quantiles by the pinball loss.

    With at most 3,000 rows, or 10 rows per feature, a path is followed from breakpoint to breakpoint and takes hardly
    longer for 100 alphas than for 20. With more rows each alpha of each fold is a linear program, solved from the
    neighbouring solution: 20 alphas take a fifth of the time and are often enough.

    With ``alphas="knots"`` the paths of all folds and of all rows are followed from breakpoint (knot) to breakpoint.
    Between two knots no coefficient of any fit changes: the mean held-out loss is a step function of alpha, and its
    minimum over all alphas from `eps` times the largest upwards is found. `alpha_min_` is in the range where it is
    attained, `alpha_1se_` in the first range within one standard error of it; of several ranges with the same mean loss
    the one of larger alphas is taken. A path has about as many knots as there are rows or features, or a few times
    that, and there are as many ranges as knots of all paths together. If the coefficients would be more than 2**27
    numbers (1 GiB), ``fit`` raises a ValueError; if a path cannot be followed to its end because a basis is singular up
    to rounding, a RuntimeError: raise `eps`, or pass a number of alphas.

    ``post_selection=0`` is the fit without penalty to the features selected, without the bias of the penalty (the
    relaxed lasso, Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit.
    `verify` judges the final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Wu and Liu 2009). The pilot is the fit of the same quantile without penalty if there are
    more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by
    generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in
    the pilot is zero is excluded. Each fold has its own pilot. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Wu, Y. and Liu, Y. (2009). Variable selection in quantile regression. Statistica Sinica 19(2), 801-817.

    Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1), 33-50. doi:10.2307/1913643

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import QuantileRegressorCV
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = QuantileRegressorCV(quantile=0.9, alphas=20, selection="1se").fit(X, y)
    >>> model.pinball_path_.shape, list(X.columns[model.coef_ != 0])
    ((20, 5), ['sex', 'bmi', 'bp', 's3', 's5', 's6'])
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "pinball_path_"
    pinball_path_: Array

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        solver: Literal["auto", "linprog", "highs", "highs-ds", "highs-ipm"] = "auto",
        solver_options: Mapping[str, Any] | None = None,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            positive=positive,
            bounds=bounds,
            l1_ratio=l1_ratio,
            penalty_weights=penalty_weights,
            gamma=gamma,
            cv=cv,
            scoring=scoring,
            selection=selection,
            post_selection=post_selection,
            max_features=max_features,
            alpha_per_target=alpha_per_target,
            solver_options=solver_options,
            max_iter=max_iter,
            tol=tol,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.quantile, self.solver = quantile, solver

    def _models(self) -> list[CertifiedRegressor]:
        check_single("quantile", self.quantile)
        return [self._like(QuantileRegressor, alpha=1.0)]


class HuberLossRegressorCV(CrossValidatedRegressor):
    r"""Huber's loss, with the strength of the L1 penalty chosen by cross-validation along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, h(y_i - x_i^\top b - b_0) + \alpha \sum_j v_j |b_j|, \qquad
        h(r) = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta \, (|r| - \delta / 2) & |r| > \delta \end{cases}

    with :math:`\delta` for ``epsilon * scale_`` and :math:`v` for `penalty_weights`, as `HuberLossRegressor` does, for
    each :math:`\alpha` of a decreasing grid on the training rows of each fold, and chooses by the mean of :math:`h`
    over the held-out rows. The fit to all rows with the chosen alpha has a certificate.

    Parameters
    ----------
    epsilon : float, default=1.35
        Threshold between the squared and the absolute part, in units of the scale: 1.35 has 95 % of the efficiency of
        least squares for normal errors.
    scale : float or "mad", default="mad"
        Scale of the errors, in units of y. "mad" estimates it as `HuberLossRegressor` does, from the training rows of
        each fold for the fits to these, and from all rows for `scale_`; it is the same for all alphas.
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero in the fit to all rows, or the list of alphas to try, in units of y times units of X. 0, which is in no
        grid, is no penalty. "auto" starts with 100 and extends the grid while the smallest alpha is the best one, by at
        most three decades below `eps`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `HuberLossRegressor`.
    l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `HuberLossRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `HuberLossRegressor`: 0 leaves it unpenalised,
        infinity excludes it. Numbers are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a
        pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        fit by Huber's loss at the same scale to the selected features, without penalty. Held-out losses are computed
        with these coefficients. None is 1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    max_iter : int, default=None
        Limit of Newton steps for each alpha; None for 200.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing.
    huber_path_ : ndarray of shape (n_alphas, n_folds)
        Mean Huber loss of the held-out rows of each fold, with ``delta = epsilon * scale_`` in all of them.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `huber_path_` if `scoring` is given. The
        largest mean is best.
    scale_ : float or ndarray of shape (n_targets,)
        The scale used for the fits to all rows and for the losses of held-out rows.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Newton steps of the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit for the scale used, before `post_selection`.
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
    HuberLossRegressor : The fit with a given alpha.
    LADRegressorCV : Absolute loss, which needs no scale.
    LassoCDCV : Squared loss.
    huber_path : The coefficients for all alphas.
    ladreg.metrics.huber_loss : The loss of given predictions.

    Notes
    -----
    The scale has two uses. In the fit of a fold it is estimated from the training rows, to avoid leakage from held-out
    rows. The held-out losses have to be comparable between folds and are therefore all computed with the scale of the
    fit to all rows. If `scale` is a number, it is used for both.

    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` does. The standard error is the standard deviation of the folds' means divided by the square root of
    the number of folds. For splitters that need groups, such as `GroupKFold`, pass ``fit(X, y, groups=groups)``. A
    scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get the metadata that they request.

    ``post_selection=0`` is Huber's fit to the features selected, without the bias of the penalty (the relaxed lasso,
    Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit. `verify` judges the
    final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Lambert-Lacroix and Zwald 2011). The pilot is the fit of the same loss without penalty if
    there are more rows than columns, and otherwise ridge regression on standardised columns, with the ridge penalty
    chosen by generalised cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose
    coefficient in the pilot is zero is excluded. Each fold has its own pilot. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Lambert-Lacroix, S. and Zwald, L. (2011). Robust regression through the Huber's criterion and adaptive lasso
    penalty. Electronic Journal of Statistics 5, 1015-1053. doi:10.1214/11-EJS635

    Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 73-101.
    doi:10.1214/aoms/1177703732

    Yi, C. and Huang, J. (2017). Semismooth Newton coordinate descent algorithm for elastic-net penalized Huber loss
    regression and quantile regression. Journal of Computational and Graphical Statistics 26(3), 547-557.
    doi:10.1080/10618600.2016.1256816

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    10 % of the targets are outliers; two of twenty features are relevant:

    >>> import numpy as np
    >>> from ladreg import HuberLossRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((120, 20))
    >>> y = 3 * X[:, 4] - 2 * X[:, 7] + rng.standard_normal(120)
    >>> y[::10] += 100
    >>> model = HuberLossRegressorCV(alphas=50, selection="1se").fit(X, y)
    >>> model.huber_path_.shape, np.flatnonzero(model.coef_), round(model.scale_, 1)
    ((50, 5), array([4, 7]), 1.1)
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "huber_path_"
    huber_path_: Array
    scale_: float | Any

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        scale: float | Literal["mad"] = "mad",
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.epsilon = epsilon
        self.scale = scale
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        return [self._like(HuberLossRegressor, alpha=1.0)]

    def _problems_again(self, data: Data, penalty: ElasticNet) -> list[Problem]:
        return self._like(HuberLossRegressor, scale=self.scale_)._problems(data, penalty)

    def _store(self, data: Data, problems: list[Problem], solutions: list[Solution]) -> None:
        super()._store(data, problems, solutions)
        self.scale_ = float(getattr(problems[0], "scale", np.nan))


class CombinedLossRegressorCV(CrossValidatedRegressor):
    r"""The combined L1 and L2 loss, with the strength of the L1 penalty chosen by cross-validation along a path.

    Minimises

    .. math:: \frac{1}{\sum_i w_i} \sum_i w_i \, \big( \rho \, |r_i| + (1 - \rho) \, r_i^2 \big)
        + \alpha \sum_j v_j |b_j|, \qquad r_i = y_i - x_i^\top b - b_0

    with :math:`\rho` for `l1_ratio` and :math:`v` for `penalty_weights`, as `CombinedLossRegressor` does, for each
    :math:`\alpha` of a decreasing grid on the training rows of each fold, and chooses by the mean of the same loss over
    the held-out rows. The fit to all rows with the chosen alpha has a certificate.

    Parameters
    ----------
    l1_ratio : float, default=0.5
        Share of the absolute loss, from 0 (least squares) to 1 (least absolute deviations); it depends on the unit of
        y. Losses with different ratios are not comparable: fit one model for each, and compare these by one loss (see
        Notes).
    eps : float, default=1e-3
        Ratio of the smallest to the largest alpha of the grid.
    alphas : int, "auto" or array-like of shape (n_alphas,), default=100
        Number of alphas on a log-spaced grid that starts at `alpha_max`, from which on all penalised coefficients are
        zero in the fit to all rows, or the list of alphas to try. 0, which is in no grid, is no penalty. "auto" starts
        with 100 and extends the grid while the smallest alpha is the best one, by at most three decades below `eps`.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    positive : bool, default=False
        Whether to restrict coefficients to be >= 0.
    bounds : tuple of two floats or array-likes, default=None
        Smallest and largest values of coefficients, as in `CombinedLossRegressor`.
    penalty_l1_ratio : float, default=1.0
        Share of the L1 penalty, the rest is an L2 term, as in `CombinedLossRegressor`: one number.
    penalty_weights : array-like of shape (n_features,) or "adaptive", default=None
        Penalty factors :math:`v_j \ge 0`, one per feature, as in `CombinedLossRegressor`: 0 leaves it unpenalised,
        infinity excludes it. Numbers are the same in all folds. "adaptive" is :math:`1 / |\tilde b_j|^\gamma` with a
        pilot fit :math:`\tilde b` (see Notes).
    gamma : float, default=1.0
        Exponent :math:`\gamma > 0` of the adaptive penalty factors; not used otherwise.
    cv : int, splitter or iterable, default=None
        Number of folds of consecutive rows, one of scikit-learn's splitters, or pairs of training and held-out rows;
        None is 5 folds. For data in blocks a number, None, or the name of a column whose values are the folds.
    scoring : str or callable, default=None
        Score of the held-out rows: the name of a scorer, such as "neg_median_absolute_error", or a function of a fitted
        estimator, X and y with larger values for better fits. None is the loss that the estimator minimises.
    selection : {"min", "1se"}, default="min"
        "min" chooses the alpha with the smallest mean held-out loss, "1se" the largest alpha whose mean loss is within
        one standard error of it: fewer features, with an error statistically as good as the best.
    post_selection : float, default=None
        Share s, between 0 and 1: the coefficients are s times those of the penalised fit plus 1 - s times those of the
        fit by the same loss to the selected features, without penalty. Held-out losses are computed with these
        coefficients. None is 1: no refit.
    max_features : int, default=None
        Largest number of non-zero coefficients. The path of the fits to all rows ends before the first alpha with more,
        and alpha is chosen from the remaining ones, also with "1se". None is no limit.
    alpha_per_target : bool, default=False
        Whether to choose one `alpha` for each column of a two-dimensional y, on a grid of its own. Otherwise all
        targets have one `alpha`, with the smallest mean over the targets of the losses of held-out rows; the grid then
        begins with the largest of the targets' largest alphas. Not used with a one-dimensional y.
    max_iter : int, default=None
        Iteration limit of the solver for each alpha; None is its default.
    tol : float, default=1e-9
        Largest relative gap between objective and proved bound that is accepted without a ConvergenceWarning.
    n_jobs : int, default=None
        Number of threads for the folds. Results do not depend on it.
    verbose : int, default=0
        1 prints one line per fold and one for the choice, larger values also joblib's progress.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha.
    alpha_min_ : float or ndarray of shape (n_targets,)
        The alpha with the smallest mean held-out loss.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        The largest alpha whose mean loss is within one standard error of the smallest.
    alphas_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        The alphas, decreasing.
    combined_path_ : ndarray of shape (n_alphas, n_folds)
        Mean combined loss of the held-out rows of each fold.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Scores of the held-out rows of each fold, larger is better, instead of `combined_path_` if `scoring` is given.
        The largest mean is best.
    coef_path_ : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients of the penalised fits to all rows.
    intercept_path_ : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Their intercepts.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at the chosen alpha; exactly zero for features that are not selected.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0 if `fit_intercept` is False.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations of the solver in the last fit, which starts from the path's; at least 1.
    objective_ : float or ndarray of shape (n_targets,)
        Objective of the penalised fit.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Proved upper bound of ``objective_ - optimum``.
    certificate_ : Certificate or list of Certificate
        The certificate of the penalised fit, before `post_selection`.
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
    CombinedLossRegressor : The fit with a given alpha.
    LADRegressorCV : The absolute loss alone.
    LassoCDCV : The squared loss alone, halved.
    combined_path : The coefficients for all alphas.
    ladreg.metrics.combined_loss : The loss of given predictions.

    Notes
    -----
    To choose `l1_ratio` too, compare models by a loss that does not depend on it, such as
    ``GridSearchCV(CombinedLossRegressorCV(), {"l1_ratio": [0.1, 0.5, 0.9]}, scoring="neg_mean_absolute_error")``.

    The mean loss of a fold is weighted by `sample_weight`; the means of the folds are averaged without weights, as
    `GridSearchCV` does. The standard error is the standard deviation of the folds' means divided by the square root of
    the number of folds. For splitters that need groups, such as `GroupKFold`, pass ``fit(X, y, groups=groups)``. A
    scorer gets `sample_weight`; with metadata routing enabled, splitter and scorer get the metadata that they request.

    ``post_selection=0`` is the fit without penalty to the features selected, without the bias of the penalty (the
    relaxed lasso, Meinshausen 2007). `certificate_`, `dual_gap_` and `objective_` are those of the penalised fit.
    `verify` judges the final coefficients, whose penalised objective is above the optimum.

    ``penalty_weights="adaptive"`` divides the penalty of a feature by the absolute value of its coefficient in a pilot
    fit, to the power `gamma` (Zou 2006). The pilot is the fit of the same loss without penalty if there are more rows
    than columns, and otherwise ridge regression on standardised columns, with the ridge penalty chosen by generalised
    cross-validation, as in `LassoCD`, which is not robust to outliers in y. A feature whose coefficient in the pilot is
    zero is excluded. Each fold has its own pilot. Each target has a pilot.

    Several targets are fitted separately, and attributes that depend on y have the targets as their first axis. If all
    targets have one `alpha`, the attributes of alphas have no such axis, and losses are averaged over targets in the
    units of these. Rows of targets whose grids or paths end earlier than others are filled up with NaN. A scorer is
    called with one target at a time.

    References
    ----------
    Zou, H. (2006). The adaptive lasso and its oracle properties. JASA 101(476), 1418-1429.
    doi:10.1198/016214506000000735

    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, second edition,
    section 7.10. Springer. doi:10.1007/978-0-387-84858-7

    Meinshausen, N. (2007). Relaxed lasso. Computational Statistics and Data Analysis 52(1), 374-393.
    doi:10.1016/j.csda.2006.12.019

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import CombinedLossRegressorCV
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = CombinedLossRegressorCV(l1_ratio=0.9, alphas=20, selection="1se").fit(X, y)
    >>> model.combined_path_.shape, list(X.columns[model.coef_ != 0])
    ((20, 5), ['sex', 'bmi', 'bp', 's3', 's5', 's6'])
    >>> model.certificate_.relative_gap < 1e-12
    True
    """

    _losses_name = "combined_path_"
    combined_path_: Array

    def __init__(
        self,
        *,
        l1_ratio: float = 0.5,
        eps: float = 1e-3,
        alphas: int | ArrayLike = 100,
        fit_intercept: bool = True,
        positive: bool = False,
        bounds: Bounds | None = None,
        penalty_l1_ratio: float = 1.0,
        penalty_weights: ArrayLike | Literal["adaptive"] | None = None,
        gamma: float = 1.0,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        selection: Literal["min", "1se"] = "min",
        post_selection: float | None = None,
        max_features: int | None = None,
        alpha_per_target: bool = False,
        max_iter: int | None = None,
        tol: float = 1e-9,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.bounds = bounds
        self.penalty_l1_ratio = penalty_l1_ratio
        self.penalty_weights = penalty_weights
        self.gamma = gamma
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.post_selection = post_selection
        self.max_features = max_features
        self.alpha_per_target = alpha_per_target
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _models(self) -> list[CertifiedRegressor]:
        check_single("l1_ratio", self.l1_ratio)
        return [self._like(CombinedLossRegressor, alpha=1.0)]
