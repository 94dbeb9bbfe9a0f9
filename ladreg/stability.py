"""Stability selection: which features an estimator selects again and again from halves of the data."""

from __future__ import annotations

import inspect
from bisect import bisect_right
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from operator import attrgetter
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.feature_selection import SelectorMixin
from sklearn.linear_model import ElasticNet, Lasso
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_is_fitted,
    check_X_y,
    has_fit_parameter,
    validate_data,
)

from ladreg._arrays import Array, MatrixLike
from ladreg._estimators import (
    NO_BLOCKS,
    CallbackSupportMixin,
    CertifiedRegressor,
    Versioned,
    all_or_nothing,
    are_blocks,
    check_choice,
    check_count,
    check_real,
    check_verbose,
    feature_weights,
    is_adaptive,
    relative_weights,
    root_task,
    sound,
    subtasks,
    task,
    with_callbacks,
)
from ladreg._tuning import CrossValidatedRegressor, check_number_of_alphas, rows_of
from ladreg.lasso import ElasticNetCD, LassoCD, alpha_max
from ladreg.path import enet_path

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

# The unimodal bound is proved if a fit selects at most sqrt(1/3) of the features.
LARGEST_SHARE = 3.0**-0.5
ASSUMPTIONS = (None, "unimodal")
# Sizes of coefficients that differ by a part of 1e-9 or less count as equal: equal columns differ by rounding.
_EQUAL = 1e-9


@dataclass(frozen=True)
class Sample:
    """What the estimator is fitted to: rows, with their weights if there are any, and other parameters of `fit`.

    X is an array or a data frame. `groups` are the names of the groups that rows belong to, which are drawn as a whole;
    `classes` are the numbers of the classes of rows, of each of which half of the rows or groups is drawn.
    """

    X: Any
    y: NDArray[Any]
    weight: Array | None
    others: dict[str, Any]
    classes: NDArray[np.intp] | None = None
    groups: NDArray[Any] | None = None

    def halves(self, seed: int) -> tuple[Rows, Rows]:
        """The rows of two random halves that have neither rows nor groups in common."""
        if self.groups is None:
            return complementary_halves(self.n_samples, seed, self.classes)
        _, first_rows, group = np.unique(self.groups, return_index=True, return_inverse=True)
        classes = None if self.classes is None else self.classes[first_rows]
        halves = complementary_halves(first_rows.size, seed, classes)
        first, second = (np.flatnonzero(np.isin(group, drawn)) for drawn in halves)
        return first, second

    def check_groups(self) -> None:
        """Raise a ValueError if there is one group alone, or a group is in two classes."""
        if self.groups is None:
            return
        names, first_rows, group = np.unique(self.groups, return_index=True, return_inverse=True)
        if names.size < 2:
            raise ValueError(f"groups must have at least two groups, got {names.size}: halves consist of whole groups.")
        if self.classes is None:
            return
        mixed = np.flatnonzero(self.classes != self.classes[first_rows][group])
        if mixed.size:
            raise ValueError(
                f"stratify must be the same in all rows of a group, but group {self.groups[mixed[0]]!r} is in two "
                "classes: pass larger classes, or no groups."
            )

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.X.shape[1])

    @property
    def fit_params(self) -> dict[str, Any]:
        """All that `fit` takes after y."""
        return self.others if self.weight is None else {"sample_weight": self.weight, **self.others}

    def take(self, rows: Rows) -> Sample:
        """Some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        classes, groups = (None if one is None else one[rows] for one in (self.classes, self.groups))
        others = {
            name: rows_of(value, rows) if _is_one_for_each(value, self.n_samples) else value
            for name, value in self.others.items()
        }
        return Sample(rows_of(self.X, rows), self.y[rows], weight, others, classes, groups)


class StabilitySelection(CallbackSupportMixin, Versioned, SelectorMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Keep the features that an estimator selects in most random halves of the data.

    The rows are split at random into two halves many times (complementary pairs), and the estimator is fitted to each
    half at several values :math:`\alpha` of its tuning parameter. With :math:`\hat S_\alpha(A)` for the features with
    non-zero coefficients in the fit to the half A, it keeps the features with

    .. math:: \max_\alpha \frac{1}{2B} \sum_{b=1}^{2B} 1\{j \in \hat S_\alpha(A_b)\} \ge \tau

    with B for `n_pairs` and :math:`\tau` for `threshold`. The expected number of false selections is bounded in terms
    of the number q of features selected in each half, for any data and estimator (see Notes).

    Parameters
    ----------
    estimator : object, default=None
        Any estimator with `coef_` or `feature_importances_` after `fit`; None is ``LassoCD()``. It is cloned. X is
        standardised only if the estimator does so.
    parameter : str, default="alpha"
        Name of the tuning parameter, as in `set_params`: "C", or "lassocd__alpha" for a step of a pipeline.
    alphas : int, array-like of shape (n_alphas,) or None, default=10
        Values of the parameter, or their number: a log-spaced grid from the smallest value that selects no feature in
        the fit to all rows down to `eps` times that value (for ladreg's estimators with a penalty, and scikit-learn's
        `Lasso` and `ElasticNet`). With None the estimator is fitted once, without changing the parameter.
    eps : float, default=0.1
        Ratio of the smallest to the largest value of the grid.
    n_pairs : int, default=50
        Number of complementary pairs: the estimator is fitted to ``2 * n_pairs`` halves.
    threshold : float or "auto", default=0.6
        Smallest fraction of the halves in which a feature has to be selected to be kept; values from 0.6 to 0.9 are
        usual. "auto" is the smallest value that meets `max_false_selections`.
    max_features_per_fit : int, default=None
        Largest number q of features selected in each half: the first to be selected as the parameter moves from few
        features to many; of features selected at the same value those with the largest coefficients. A feature counts
        as selected from there on. None is no limit, or the number that meets `max_false_selections`.
    max_false_selections : float, default=None
        Upper bound on the expected number of false selections. Any two of `threshold`, `max_features_per_fit` and this
        number determine the third.
    assumption : {None, "unimodal"}, default=None
        Assumption about the fraction of pairs in which a feature is selected in both halves: none, or that its
        distribution has a single peak, which about halves the bound.
    weakness : float, default=None
        The number :math:`w`, above 0 and at most 1, of the randomised lasso: in each half the penalty of each feature
        is divided by w or by 1, at random, so that each of several correlated features is selected in some halves.
        Values from 0.2 to 0.8 are usual. The estimator needs the parameter `penalty_weights`, as ladreg's have. None is
        1.
    importance_getter : str or callable, default="auto"
        Coefficients of the fitted estimator: an attribute such as ``"named_steps.lassocd.coef_"``, or a function of the
        estimator. "auto" is `coef_`, or `feature_importances_`.
    random_state : int, RandomState instance or None, default=None
        Seed for the halves, and for random states of the estimator and its splitters that are not integers.
    n_jobs : int, default=None
        Number of threads. Results do not depend on it.
    verbose : int, default=0
        Verbosity of joblib. scikit-learn's callbacks, such as its progress bar, get one task per pair.

    Attributes
    ----------
    selection_probabilities_ : ndarray of shape (n_features,)
        Fraction of the halves in which each feature was selected, at its best value of the parameter.
    feature_importances_ : ndarray of shape (n_features,)
        `selection_probabilities_` under the name by which scikit-learn's meta-estimators ask (see Notes).
    stability_paths_ : ndarray of shape (n_features, n_alphas)
        The same for every value of the parameter.
    alphas_ : ndarray of shape (n_alphas,) or None
        Values of the parameter, from few features to many; None if the estimator was used as it is.
    threshold_ : float
        The threshold used.
    max_features_per_fit_ : int or None
        The limit used.
    n_features_per_fit_ : float
        Mean number of features selected in a half at any value of the parameter.
    expected_false_selections_ : float
        Bound on the expected number of false selections, for q as limited, or the observed mean if there is no limit.
        Infinite for thresholds up to 1/2.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    false_selections_bound : The bound, computed without data.
    sklearn.feature_selection.SelectFromModel : Features selected by one fit.

    Notes
    -----
    A feature is a false selection if its probability of being selected in a half is at most the average, :math:`q / p`
    for :math:`p` features. Shah and Samworth (2013) prove that, for complementary pairs,

    .. math:: E|\text{false selections}| \le \frac{q^2}{(2 \tau - 1) \, p}

    for any data and estimator. Where noise features are exchangeable and an estimator is no worse than guessing, this
    is the bound of Meinshausen and Bühlmann (2010) on the number of noise features selected. The bound is for the
    expected q; without `max_features_per_fit` the observed mean is used, which is only an estimate.

    Other selectors take it as an estimator with importances, `RFE` and `SelectFromModel` among them. The default
    threshold of the latter is the mean importance, not `threshold_`: pass ``SelectFromModel(selector, threshold=0.6)``
    for the features that `StabilitySelection` itself keeps.

    Rows of weight zero are ignored; other weights are passed to the estimator with their rows. A row of weight two is
    not the same as two rows here: it is in one half only, whereas two rows may be in both. For classifiers each half
    has half the rows of each class, up to one; the bound then holds given the class sizes.

    References
    ----------
    Meinshausen, N. and Bühlmann, P. (2010). Stability selection. JRSS B 72(4), 417-473.
    doi:10.1111/j.1467-9868.2010.00740.x

    Shah, R. D. and Samworth, R. J. (2013). Variable selection with error control: another look at stability selection.
    JRSS B 75(1), 55-80. doi:10.1111/j.1467-9868.2011.01034.x

    Examples
    --------
    Three of fifty features matter, and at most one false one is to be expected:

    >>> import numpy as np
    >>> from ladreg.stability import StabilitySelection
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 50))
    >>> y = X[:, :3] @ [2, -1, 1] + rng.standard_normal(100)
    >>> selector = StabilitySelection(threshold=0.75, max_false_selections=1, n_pairs=20, random_state=0).fit(X, y)
    >>> selector.get_support(indices=True), selector.max_features_per_fit_
    (array([0, 1, 2]), 5)
    """

    _doc_link_module = "ladreg"
    _doc_link_template = "https://ladreg.readthedocs.io/en/stable/generated/ladreg.{estimator_name}.html"

    selection_probabilities_: Array
    stability_paths_: Array
    alphas_: NDArray[Any] | None
    threshold_: float
    max_features_per_fit_: int | None
    n_features_per_fit_: float
    expected_false_selections_: float
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        estimator: Any = None,
        *,
        parameter: str = "alpha",
        alphas: int | ArrayLike | None = 10,
        eps: float = 0.1,
        n_pairs: int = 50,
        threshold: float | Literal["auto"] = 0.6,
        max_features_per_fit: int | None = None,
        max_false_selections: float | None = None,
        assumption: Literal["unimodal"] | None = None,
        weakness: float | None = None,
        importance_getter: str | Callable[[Any], Any] = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.parameter = parameter
        self.alphas = alphas
        self.eps = eps
        self.n_pairs = n_pairs
        self.threshold = threshold
        self.max_features_per_fit = max_features_per_fit
        self.max_false_selections = max_false_selections
        self.assumption: Literal["unimodal"] | None = assumption
        self.weakness = weakness
        self.importance_getter = importance_getter
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        stratify: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the estimator to halves of the data and count the selections.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Training data. Estimators of other packages get a DataFrame if X is one, and check missing values
            themselves.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target, as the estimator takes it. With several targets a feature is selected if it is selected for any of
            them.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, such as a patient. Whole groups are drawn: no group is in both halves. If the estimator's
            folds need groups, it gets those of its half.
        stratify : array-like of shape (n_samples,), default=None
            Class of each row: each half has half of the rows of each class, up to one, or half of its groups; no group
            may be in two classes. None stratifies by y for classifiers without groups.
        **fit_params : dict
            Parameters of the estimator's `fit`. `sample_weight`, which must be >= 0, and other parameters with one
            entry per row are split between the halves; the others are passed unchanged.

        Returns
        -------
        object
            The fitted selector.

        Raises
        ------
        ValueError
            If a parameter is out of its range or contradicts another, if `max_false_selections` cannot be met, and as
            the estimator does for invalid data.
        """
        with all_or_nothing(self):
            self._select(X, y, groups, stratify, fit_params)
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _select(
        self,
        X: MatrixLike,
        y: ArrayLike,
        groups: ArrayLike | None,
        stratify: ArrayLike | None,
        fit_params: dict[str, Any],
    ) -> None:
        if are_blocks(X):
            raise TypeError(NO_BLOCKS.format(type(self).__name__))
        self._check_parameters()
        estimator = clone(self._estimator)
        self._check_weakness(estimator)
        if groups is not None and (get_config()["enable_metadata_routing"] or _splits_groups(estimator)):
            fit_params = {**fit_params, "groups": groups}
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        others = {name: value for name, value in fit_params.items() if name != "sample_weight"}
        data = self._data(estimator, X, y, fit_params.get("sample_weight"), others, groups, stratify)
        self._decide(data.n_features)
        context = root_task(self, self.n_pairs)
        with task(context, self, X=X, y=y):
            self.alphas_ = self._settings(estimator, data)
            seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=self.n_pairs)
            columns = None if self.weakness is None else _distinct_columns(data.X)
            pairs = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, prefer="threads")(
                delayed(self._pair)(estimator, data, seed, columns, one)
                for seed, one in zip(seeds, subtasks(context, "pair", self.n_pairs), strict=True)
            )
            self._store(pairs)

    def get_metadata_routing(self) -> MetadataRouter:
        """What `fit` hands on to the estimator, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        MetadataRouter
            The requests of the estimator's `fit`; `groups` and `stratify` are taken by the selector itself.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(estimator=self._estimator, method_mapping=mapping)

    def _check_parameters(self) -> None:
        check_real("eps", self.eps, low=0.0, high=1.0, open_ends=True)
        check_count("n_pairs", self.n_pairs)
        check_count("max_features_per_fit", self.max_features_per_fit, optional=True)
        check_choice("assumption", self.assumption, ASSUMPTIONS)
        if self.weakness is not None:
            check_real("weakness", self.weakness, low=0.0, high=1.0)
            if self.weakness == 0:
                raise ValueError(f"weakness must be above 0, got {self.weakness!r}: penalties are divided by it.")
        if self.max_false_selections is not None:
            check_real("max_false_selections", self.max_false_selections, low=0.0, open_ends=True)
        check_verbose(self.verbose)
        alphas: Any = self.alphas
        if isinstance(alphas, Integral) or np.size(alphas) > 1:
            check_number_of_alphas(alphas)
        if not (callable(self.importance_getter) or isinstance(self.importance_getter, str)):
            raise ValueError(f"importance_getter must be a string or a function, got {self.importance_getter!r}.")
        if isinstance(self.threshold, str):
            check_choice("threshold", self.threshold, ("auto",))
        else:
            check_real("threshold", self.threshold, low=0.0, high=1.0)
        others = (self.max_features_per_fit is not None) + (self.max_false_selections is not None)
        if (others == 2) != (self.threshold == "auto"):
            raise ValueError(
                "Any two of threshold, max_features_per_fit and max_false_selections determine the third, got "
                f"{self.threshold!r}, {self.max_features_per_fit!r} and {self.max_false_selections!r}."
            )

    @property
    def _weights_name(self) -> str:
        """Name of the penalty weights beside the tuning parameter, as in `set_params`."""
        prefix, _, _ = self.parameter.rpartition("__")
        return f"{prefix}__penalty_weights" if prefix else "penalty_weights"

    def _check_weakness(self, estimator: Any) -> None:
        """Raise a ValueError if penalties are to be divided and there are none to divide."""
        if self.weakness is not None and self._weights_name not in estimator.get_params():
            raise ValueError(
                f"weakness={self.weakness!r} divides penalty_weights, but {estimator!r} has no parameter "
                f"{self._weights_name!r}: choose one of ladreg's estimators, or set weakness to None."
            )

        if self.weakness is not None and is_adaptive(estimator.get_params()[self._weights_name]):
            raise ValueError(
                f"weakness={self.weakness!r} divides penalty_weights, which must then be numbers, got 'adaptive': "
                "omit one of the two."
            )

    @property
    def _estimator(self) -> Any:
        return LassoCD() if self.estimator is None else self.estimator

    def _data(
        self,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        others: dict[str, Any],
        groups: ArrayLike | None,
        stratify: ArrayLike | None,
    ) -> Sample:
        """The data, checked as far as is needed to halve them; the estimator checks them again."""
        X, y = self._checked(estimator, X, y)
        if sp.issparse(y):
            raise ValueError("y must be dense; call y.toarray() first.")
        if stratify is None and groups is None and is_classifier(estimator) and np.ndim(y) == 1:
            stratify = y
        names, classes = (
            _one_a_row(name, values, len(np.asarray(y)))
            for name, values in (("groups", groups), ("stratify", stratify))
        )
        classes = None if classes is None else np.unique(classes, return_inverse=True)[1]
        if sample_weight is None:
            sample = Sample(X, np.asarray(y), None, others, classes, names)
            sample.check_groups()
            return sample
        if not has_fit_parameter(estimator, "sample_weight"):
            raise ValueError(f"sample_weight is given, but {estimator!r} does not take it.")
        present = relative_weights(sample_weight, len(np.asarray(y))) > 0
        weight = np.where(present, np.asarray(sample_weight, dtype=np.float64), 0.0)
        rows = np.flatnonzero(weight)
        if rows.size < 2:
            raise ValueError(f"sample_weight must have at least two non-zero numbers, got {rows.size}.")
        sample = Sample(X, np.asarray(y), weight, others, classes, names).take(rows)
        sample.check_groups()
        return sample

    def _checked(self, estimator: Any, X: Any, y: ArrayLike) -> tuple[Any, Any]:
        """X and y; their values are checked here for estimators of ladreg only, since others check them in `fit`.

        A data frame stays a data frame for other estimators, which may use its columns.
        """
        target: Any = {"multi_output": True, "y_numeric": is_regressor(estimator)}
        ours = isinstance(estimator, CertifiedRegressor)
        if ours or not is_frame(X):
            values: Any = {} if ours else {"dtype": None, "ensure_all_finite": False}
            return validate_data(self, sound(X), y, accept_sparse="csr", ensure_min_samples=2, **values, **target)
        validate_data(self, X, skip_check_array=True)
        _, y = check_X_y(np.zeros((X.shape[0], 1)), y, ensure_min_samples=2, estimator=self, **target)
        return X, y

    def _decide(self, n_features: int) -> None:
        """Settle the threshold and the limit of features per fit: two of three numbers determine the third."""
        limit = self.max_features_per_fit
        self.max_features_per_fit_ = None if limit is None else min(int(limit), n_features)
        self.threshold_ = np.nan if isinstance(self.threshold, str) else float(self.threshold)
        if self.max_false_selections is None:
            return
        wanted = float(self.max_false_selections)
        if self.max_features_per_fit_ is None:
            found = self._most_features(n_features, wanted)
            self.max_features_per_fit_ = found
        else:
            shares = np.arange(1, 2 * self.n_pairs + 1) / (2 * self.n_pairs)
            found = sum(self._bound(self.max_features_per_fit_, n_features, share) <= wanted for share in shares)
            self.threshold_ = float(shares[-found])
        if not found:
            raise ValueError(
                f"max_false_selections={wanted:g} cannot be met for n_features={n_features} with "
                f"threshold={self.threshold!r} and max_features_per_fit={self.max_features_per_fit!r}: "
                "allow more false selections or fewer features."
            )

    def _most_features(self, n_features: int, wanted: float) -> int:
        """The largest number of features per fit with a bound, which grows with it, of at most `wanted`; possibly 0."""
        candidates = range(1, n_features + 1)
        return bisect_right(candidates, wanted, key=lambda limit: self._bound(limit, n_features, self.threshold_))

    def _bound(self, n_features_per_fit: float, n_features: int, threshold: float) -> float:
        return false_selections_bound(
            n_features_per_fit, n_features, threshold, n_pairs=self.n_pairs, assumption=self.assumption
        )

    def _settings(self, estimator: Any, data: Sample) -> NDArray[Any] | None:
        """Values of the parameter, from few features to many."""
        if self.alphas is None:
            return None
        if self.parameter not in estimator.get_params():
            raise ValueError(
                f"{estimator!r} has no parameter {self.parameter!r}: set parameter to another name, or alphas to None."
            )
        if isinstance(self.alphas, Integral):
            largest = self._largest(estimator, data)
            return np.geomspace(largest, self.eps * largest, int(self.alphas))
        values = np.asarray(self.alphas)
        if values.ndim != 1 or not values.size or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"alphas must be None, an integer or a list of finite numbers, got {self.alphas!r}.")
        values = np.sort(values)
        ends = (next(self._fits(seeded(estimator, 0), data, values[[end]])) for end in (0, -1))
        few, many = (np.count_nonzero(sizes) for sizes in ends)
        return values if few < many else values[::-1].copy()

    def _largest(self, estimator: Any, data: Sample) -> float:
        """The smallest value of the parameter that selects nothing, above zero."""
        if self.parameter == "alpha" and hasattr(estimator, "alpha_max"):
            found = estimator.alpha_max(data.X, data.y, data.weight)
        elif self.parameter == "alpha" and type(estimator) in {ElasticNetCD, LassoCD, ElasticNet, Lasso}:
            names = {"l1_ratio", "fit_intercept", "positive", "bounds", "penalty_weights", "gamma", "standardize"}
            same = {name: value for name, value in estimator.get_params().items() if name in names}
            found = alpha_max(data.X, data.y, sample_weight=data.weight, **same)
        else:
            raise ValueError(
                f"alphas={self.alphas!r} requests a grid, but the largest {self.parameter} of {estimator!r} is not "
                "known: pass a list of values, or None to fit the estimator unchanged."
            )
        return max(float(np.max(found)), np.finfo(np.float64).tiny / self.eps)

    def _pair(
        self, estimator: Any, data: Sample, seed: int, columns: NDArray[np.intp] | None, context: Any
    ) -> tuple[NDArray[np.int8], int]:
        """Per setting and feature, how many halves of a pair select it; how many features the halves select in all."""
        with task(context, self):
            first, second = (
                self._selected(self._drawn(estimator, columns, seed, half), data.take(rows), self.alphas_)
                for half, rows in enumerate(data.halves(seed))
            )
        n_selected = np.count_nonzero(first.any(axis=0)) + np.count_nonzero(second.any(axis=0))
        return first.astype(np.int8) + second, int(n_selected)

    def _drawn(self, estimator: Any, columns: NDArray[np.intp] | None, seed: int, half: int) -> Any:
        """The estimator for a half: its random states, and the penalties of the randomised lasso."""
        model = seeded(estimator, seed, half)
        if columns is None:
            return model
        assert self.weakness is not None  # there would be no columns
        coins = np.random.default_rng((seed, half, 1)).integers(0, 2, size=int(columns.max()) + 1)
        factors = np.where(coins == 1, float(self.weakness), 1.0)[columns]
        own = feature_weights("penalty_weights", model.get_params()[self._weights_name], columns.size)
        return model.set_params(**{self._weights_name: own / factors})

    def _selected(self, estimator: Any, data: Sample, alphas: NDArray[Any] | None) -> Mask:
        """Which features are selected at each setting, of shape (n_settings, n_features)."""
        limit = self.max_features_per_fit_
        selected = np.zeros((1 if alphas is None else alphas.size, data.n_features), dtype=bool)
        for step, sizes in enumerate(self._fits(estimator, data, alphas)):
            if limit is None:
                selected[step] = sizes > 0
                continue
            entering = np.flatnonzero((sizes > 0) & ~selected[step])
            left = limit - np.count_nonzero(selected[step])
            if entering.size > left:
                # Features of equal size, as equal columns have it, come in together or not at all.
                border = -np.partition(-sizes[entering], left)[left]
                entering = entering[sizes[entering] > border * (1.0 + _EQUAL)]
                selected[step:, entering] = True
                break
            selected[step:, entering] = True
            if entering.size == left:
                break
        return selected

    def _fits(self, estimator: Any, data: Sample, alphas: NDArray[Any] | None) -> Iterator[Array]:
        """Sizes of the coefficients at each setting; a certified fit may start from the last, with the same result."""
        model = clone(estimator)
        if alphas is not None and alphas.size > 1 and self._has_path(model, data):
            yield from np.abs(self._path(model, data, alphas)).T
            return
        if isinstance(model, CertifiedRegressor) and alphas is not None and alphas.size > 1:
            model.set_params(warm_start=True)
        for settings in [{}] if alphas is None else [{self.parameter: value} for value in alphas.tolist()]:
            model.set_params(**settings).fit(data.X, data.y, **data.fit_params)
            yield self._sizes(model, data.n_features)

    def _has_path(self, model: Any, data: Sample) -> bool:
        """Whether all settings can be solved as one path."""
        plain = type(model) in (ElasticNetCD, LassoCD) and self.parameter == "alpha" and not data.others
        return plain and data.y.ndim == 1 and self.importance_getter in ("auto", "coef_")

    def _path(self, model: Any, data: Sample, alphas: NDArray[Any]) -> Array:
        names = set(model.get_params()) - {"alpha", "l1_ratio", "warm_start"}
        same = {name: getattr(model, name) for name in names}
        order = np.argsort(-alphas, kind="stable")
        _, coefs, _ = enet_path(
            data.X, data.y, l1_ratio=model.l1_ratio, alphas=alphas, sample_weight=data.weight, **same
        )
        found = np.empty_like(coefs)
        found[:, order] = coefs
        return found

    def _sizes(self, model: Any, n_features: int) -> Array:
        """The largest absolute coefficient, or importance, of each feature."""
        getter = self.importance_getter
        if getter == "auto":
            getter = next((name for name in ("coef_", "feature_importances_") if hasattr(model, name)), "auto")
        if getter == "auto":
            raise ValueError(f"{model!r} has neither coef_ nor feature_importances_: pass importance_getter.")
        found: Any = attrgetter(getter)(model) if isinstance(getter, str) else getter(model)
        dense = found.toarray() if hasattr(found, "toarray") else found
        values: NDArray[Any] = np.abs(np.atleast_2d(np.asarray(dense, dtype=np.float64)))
        if values.ndim != 2 or values.shape[1] != n_features:
            raise ValueError(
                f"{getter!r} must return one number for each of {n_features} features, got {values.shape}."
            )
        sizes: Array = values.max(axis=0)
        return sizes

    def _store(self, pairs: list[tuple[NDArray[np.int8], int]]) -> None:
        n_halves = 2 * len(pairs)
        counts = np.zeros(pairs[0][0].shape, dtype=np.int64)
        for selected, _ in pairs:
            counts += selected
        self.stability_paths_ = counts.T / n_halves
        self.selection_probabilities_ = self.stability_paths_.max(axis=1)
        self.n_features_per_fit_ = sum(n_selected for _, n_selected in pairs) / n_halves
        limit = self.n_features_per_fit_ if self.max_features_per_fit_ is None else self.max_features_per_fit_
        self.expected_false_selections_ = self._bound(limit, self.selection_probabilities_.size, self.threshold_)

    @property
    def feature_importances_(self) -> Array:
        """`selection_probabilities_`, under the name that scikit-learn's meta-estimators ask for."""
        check_is_fitted(self)
        return self.selection_probabilities_

    def _get_support_mask(self) -> Mask:
        check_is_fitted(self)
        mask: Mask = self.selection_probabilities_ >= self.threshold_
        return mask

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._estimator)
        tags.target_tags = inner.target_tags
        tags.target_tags.required = True
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        return tags


def false_selections_bound(
    n_features_per_fit: float,
    n_features: int,
    threshold: float,
    *,
    n_pairs: int = 50,
    assumption: Literal["unimodal"] | None = None,
) -> float:
    r"""Bound on the expected number of false selections by `StabilitySelection`.

    .. math:: C(\tau) \, \frac{q^2}{p}, \qquad C(\tau) = \frac{1}{2 \tau - 1}

    without assumptions. If the distribution of the fraction of pairs in which a feature is selected in both halves has
    a single peak,

    .. math:: C(\tau) = \begin{cases}
        \dfrac{1}{2 \, (2 \tau - 1 - 1 / (2 B))} & \tau \le 3/4 \\
        \dfrac{4 \, (1 - \tau + 1 / (2 B))}{1 + 1 / B} & \tau > 3/4
        \end{cases}

    for :math:`q / p \le 1 / \sqrt 3` and :math:`\tau > \frac12 + \min\{(q/p)^2, \frac{1}{2B} + \frac34 (q/p)^2\}`;
    elsewhere it is the bound without assumptions. The threshold is rounded up to a multiple of 1 / (2 B), which makes
    no difference for fractions of 2 B halves.

    Parameters
    ----------
    n_features_per_fit : float
        Number q of features selected in a half.
    n_features : int
        Number p of features.
    threshold : float
        Fraction :math:`\tau` of the halves in which a feature has to be selected to be kept.
    n_pairs : int, default=50
        Number B of complementary pairs.
    assumption : {None, "unimodal"}, default=None
        Whether a single peak may be assumed.

    Returns
    -------
    float
        The bound, infinite for thresholds up to 1/2.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Shah, R. D. and Samworth, R. J. (2013). Variable selection with error control: another look at stability selection.
    JRSS B 75(1), 55-80. doi:10.1111/j.1467-9868.2011.01034.x (theorems 1 and 2)

    Examples
    --------
    >>> from ladreg.stability import false_selections_bound
    >>> false_selections_bound(10, 200, 0.75), round(false_selections_bound(10, 200, 0.9, assumption="unimodal"), 4)
    (1.0, 0.2157)
    """
    check_count("n_features", n_features)
    check_real("n_features_per_fit", n_features_per_fit, low=0.0, high=float(n_features))
    check_real("threshold", threshold, low=0.0, high=1.0)
    check_count("n_pairs", n_pairs)
    check_choice("assumption", assumption, ASSUMPTIONS)
    shares = np.arange(2 * n_pairs + 1) / (2 * n_pairs)
    tau = float(shares[np.searchsorted(shares, threshold)])
    share = n_features_per_fit / n_features
    if tau <= 0.5:
        return np.inf
    factor = 1.0 / (2.0 * tau - 1.0)
    least = 0.5 + min(share**2, 0.5 / n_pairs + 0.75 * share**2)
    if assumption == "unimodal" and share <= LARGEST_SHARE and tau > least:
        factor = _unimodal(tau, n_pairs)
    return float(factor * share * n_features_per_fit)


def _unimodal(tau: float, n_pairs: int) -> float:
    """The largest ``P(Z >= 2 tau - 1) / E Z`` of a unimodal share Z of `n_pairs`, if its mean is small."""
    step = 0.5 / n_pairs
    return 0.5 / (2.0 * tau - 1.0 - step) if tau <= 0.75 else 4.0 * (1.0 - tau + step) / (1.0 + 2.0 * step)


def complementary_halves(n_samples: int, seed: int, classes: NDArray[np.intp] | None = None) -> tuple[Rows, Rows]:
    """Two random sets of ``n_samples // 2`` rows that have none in common, with half of each class up to a row."""
    order = np.random.default_rng(seed).permutation(n_samples)
    half = n_samples // 2
    if classes is None:
        return np.sort(order[:half]), np.sort(order[half : 2 * half])
    if 2 * half < n_samples:  # a row of the largest class is left out
        largest = np.bincount(classes).argmax()
        order = np.delete(order, np.flatnonzero(classes[order] == largest)[-1])
    order = order[np.argsort(classes[order], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def _one_a_row(name: str, values: Any, n_samples: int) -> NDArray[Any] | None:
    """Names of groups or classes, one for each row; a ValueError for another number of them."""
    if values is None:
        return None
    found = np.asarray(values)
    if found.shape != (n_samples,):
        raise ValueError(f"{name} must have shape ({n_samples},), one label per row, got {found.shape}.")
    return found


def _splits_groups(estimator: Any) -> bool:
    """Whether the estimator's `fit` takes groups: it names them, or hands them on to its splitter."""
    if "groups" in inspect.signature(estimator.fit).parameters:
        return True
    searches = isinstance(estimator, CrossValidatedRegressor) or type(estimator).__module__.startswith(
        "sklearn.model_selection"
    )
    return searches and "cv" in estimator.get_params(deep=False)


def _distinct_columns(X: Any) -> NDArray[np.intp]:
    """A number for each column, the same for equal ones."""
    if hasattr(X, "tocsc"):
        table: Any = X.tocsc()
        ends = table.indptr.tolist()
        parts = [slice(*pair) for pair in pairwise(ends)]
        keys = [table.indices[part].tobytes() + table.data[part].tobytes() for part in parts]
    else:
        keys = [np.ascontiguousarray(column).tobytes() for column in np.asarray(X).T]
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)


def is_frame(X: Any) -> bool:
    """Whether X is a data frame, of pandas, polars or another library."""
    return hasattr(X, "columns") and hasattr(X, "shape") and not sp.issparse(X)


def _is_one_for_each(values: Any, n_samples: int) -> bool:
    """Whether `values` has one entry per row."""
    if isinstance(values, str | bytes | dict):
        return False
    if hasattr(values, "shape"):
        return bool(values.shape) and bool(values.shape[0] == n_samples)
    return hasattr(values, "__len__") and len(values) == n_samples


def seeded(estimator: Any, *seed: int) -> Any:
    """A clone whose random states are integers: those it has, or else new ones; also those of splitters it is given."""
    rng = np.random.default_rng(seed)
    fixed: dict[str, Any] = {}
    for name, value in sorted(estimator.get_params().items()):
        if name.rpartition("__")[2] == "random_state" and not isinstance(value, Integral):
            fixed[name] = int(rng.integers(np.iinfo(np.int32).max))
    for name, value in sorted(estimator.get_params().items()):
        if _is_shuffled(value):
            fixed[name] = deepcopy(value)
            fixed[name].random_state = int(rng.integers(np.iinfo(np.int32).max))
    return clone(estimator).set_params(**fixed)


def _is_shuffled(value: Any) -> bool:
    """Whether `value` is a shuffling splitter whose random state is not an integer."""
    if not hasattr(value, "split") or not hasattr(value, "random_state") or hasattr(value, "get_params"):
        return False
    return bool(getattr(value, "shuffle", True)) and not isinstance(value.random_state, Integral)
