"""How often features are selected from halves of the data."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array
from ladreg._display.canvas import COLOURS, alpha_axis, axes_of, faint, ink, label_ends, names_of, numbers, tidy
from ladreg._estimators import LastStep, check_real


class StabilityDisplay:
    """Plot of how often each feature is selected in halves of the data.

    Features that reach the threshold are coloured and labelled, the others are grey.

    Parameters
    ----------
    paths : array-like of shape (n_features, n_alphas)
        Fractions of the halves in which each feature is selected.
    threshold : float
        The smallest fraction for which a feature is kept, between 0 and 1.
    alphas : array-like of shape (n_alphas,), default=None
        The alphas; None if there is no tuning parameter, for which bars are drawn.
    names : sequence of str, default=None
        Names of the features; None is x0, x1 and so on.
    parameter : str, default="alpha"
        Name of the tuning parameter.

    Attributes
    ----------
    selected : ndarray of shape (n_selected,)
        Indices of the features that reach the threshold.
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D, or BarContainer
        The fractions, one line (or bar) per feature.
    labels_ : list of matplotlib Annotation
        The names of the features that are kept.
    threshold_ : matplotlib Line2D
        The threshold.

    Raises
    ------
    ValueError
        If shapes or the number of names do not match.

    See Also
    --------
    StabilitySelection : Selects features this way.

    Examples
    --------
    >>> import numpy as np
    >>> from ladreg import StabilityDisplay, StabilitySelection
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 30))
    >>> y = X[:, :3] @ [2, -1, 1] + rng.standard_normal(100)
    >>> selector = StabilitySelection(threshold=0.75, max_false_selections=1, n_pairs=10, random_state=0).fit(X, y)
    >>> display = StabilityDisplay.from_estimator(selector).plot()
    >>> sorted(label.get_text() for label in display.labels_)
    ['x0', 'x1', 'x2']
    """

    def __init__(
        self,
        paths: ArrayLike,
        threshold: float,
        *,
        alphas: ArrayLike | None = None,
        names: ArrayLike | None = None,
        parameter: str = "alpha",
    ) -> None:
        check_real("threshold", threshold, low=0.0, high=1.0)
        self.alphas = None if alphas is None else numbers("alphas", alphas, None)
        width = None if self.alphas is None else self.alphas.size
        self.paths: Array = numbers("paths", paths, None, width)
        self.threshold = float(threshold)
        self.names = names_of(names, self.paths.shape[0])
        self.parameter = parameter
        self.selected = np.flatnonzero(self.paths.max(axis=1) >= self.threshold)

    @classmethod
    def from_estimator(cls, estimator: Any) -> Self:
        """From a fitted `StabilitySelection`.

        Parameters
        ----------
        estimator : StabilitySelection
            Fitted; or a pipeline that ends with one.

        Returns
        -------
        StabilityDisplay
            Not drawn yet: call `plot`.

        Raises
        ------
        ValueError
            If the estimator is no `StabilitySelection`.
        """
        check_is_fitted(estimator)
        last = LastStep.of(estimator)
        estimator = last.estimator
        if not hasattr(estimator, "stability_paths_"):
            raise ValueError(
                f"{type(estimator).__name__} has no stability paths: pass a fitted StabilitySelection. If it is "
                "an earlier step of a pipeline, pass that step: StabilityDisplay.from_estimator(pipeline[-2])."
            )
        return cls(
            estimator.stability_paths_,
            estimator.threshold_,
            alphas=estimator.alphas_,
            names=last.names,
            parameter=estimator.parameter,
        )

    def plot(self, ax: Any = None, **line_kw: Any) -> Self:
        """Draw the shares.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        **line_kw : dict
            Passed to matplotlib for the lines, or the bars, of the features that are kept.

        Returns
        -------
        StabilityDisplay
            Itself, with its artists.
        """
        ax = axes_of(ax)
        order = self.selected[np.argsort(-self.paths[self.selected].mean(axis=1), kind="stable")].tolist()
        colours = {j: COLOURS[k % len(COLOURS)] for k, j in enumerate(order)}
        if self.alphas is None:
            self._draw_bars(ax, colours, line_kw)
        else:
            self._draw_lines(ax, self.alphas, colours, line_kw)
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_lines(self, ax: Any, alphas: Array, colours: dict[int, str], line_kw: dict[str, Any]) -> None:
        self.lines_: Any = []
        for j, path in enumerate(self.paths):
            style = {"color": colours[j], "lw": 2.2, **line_kw} if j in colours else {"color": faint(ax)}
            self.lines_ += ax.plot(alphas, path, **{"lw": 1.0, "zorder": 3 if j in colours else 2, **style})
        self.threshold_ = ax.axhline(self.threshold, color=ink(), alpha=0.6, lw=1, ls="--")
        if np.all(alphas > 0) and alphas.size > 1:
            alpha_axis(ax, alphas)
            ax.set_xlim(alphas[0], alphas[-1])
        ax.set(ylim=(0, 1.02), xlabel=self.parameter, ylabel="share of halves that select the feature")
        beside = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "top", "size": 9}
        ax.text(0.99, self.threshold - 0.01, "threshold", **beside)
        ends = self.paths[list(colours), -1].tolist()
        names = [self.names[j] for j in colours]
        self.labels_ = label_ends(ax, float(alphas[-1]), ends, names, list(colours.values()))

    def _draw_bars(self, ax: Any, colours: dict[int, str], line_kw: dict[str, Any]) -> None:
        shares = self.paths.max(axis=1)
        places = np.arange(shares.size)
        tints = [colours.get(j, faint(ax)) for j in places.tolist()]
        self.lines_ = ax.barh(places, shares, **{"color": tints, "height": 0.7, **line_kw})
        self.threshold_ = ax.axvline(self.threshold, color=ink(), alpha=0.6, lw=1, ls="--")
        self.labels_ = [ax.text(shares[j], j, f" {self.names[j]}", va="center", color=c) for j, c in colours.items()]
        ax.set(xlim=(0, 1.02), xlabel="share of halves that select the feature", ylabel="feature")
        ax.invert_yaxis()
