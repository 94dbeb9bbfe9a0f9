"""Held-out losses along a path."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array
from ladreg._display.canvas import BLUE, GREEN, ORANGE, alpha_axis, axes_of, count_axis, faint, ink, numbers, tidy
from ladreg._display.path import alphas_of, one_target
from ladreg._estimators import LastStep
from ladreg._tuning import TunedRegressor

_NAMES = {
    "mse_path_": "mean squared error",
    "mae_path_": "mean absolute error",
    "pinball_path_": "mean pinball loss",
    "huber_path_": "mean Huber loss",
    "combined_path_": "mean combined loss",
}


class CVCurveDisplay:
    """Plot of held-out losses against alpha.

    Grey lines are the folds, the blue line is their mean, and the band around it is one standard error wide to either
    side. The dashed line is the smallest mean plus its standard error; the points are the choices of `selection="min"`
    and `selection="1se"`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        The alphas, decreasing. An alpha of zero is left out, since the axis is logarithmic.
    losses : array-like of shape (n_alphas, n_folds)
        Mean loss of the held-out rows of each fold, or their scores.
    larger_is_better : bool, default=False
        Whether `losses` are scores.
    n_features : array-like of shape (n_alphas,), default=None
        Numbers of non-zero coefficients, for the axis on top.
    name : str, default="held-out loss"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    mean_ : matplotlib Line2D
        The mean over the folds.
    folds_ : list of matplotlib Line2D
        The folds.
    band_ : matplotlib PolyCollection
        One standard error around the mean.
    limit_ : matplotlib Line2D
        The smallest mean plus its standard error.
    smallest_ : matplotlib Line2D
        The point with the smallest mean.
    sparsest_ : matplotlib Line2D
        The point with the largest alpha whose mean is within one standard error of it.

    Raises
    ------
    ValueError
        If shapes do not match.

    See Also
    --------
    PathDisplay : Coefficients along the same axis.

    Notes
    -----
    The one-standard-error rule is that of `LassoCDCV`: the standard error is the standard deviation of the folds' means
    divided by the square root of the number of folds, at the smallest mean.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import CVCurveDisplay, LassoCDCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCDCV(cv=10).fit(X, y)
    >>> display = CVCurveDisplay.from_estimator(model).plot()
    >>> float(display.smallest_.get_xdata()[0]) == model.alpha_min_
    True
    """

    def __init__(
        self,
        alphas: ArrayLike,
        losses: ArrayLike,
        *,
        larger_is_better: bool = False,
        n_features: ArrayLike | None = None,
        name: str = "held-out loss",
    ) -> None:
        self.alphas: Array = numbers("alphas", alphas, None)
        self.losses: Array = numbers("losses", losses, self.alphas.size, None)
        self.larger_is_better = larger_is_better
        self.n_features = None if n_features is None else np.asarray(n_features, dtype=np.intp)
        self.name = name

    @classmethod
    def from_estimator(cls, estimator: Any, *, target: int | None = None) -> Self:
        """From an estimator that has chosen its alpha by cross-validation.

        Parameters
        ----------
        estimator : object
            A fitted estimator such as `LassoCDCV`, `LADRegressorCV` or scikit-learn's `LassoCV`, or a pipeline that
            ends with one.
        target : int, default=None
            Which target is drawn, the number of its column of y, where there are several. None is the mean over all
            targets, where these have one alpha.

        Returns
        -------
        CVCurveDisplay
            Not drawn yet: call `plot`.

        Raises
        ------
        ValueError
            If the estimator has no cross-validated losses, or `target` is not one of its targets.
        """
        check_is_fitted(estimator)
        estimator = LastStep.of(estimator).estimator
        found = [name for name in (*_NAMES, "scores_path_") if hasattr(estimator, name)]
        if not found:
            raise ValueError(
                f"{type(estimator).__name__} has no cross-validated losses: fit an estimator that "
                "cross-validates, such as LassoCDCV."
            )
        if target is None and _shares_alpha(estimator):
            losses, counts = np.mean(getattr(estimator, found[0]), axis=0), None
        else:
            estimator = one_target(estimator, target)
            losses = np.asarray(getattr(estimator, found[0]))
            counts = np.count_nonzero(estimator.coef_path_, axis=0) if hasattr(estimator, "coef_path_") else None
        alphas = alphas_of(estimator)
        if losses.ndim == 3:
            losses = losses[np.flatnonzero(np.ravel(estimator.l1_ratio) == estimator.l1_ratio_)[0]]
        return cls(
            alphas,
            losses[: alphas.size],
            larger_is_better=found[0] not in _NAMES,
            n_features=None if counts is None else counts[: alphas.size],
            name=_NAMES.get(found[0], "score"),
        )

    @property
    def _indices(self) -> tuple[int, int, float]:
        """Where the mean is best, the first alpha within one standard error of it, and that error."""
        mean = (-1.0 if self.larger_is_better else 1.0) * self.losses.mean(axis=1)
        best = int(np.argmin(mean))
        error = float(self._errors[best])
        return best, int(np.argmax(mean <= mean[best] + error)), error

    @property
    def _errors(self) -> Array:
        n_folds = self.losses.shape[1]
        return self.losses.std(axis=1, ddof=1) / np.sqrt(n_folds) if n_folds > 1 else np.zeros(self.alphas.size)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        **line_kw : dict
            Passed to matplotlib for the line of the mean.

        Returns
        -------
        CVCurveDisplay
            Itself, with its artists.
        """
        ax = axes_of(ax)
        mean, errors = self.losses.mean(axis=1), self._errors
        best, near, error = self._indices
        self.folds_ = ax.plot(self.alphas, self.losses, color=faint(ax), lw=0.8)
        self.band_ = ax.fill_between(self.alphas, mean - errors, mean + errors, color=BLUE, alpha=0.2, lw=0)
        (self.mean_,) = ax.plot(self.alphas, mean, **{"color": BLUE, "lw": 2.2, **line_kw})
        limit = mean[best] + (-error if self.larger_is_better else error)
        self.limit_ = ax.axhline(limit, color=ink(), alpha=0.6, lw=1, ls="--")
        word = "largest score" if self.larger_is_better else "smallest error"
        dot = {"marker": "o", "ls": "none", "ms": 9, "zorder": 4, "mec": ax.get_facecolor()}
        (self.sparsest_,) = ax.plot(
            self.alphas[near], mean[near], color=GREEN, label=self._told("one standard error", near), **dot
        )
        (self.smallest_,) = ax.plot(self.alphas[best], mean[best], color=ORANGE, label=self._told(word, best), **dot)
        alpha_axis(ax, self.alphas)
        if self.n_features is not None:
            self.counts_ = count_axis(ax, self.alphas, self.n_features)
        ax.set_ylabel(self.name)
        ax.legend(frameon=False)
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _told(self, rule: str, k: int) -> str:
        features = "" if self.n_features is None else f", {self.n_features[k]} features"
        return f"{rule}: alpha {self.alphas[k]:.3g}{features}"


def _shares_alpha(estimator: Any) -> bool:
    """Whether an estimator has chosen one alpha for several targets."""
    several = isinstance(estimator, TunedRegressor) and np.ndim(estimator.coef_) == 2
    return several and np.ndim(estimator.alpha_) == 0
