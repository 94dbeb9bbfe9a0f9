"""Prediction intervals and the targets that they are to hold."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ladreg._arrays import Array
from ladreg._display.canvas import BLUE, ORANGE, axes_of, ink, numbers, tidy

# Width of all intervals together, in points: beside each other they fill an axis of 7 inches.
_WIDTH = 400.0


class IntervalDisplay:
    """Plot of prediction intervals, with the targets inside and outside.

    One vertical line per row, sorted by midpoint or against a feature; targets outside are marked in orange. The title
    has the fraction of targets inside: on held-out rows compare it with the nominal coverage.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Targets.
    intervals : array-like of shape (n_samples, 2)
        Lower and upper ends.
    x : array-like of shape (n_samples,), default=None
        Horizontal position of each row; None sorts the rows by the midpoints of the intervals.
    x_name : str, default=None
        Label of the horizontal axis.

    Attributes
    ----------
    coverage : float
        Fraction of the targets inside, limits included.
    width : float
        Mean width of the intervals, in units of y.
    is_inside : ndarray of shape (n_samples,), dtype bool
        Whether each target is inside.
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    intervals_ : matplotlib LineCollection
        The intervals.
    inside_ : matplotlib Line2D
        Targets that are inside.
    outside_ : matplotlib Line2D
        Targets that are not.

    Raises
    ------
    ValueError
        If shapes do not match.

    See Also
    --------
    ConformalQuantileRegressor : Intervals with guaranteed coverage of new targets.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import ConformalQuantileRegressor, IntervalDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 4, (400, 1))
    >>> y = X[:, 0] + (0.5 + 0.5 * X[:, 0]) * rng.standard_normal(400)
    >>> model = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X[:300], y[:300])
    >>> display = IntervalDisplay.from_estimator(model, X[300:], y[300:], feature=0).plot()
    >>> display.coverage
    0.8
    """

    def __init__(
        self, y_true: ArrayLike, intervals: ArrayLike, *, x: ArrayLike | None = None, x_name: str | None = None
    ) -> None:
        self.y_true: Array = numbers("y_true", y_true, None)
        self.intervals: Array = numbers("intervals", intervals, self.y_true.size, 2)
        self.x = None if x is None else numbers("x", x, self.y_true.size)
        self.x_name = x_name
        low, high = self.intervals.T
        self.is_inside = (low <= self.y_true) & (self.y_true <= high)
        self.coverage = float(self.is_inside.mean()) if self.y_true.size else float("nan")
        self.width = float((high - low).mean()) if self.y_true.size else float("nan")

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, intervals: ArrayLike, *, x: ArrayLike | None = None, x_name: str | None = None
    ) -> Self:
        """From targets and the intervals of any model.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Targets.
        intervals : array-like of shape (n_samples, 2)
            Lower and upper ends.
        x : array-like of shape (n_samples,), default=None
            Where to draw each row.
        x_name : str, default=None
            What x is.

        Returns
        -------
        IntervalDisplay
            Not drawn yet: call `plot`.
        """
        return cls(y_true, intervals, x=x, x_name=x_name)

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, y: ArrayLike, *, feature: str | int | None = None) -> Self:
        """From a fitted model or pipeline, and held-out data.

        Parameters
        ----------
        estimator : object
            A `ConformalQuantileRegressor`, or a `QuantileRegressor` with several quantiles, of which the lowest and the
            highest are the limits; or a pipeline that ends with one.
        X : array-like or DataFrame of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Target.
        feature : str or int, default=None
            The column of X for the horizontal axis, by name or index; None sorts the rows by midpoint.

        Returns
        -------
        IntervalDisplay
            Not drawn yet: call `plot`.

        Raises
        ------
        ValueError
            If the estimator predicts only one number per row.
        """
        if feature is None:
            return cls(y, _intervals(estimator, X))
        if hasattr(X, "columns"):
            name = feature if isinstance(feature, str) else X.columns[feature]
            return cls(y, _intervals(estimator, X), x=np.asarray(X[name]), x_name=str(name))
        if isinstance(feature, str):
            raise ValueError(f"feature must be the index of a column, since X has no column names, got {feature!r}.")
        return cls(y, _intervals(estimator, X), x=np.asarray(X)[:, feature], x_name=f"x{feature}")

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        **line_kw : dict
            Passed to matplotlib for the lines of the intervals.

        Returns
        -------
        IntervalDisplay
            Itself, with its artists.
        """
        ax = axes_of(ax)
        places = self._places()
        width = float(np.clip(_WIDTH / max(self.y_true.size, 1), 0.4, 5.0))
        style = {"color": BLUE, "alpha": 0.3, "lw": width, **line_kw}
        self.intervals_ = ax.vlines(places, *self.intervals.T, **style)
        size = float(np.clip(2 * width, 2.5, 5.0))
        inside = self.is_inside
        (self.inside_,) = ax.plot(
            places[inside], self.y_true[inside], "o", color=ink(), alpha=0.7, ms=size, mew=0, label="inside"
        )
        (self.outside_,) = ax.plot(
            places[~inside], self.y_true[~inside], "X", color=ORANGE, ms=size + 3, mec=ax.get_facecolor(), mew=0.4
        )
        self.outside_.set_label("outside")
        ax.set(xlabel=self.x_name or ("x" if self.x is not None else "rows, by the middle of the interval"))
        ax.set_ylabel("target")
        told = f"{self.coverage:.1%} of {self.y_true.size} targets inside, mean width {self.width:.3g}"
        ax.set_title(told, loc="left", size=10)
        ax.legend(frameon=False, loc="upper left")
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _places(self) -> Array:
        if self.x is not None:
            return self.x
        places = np.empty(self.y_true.size)
        places[np.argsort(self.intervals.sum(axis=1), kind="stable")] = np.arange(self.y_true.size)
        return places


def _intervals(estimator: Any, X: Any) -> Array:
    """Lower and upper ends, whatever of ladreg's estimators they come from."""
    if hasattr(estimator, "predict_interval"):
        return np.asarray(estimator.predict_interval(X))
    steps = getattr(estimator, "steps", None)
    if steps and hasattr(steps[-1][1], "predict_interval"):
        return np.asarray(estimator.predict(X, return_interval=True)[1])
    lines = np.asarray(estimator.predict(X))
    if lines.ndim < 2 or lines.shape[1] < 2:
        raise ValueError(
            f"{type(estimator).__name__} predicts one number per row, not an interval: fit a "
            "ConformalQuantileRegressor, or QuantileRegressor(quantile=[0.05, 0.95], alpha=0)."
        )
    return np.column_stack([lines.min(axis=1), lines.max(axis=1)])
