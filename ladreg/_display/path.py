"""Coefficients along a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array
from ladreg._display.canvas import (
    COLOURS,
    alpha_axis,
    axes_of,
    count_axis,
    faint,
    ink,
    label_ends,
    mark_alphas,
    names_of,
    numbers,
    tidy,
)
from ladreg._estimators import LastStep, check_count
from ladreg._tuning import TunedRegressor, part_of


class PathDisplay:
    """Plot of coefficients against alpha.

    One line per feature over a logarithmic axis of alpha, decreasing to the right. The features with the largest
    coefficients are coloured and labelled at the ends of their lines; the others are grey. The axis on top counts the
    non-zero coefficients.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        The alphas, decreasing. An alpha of zero is left out, since the axis is logarithmic.
    coefs : array-like of shape (n_features, n_alphas)
        Coefficients, one column for each alpha.
    names : sequence of str, default=None
        Names of the features; None is x0, x1 and so on.
    chosen : mapping of str to float, default=None
        Alphas to mark, by label.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D
        The coefficients, one line for each feature.
    labels_ : list of matplotlib Annotation
        The names at the lines.
    counts_ : matplotlib SecondaryAxis
        The axis on top.
    chosen_ : list of matplotlib Line2D
        The lines at marked alphas.

    Raises
    ------
    ValueError
        If shapes or the number of names do not match, or no alpha is above zero.

    See Also
    --------
    CVCurveDisplay : Held-out losses along the same axis.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LassoCDCV, PathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = PathDisplay.from_estimator(LassoCDCV(cv=10).fit(X, y)).plot()
    >>> len(display.lines_), display.labels_[0].get_text()
    (10, 's5')
    """

    def __init__(
        self,
        alphas: ArrayLike,
        coefs: ArrayLike,
        *,
        names: ArrayLike | None = None,
        chosen: Mapping[str, float] | None = None,
    ) -> None:
        self.alphas: Array = numbers("alphas", alphas, None)
        self.coefs: Array = numbers("coefs", coefs, None, self.alphas.size)
        if not np.any(self.alphas > 0):
            raise ValueError("alphas must have an entry above zero, for a logarithmic axis.")
        self.names = names_of(names, self.coefs.shape[0])
        self.chosen = dict(chosen or {})

    @classmethod
    def from_estimator(cls, estimator: Any, *, target: int | None = None) -> Self:
        """From an estimator that has chosen its alpha along a path.

        Parameters
        ----------
        estimator : object
            A fitted estimator with `alphas_` and `coef_path_`, such as `LassoCDCV` or `LADRegressorIC`, or a pipeline
            that ends with one.
        target : int, default=None
            Which target is drawn, the number of its column of y, where there are several.

        Returns
        -------
        PathDisplay
            Not drawn yet: call `plot`. The chosen alphas are marked.

        Raises
        ------
        ValueError
            If the estimator has no path, or `target` is not one of its targets.
        """
        check_is_fitted(estimator)
        last = LastStep.of(estimator)
        estimator = last.estimator
        if not hasattr(estimator, "coef_path_"):
            raise ValueError(
                f"{type(estimator).__name__} has no path: fit an estimator that chooses alpha, such as LassoCDCV, or "
                "pass a path to PathDisplay.from_path."
            )
        estimator = one_target(estimator, target)
        alphas = alphas_of(estimator)[: estimator.coef_path_.shape[1]]
        coefs = np.asarray(estimator.coef_path_)[:, : alphas.size]
        if hasattr(estimator, "alpha_1se_"):
            chosen = {"one standard error": estimator.alpha_1se_, "smallest error": estimator.alpha_min_}
        else:
            chosen = {"chosen": estimator.alpha_}
        return cls(alphas, coefs, names=last.names, chosen=chosen)

    @classmethod
    def from_path(
        cls,
        path: Sequence[Any],
        *,
        names: ArrayLike | None = None,
        chosen: Mapping[str, float] | None = None,
        target: int | None = None,
    ) -> Self:
        """From what `lasso_path`, `lad_path` and the other functions of alphas return.

        Parameters
        ----------
        path : tuple
            Alphas, coefficients, and any further items.
        names : sequence of str, default=None
            Names of the features.
        chosen : mapping of str to float, default=None
            Alphas to mark.
        target : int, default=None
            Which target is drawn, where there are several.

        Returns
        -------
        PathDisplay
            Not drawn yet: call `plot`.
        """
        alphas, coefs = np.asarray(path[0]), np.asarray(path[1])
        if coefs.ndim == 3:
            k = checked_target(len(coefs), 0 if target is None and len(coefs) == 1 else target)
            alphas = alphas[k] if alphas.ndim == 2 else alphas
            alphas, coefs = alphas[np.isfinite(alphas)], coefs[k][:, np.isfinite(alphas)]
        elif target is not None:
            checked_target(1, target)
        return cls(alphas, coefs, names=names, chosen=chosen)

    def plot(self, ax: Any = None, *, n_labels: int = 6, **line_kw: Any) -> Self:
        """Draw the path.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        n_labels : int, default=6
            Largest number of coloured and labelled features.
        **line_kw : dict
            Passed to matplotlib for the lines of these features.

        Returns
        -------
        PathDisplay
            Itself, with its artists.
        """
        check_count("n_labels", n_labels)
        ax = axes_of(ax)
        largest = np.abs(self.coefs).max(axis=1)
        named = [j for j in np.argsort(-largest, kind="stable")[:n_labels].tolist() if largest[j] > 0]
        colours = {j: COLOURS[k % len(COLOURS)] for k, j in enumerate(named)}
        ax.axhline(0, color=ink(), alpha=0.5, lw=0.8)
        self.lines_ = []
        for j, coef in enumerate(self.coefs):
            style = {"color": colours[j], "lw": 2.0, **line_kw} if j in colours else {"color": faint(ax)}
            self.lines_ += ax.plot(self.alphas, coef, **{"lw": 1.0, "zorder": 3 if j in colours else 2, **style})
        alpha_axis(ax, self.alphas)
        last = self.alphas[self.alphas > 0].argmin()
        shown = self.coefs[:, self.alphas > 0][:, last]
        names, inks = [self.names[j] for j in named], list(colours.values())
        self.labels_ = label_ends(ax, self.alphas[self.alphas > 0][last], shown[named].tolist(), names, inks)
        self.counts_ = count_axis(ax, self.alphas, np.count_nonzero(self.coefs, axis=0))
        self.chosen_, _ = mark_alphas(ax, self.chosen)
        ax.set_ylabel("coefficient")
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def alphas_of(estimator: Any) -> Array:
    """The alphas of a fitted estimator, those of the `l1_ratio` it chose where each has its own."""
    alphas = np.asarray(estimator.alphas_, dtype=np.float64)
    if alphas.ndim > 1:
        alphas = alphas[np.flatnonzero(np.ravel(estimator.l1_ratio) == estimator.l1_ratio_)[0]]
    found: Array = alphas[np.isfinite(alphas)]
    return found


def one_target(estimator: Any, target: int | None) -> Any:
    """The estimator, or what it has for one of several targets; a ValueError where none, or a wrong one, is named."""
    if isinstance(estimator, TunedRegressor) and np.ndim(estimator.coef_) == 2:
        return part_of(estimator, checked_target(len(estimator.coef_), target))
    if target is not None:
        checked_target(1, target)
    return estimator


def checked_target(number: int, target: Any) -> int:
    """The target; a ValueError unless it is one of `number` targets."""
    if isinstance(target, Integral) and target is not True and 0 <= int(target) < number:
        return int(target)
    raise ValueError(f"target must be the number of a column of y from 0 to {number - 1}, got {target!r}.")
