"""Certificates below the HTML of a fitted estimator, in notebooks and rendered documents."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from ladreg._problem import DIGITS, Certificate

# Fits in a table, at most; of the others one line says what is proved of all of them.
_ROWS = 20
_COLUMNS = ("", "objective", "lower bound", "gap", "proved digits", "unique")


class ShowsCertificate:
    """An estimator whose HTML ends with the certificates of its fits.

    Notebooks ask for `_repr_mimebundle_`, other consumers for `_repr_html_`, which calls `_repr_html_inner`. Both are
    extended where scikit-learn has made HTML, and left alone where it is configured to make none.
    """

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) + certificates_as_html(self)  # type: ignore[misc]

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += certificates_as_html(self)
        return bundle


def named_certificates(estimator: Any) -> dict[str, Certificate]:
    """The certificates of a fitted estimator, by the names of its quantiles or targets."""
    found: list[Certificate] = estimator.certificates_
    if isinstance(estimator.certificate_, Certificate):
        return {type(estimator).__name__: found[0]}
    quantiles = np.ravel(getattr(estimator, "quantile_", getattr(estimator, "quantile", ())))
    if quantiles.size == len(found):
        return {f"quantile {quantile:g}": one for quantile, one in zip(quantiles, found, strict=True)}
    return {f"target {k}": one for k, one in enumerate(found)}


def certificates_as_html(estimator: Any) -> str:
    """A table of certificates, with a bar of proved digits in each row; nothing before the fit."""
    if not hasattr(estimator, "certificate_"):
        return ""
    named = named_certificates(estimator)
    rows = "".join(_row(name, one) for name, one in list(named.items())[:_ROWS])
    header = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    least = min(one.proved_digits for one in named.values())
    more = f"<div>{len(named) - _ROWS} more; at least {least:.1f} digits of each.</div>" if len(named) > _ROWS else ""
    style = "margin: 0.5em 0; font-size: 0.9em; color: inherit"
    return (
        f'<div class="ladreg-certificates" style="{style}"><table><caption>Proof of optimality</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>{more}</div>"
    )


def _row(name: str, one: Certificate) -> str:
    unique = "proved" if one.unique else "not proved"
    cells = (f"{one.objective:.8g}", f"{one.bound:.8g}", f"{one.gap:.2g}", _bar(one.proved_digits), unique)
    title = escape(f"{one.solver}: {one.stopped}", quote=True)
    return f'<tr title="{title}"><th>{escape(name)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _bar(digits: float) -> str:
    """A bar that is full where all digits of float64 are proved."""
    text = f"{digits:.1f} of {DIGITS:.0f}"
    frame = "display: inline-block; width: 8em; height: 0.7em; border: 1px solid currentColor; vertical-align: middle"
    inner = f"display: block; width: {100 * digits / DIGITS:.1f}%; height: 100%; background: #0072B2"
    return f'<span role="img" aria-label="{text}" style="{frame}"><span style="{inner}"></span></span> {text}'
