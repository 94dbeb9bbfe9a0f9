"""Residuals against predictions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array, MatrixLike
from ladreg._display.canvas import BLUE, GREEN, ORANGE, axes_of, ink, numbers, tidy
from ladreg._estimators import check_real

# The median of |r| times this estimates the standard deviation of normal errors: 1 / (normal quantile of 0.75).
_NORMAL = 1.4826
# A residual is rounding up to this fraction of its target and prediction: columns of sizes apart by 1e5 lose 1e-11.
_EXACT = 1e-10


class ResidualDisplay:
    r"""Plot of residuals against predictions, with outliers in y flagged.

    With :math:`s = 1.4826 \, \mathrm{median}_i |r_i|`, a robust estimate of the standard deviation of normal errors, a
    row is flagged if

    .. math:: |r_i| > k \, s

    with k for `threshold`. Rows that the model fits exactly, up to rounding, have a different mark: absolute and
    quantile losses fit one row per coefficient exactly.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Targets.
    y_pred : array-like of shape (n_samples,)
        Predictions.
    threshold : float, default=3.5
        A row is flagged if its absolute residual exceeds this multiple of s: for normal errors 1 row in 2,000.

    Attributes
    ----------
    residuals : ndarray of shape (n_samples,)
        ``y_true - y_pred``.
    scale : float
        The estimate s, in units of y.
    is_outlier : ndarray of shape (n_samples,), dtype bool
        Rows that are flagged.
    is_exact : ndarray of shape (n_samples,), dtype bool
        Rows that are fitted exactly.
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    points_ : matplotlib Line2D
        Ordinary rows.
    outliers_ : matplotlib Line2D
        Rows that are flagged.
    exact_ : matplotlib Line2D
        Rows that are fitted exactly.
    band_ : matplotlib Polygon
        The range of residuals that are not flagged.

    Raises
    ------
    ValueError
        If shapes do not match, or `threshold` is not a number above zero.

    References
    ----------
    Iglewicz, B. and Hoaglin, D. C. (1993). How to Detect and Handle Outliers. ASQC Quality Press.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import LADRegressor, ResidualDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 10, (100, 1))
    >>> y = 1 + 2 * X[:, 0] + rng.standard_normal(100)
    >>> y[:5] += 20
    >>> display = ResidualDisplay.from_estimator(LADRegressor().fit(X, y), X, y).plot()
    >>> np.flatnonzero(display.is_outlier)
    array([0, 1, 2, 3, 4])
    >>> np.flatnonzero(display.is_exact).size
    2
    """

    def __init__(self, y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 3.5) -> None:
        check_real("threshold", threshold, low=0.0, open_ends=True)
        self.y_true: Array = numbers("y_true", y_true, None)
        self.y_pred: Array = numbers("y_pred", y_pred, self.y_true.size)
        self.threshold = float(threshold)
        self.residuals: Array = self.y_true - self.y_pred
        size = np.abs(self.residuals)
        self.is_exact = size <= _EXACT * np.maximum(np.abs(self.y_true), np.abs(self.y_pred))
        self.scale = _NORMAL * float(np.median(size)) if size.size else 0.0
        self.is_outlier = ~self.is_exact & (size > self.threshold * self.scale)

    @classmethod
    def from_predictions(cls, y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 3.5) -> Self:
        """From targets and predictions of any model.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Targets.
        y_pred : array-like of shape (n_samples,)
            Predictions.
        threshold : float, default=3.5
            A row is flagged if its absolute residual exceeds this multiple of the scale.

        Returns
        -------
        ResidualDisplay
            Not drawn yet: call `plot`.
        """
        return cls(y_true, y_pred, threshold=threshold)

    @classmethod
    def from_estimator(cls, estimator: Any, X: MatrixLike, y: ArrayLike, *, threshold: float = 3.5) -> Self:
        """From a fitted model or pipeline, and data.

        Parameters
        ----------
        estimator : object
            Any fitted model with `predict`.
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Target.
        threshold : float, default=3.5
            A row is flagged if its absolute residual exceeds this multiple of the scale.

        Returns
        -------
        ResidualDisplay
            Not drawn yet: call `plot`.
        """
        return cls(y, estimator.predict(X), threshold=threshold)

    def plot(self, ax: Any = None, **point_kw: Any) -> Self:
        """Draw the residuals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        **point_kw : dict
            Passed to matplotlib for the points of ordinary rows.

        Returns
        -------
        ResidualDisplay
            Itself, with its artists.
        """
        ax = axes_of(ax)
        ordinary = ~self.is_outlier & ~self.is_exact
        limit = self.threshold * self.scale
        self.band_ = ax.axhspan(-limit, limit, color=ink(), alpha=0.06, lw=0)
        ax.axhline(0, color=ink(), alpha=0.5, lw=0.8)
        shared = {"ls": "none", "mec": ax.get_facecolor(), "mew": 0.5}
        points = {**shared, "marker": "o", "ms": 5, "color": BLUE, "alpha": 0.75, **point_kw}
        self.points_ = self._some(ax, ordinary, "rows", points)
        flagged = {**shared, "marker": "X", "ms": 8, "color": ORANGE}
        rule = f"outliers: |r| > {self.threshold:g} s, s = {self.scale:.3g}"
        self.outliers_ = self._some(ax, self.is_outlier, rule, flagged)
        exact = {**shared, "marker": "D", "ms": 6, "color": GREEN, "zorder": 4}
        self.exact_ = self._some(ax, self.is_exact, "fitted exactly", exact)
        ax.set(xlabel="prediction", ylabel="residual: target - prediction")
        ax.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _some(self, ax: Any, rows: Any, name: str, style: dict[str, Any]) -> Any:
        """Points of some rows, with their number in the legend."""
        label = f"{rows.sum()} {name}"
        return ax.plot(self.y_pred[rows], self.residuals[rows], label=label, **style)[0]
