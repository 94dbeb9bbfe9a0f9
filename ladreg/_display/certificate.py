"""How many digits of an objective are proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array
from ladreg._display.canvas import BLUE, ORANGE, axes_of, ink, tidy
from ladreg._estimators import LastStep, named_certificates
from ladreg._problem import DIGITS, Certificate


class CertificateDisplay:
    r"""Plot of certificates: how many digits of each objective are proved.

    One bar for each certificate, of the length

    .. math:: -\log_{10} \frac{\text{objective} - \text{lower bound}}{\text{objective}}

    at most 16, the precision of float64. Bars of fits that are not proved to be the only optimum are pale.

    Parameters
    ----------
    certificates : mapping of str to Certificate
        The certificates by name; the names are the labels of the bars.

    Attributes
    ----------
    digits : ndarray of shape (n_certificates,)
        The lengths of the bars.
    ax_ : matplotlib Axes
        The axes of the plot.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    bars_ : matplotlib BarContainer
        The bars.
    labels_ : list of matplotlib Text
        Objective and gap at each bar.

    Raises
    ------
    ValueError
        If there is no certificate.

    See Also
    --------
    Certificate : The numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import CertificateDisplay, LADRegressor, LassoCD
    >>> X, y = load_diabetes(return_X_y=True)
    >>> fits = {"LAD": LADRegressor().fit(X, y), "lasso": LassoCD(alpha=0.1).fit(X, y)}
    >>> display = CertificateDisplay({name: fit.certificate_ for name, fit in fits.items()}).plot()
    >>> bool(display.digits.min() > 12)
    True
    """

    def __init__(self, certificates: Mapping[str, Certificate]) -> None:
        if not certificates:
            raise ValueError("certificates must have at least one entry, got none.")
        self.certificates = {str(name): one for name, one in certificates.items()}
        self.digits: Array = np.array([one.proved_digits for one in self.certificates.values()])

    @classmethod
    def from_estimator(cls, estimator: Any) -> Self:
        """From a fitted estimator, with a bar for each of its quantiles or targets.

        Parameters
        ----------
        estimator : object
            Any of ladreg's regressors, fitted, or a pipeline that ends with one.

        Returns
        -------
        CertificateDisplay
            Not drawn yet: call `plot`.

        Raises
        ------
        ValueError
            If the estimator has no certificate.
        """
        check_is_fitted(estimator)
        estimator = LastStep.of(estimator).estimator
        if not hasattr(estimator, "certificate_"):
            raise ValueError(f"{type(estimator).__name__} has no certificate: fit one of ladreg's regressors.")
        return cls(named_certificates(estimator))

    def plot(self, ax: Any = None, **bar_kw: Any) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a new figure.
        **bar_kw : dict
            Passed to matplotlib for the bars.

        Returns
        -------
        CertificateDisplay
            Itself, with its artists.
        """
        ax = axes_of(ax, (7.0, 1.2 + 0.45 * self.digits.size))
        places = np.arange(self.digits.size)
        self.bars_ = ax.barh(places, self.digits, **{"color": BLUE, "height": 0.62, **bar_kw})
        for bar, one in zip(self.bars_, self.certificates.values(), strict=True):
            bar.set_alpha(1.0 if one.unique else 0.55)
        self.labels_ = [self._label(ax, k, one) for k, one in enumerate(self.certificates.values())]
        ax.axvline(DIGITS, color=ink(), alpha=0.5, lw=1, ls=":")
        ax.set(xlim=(0, 1.03 * DIGITS), xlabel="proved digits of the objective (float64 holds 16)")
        ax.set_yticks(places.tolist(), list(self.certificates))
        ax.invert_yaxis()
        tidy(ax)
        ax.grid(visible=False, axis="y")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, ax: Any, k: int, one: Certificate) -> Any:
        """Objective and gap: in the bar where there is room, and beside it where there is not."""
        text = f" objective {one.objective:.6g}, gap {one.gap:.1g}{'' if one.unique else ', not proved unique'} "
        inside = self.digits[k] > 0.55 * DIGITS
        colour = ORANGE if not inside else "white" if one.unique else ink()
        place = 0.0 if inside else float(self.digits[k])
        return ax.text(place, k, text, va="center", ha="left", size=9, color=colour)
