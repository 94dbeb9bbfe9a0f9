"""Coefficients against the quantile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array, MatrixLike
from ladreg._display.canvas import BLUE, ORANGE, axes_of, ink, names_of, numbers, tidy
from ladreg._estimators import LastStep
from ladreg._optional import optional
from ladreg.inference import infer

# Panels side by side.
_COLUMNS = 3


class QuantileProcessDisplay:
    """Plot of coefficients against the quantile, one panel per feature.

    The blue line is the coefficient at each quantile, the band its confidence intervals, and the orange line the
    coefficient of least squares. If the blue line is flat, the feature shifts the whole distribution of the target; if
    it rises, the feature widens the distribution.

    Parameters
    ----------
    quantiles : array-like of shape (n_quantiles,)
        The quantiles, increasing; or of shape (n_quantiles + 1,), the edges between which coefficients are constant.
    coef : array-like of shape (n_quantiles, n_features)
        Coefficients, one row for each quantile.
    intervals : array-like of shape (n_quantiles, n_features, 2), default=None
        Lower and upper ends of their intervals.
    least_squares : array-like of shape (n_features,), default=None
        Coefficients to compare with.
    names : sequence of str, default=None
        Names of the features; None is x0, x1 and so on.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        The panels, one for each feature.
    ax_ : matplotlib Axes
        The first panel.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D
        The coefficients.
    bands_ : list of matplotlib PolyCollection
        The intervals; empty if there are none.
    least_squares_ : list of matplotlib Line2D
        The coefficients of least squares; empty if there are none.

    Raises
    ------
    ValueError
        If shapes or the number of names do not match.

    See Also
    --------
    infer : Makes the intervals.
    quantile_process : Coefficients of all quantiles.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import QuantileProcessDisplay, QuantileRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (300, 1))
    >>> y = 3 * X[:, 0] + (0.5 + X[:, 0]) * rng.standard_normal(300)
    >>> model = QuantileRegressor(quantile=[0.1, 0.3, 0.5, 0.7, 0.9], alpha=0).fit(X, y)
    >>> display = QuantileProcessDisplay.from_estimator(model, X, y).plot()
    >>> display.lines_[0].get_ydata().round(1)
    array([2. , 2.4, 3. , 3.8, 3.9])
    """

    def __init__(
        self,
        quantiles: ArrayLike,
        coef: ArrayLike,
        *,
        intervals: ArrayLike | None = None,
        least_squares: ArrayLike | None = None,
        names: ArrayLike | None = None,
    ) -> None:
        self.coef: Array = numbers("coef", coef, None, None)
        n_quantiles, n_features = self.coef.shape
        edges = np.ndim(quantiles) == 1 and len(np.asarray(quantiles)) == n_quantiles + 1
        self.quantiles: Array = numbers("quantiles", quantiles, n_quantiles + edges)
        self.intervals = None if intervals is None else numbers("intervals", intervals, n_quantiles, n_features, 2)
        self.least_squares = None if least_squares is None else numbers("least_squares", least_squares, n_features)
        self.names = names_of(names, n_features)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: MatrixLike,
        y: ArrayLike,
        *,
        features: Sequence[str | int] | None = None,
        sample_weight: ArrayLike | None = None,
        simultaneous: bool = False,
        **infer_kw: Any,
    ) -> Self:
        """From a fit of several quantiles and its training data, with confidence intervals and least squares.

        Parameters
        ----------
        estimator : QuantileRegressor
            Fitted without penalty, to several quantiles; or a pipeline that ends with one.
        X : {array-like, sparse matrix, sparse array} of shape (n_samples, n_features)
            The data of the fit.
        y : array-like of shape (n_samples,)
            Target.
        features : sequence of str or int, default=None
            Features to show, by name or index; None shows all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the fit.
        simultaneous : bool, default=False
            Whether the intervals are simultaneous over all quantiles and features.
        **infer_kw : dict
            Passed to `infer`: `method`, `level`, `groups` and so on.

        Returns
        -------
        QuantileProcessDisplay
            Not drawn yet: call `plot`.

        Raises
        ------
        ValueError
            If the estimator has only one quantile, or `infer` raises an error.
        """
        check_is_fitted(estimator)
        last = LastStep.of(estimator)
        if np.ndim(getattr(last.estimator, "coef_", 0)) < 2:
            raise ValueError("the picture needs several quantiles: fit QuantileRegressor(quantile=[...], alpha=0).")
        found: Any = infer(estimator, X, y, sample_weight, **infer_kw)
        line = LinearRegression(fit_intercept=last.estimator.fit_intercept)
        line.fit(last.transformed(X), y, sample_weight)
        first = int(found.fit_intercept)
        names = list(found.names[first:])
        chosen = range(len(names)) if features is None else [_place(names, one) for one in features]
        kept = np.asarray(chosen, dtype=np.intp)
        intervals = found.conf_int(simultaneous=simultaneous)
        return cls(
            found.quantile,
            found.coef[:, first:][:, kept],
            intervals=intervals[:, first:][:, kept],
            least_squares=np.ravel(line.coef_)[found.features][kept],
            names=[names[j] for j in kept],
        )

    @classmethod
    def from_path(cls, path: Sequence[Any], *, names: ArrayLike | None = None) -> Self:
        """From what `quantile_process` returns, or `lad_path` for a grid of quantiles.

        Parameters
        ----------
        path : tuple
            Quantiles, coefficients of shape (n_features, n_quantiles), and any further items.
        names : sequence of str, default=None
            Names of the features.

        Returns
        -------
        QuantileProcessDisplay
            Without intervals, and not drawn yet: call `plot`.
        """
        return cls(path[0], np.asarray(path[1]).T, names=names)

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw one panel for each feature.

        Parameters
        ----------
        ax : matplotlib Axes, or array of them, default=None
            Axes to draw into, one per feature; None makes a new figure.
        **line_kw : dict
            Passed to matplotlib for the lines of the coefficients.

        Returns
        -------
        QuantileProcessDisplay
            Itself, with its artists.

        Raises
        ------
        ValueError
            If the number of axes is not the number of features.
        """
        self.axes_ = self._panels(ax)
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        self.least_squares_: list[Any] = []
        for j, panel in enumerate(self.axes_):
            self._draw(j, panel, line_kw)
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        return self

    def _panels(self, ax: Any) -> Any:
        number = len(self.names)
        if ax is None and number > 1:
            columns = min(_COLUMNS, number)
            rows = -(-number // columns)
            pyplot = optional("matplotlib.pyplot", "plot")
            size = (3.2 * columns, 2.5 * rows)
            _, grid = pyplot.subplots(rows, columns, figsize=size, layout="constrained", sharex=True, squeeze=False)
            for spare in grid.ravel()[number:]:
                spare.remove()
            return grid.ravel()[:number]
        panels = np.ravel(np.asarray(axes_of(ax), dtype=object))
        if panels.size != number:
            raise ValueError(f"ax must be {number} axes, one per feature, got {panels.size}.")
        return panels

    def _draw(self, j: int, panel: Any, line_kw: dict[str, Any]) -> None:
        places, coef, steps = self.quantiles, self.coef[:, j], {}
        intervals = None if self.intervals is None else self.intervals[:, j]
        if places.size > coef.size:
            coef, steps = np.append(coef, coef[-1]), {"drawstyle": "steps-post"}
            intervals = None if intervals is None else np.vstack([intervals, intervals[-1:]])
        if intervals is not None:
            how = {"step": "post"} if steps else {}
            band = panel.fill_between(places, *intervals.T, color=BLUE, alpha=0.2, lw=0, label="interval", **how)
            self.bands_.append(band)
        panel.axhline(0, color=ink(), alpha=0.5, lw=0.8)
        style = {"color": BLUE, "lw": 2.0, "label": "quantile", **steps, **line_kw}
        self.lines_ += panel.plot(places, coef, **style)
        if self.least_squares is not None:
            line = panel.axhline(self.least_squares[j], color=ORANGE, lw=1.6, ls="--", label="least squares")
            self.least_squares_.append(line)
        panel.set_title(self.names[j], loc="left", size=10)
        if j >= len(self.names) - _COLUMNS:
            panel.set_xlabel("quantile")
            panel.tick_params(labelbottom=True)
        if j == 0:
            panel.set_ylabel("coefficient")
            panel.legend(frameon=False, fontsize=8)
        tidy(panel)


def _place(names: list[str], one: str | int) -> int:
    if not isinstance(one, str):
        return int(one)
    if one not in names:
        raise ValueError(f"features contains {one!r}, which is not one of the features {names}.")
    return names.index(one)
