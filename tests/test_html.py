"""The HTML of a fitted estimator is scikit-learn's, with the certificates of the fits below."""

from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

from ladreg import LADRegressor, LassoCD, QuantileRegressor
from tests.public import ESTIMATORS

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 3))
y = X @ [1.0, 2.0, 0.0] + rng.standard_normal(40)


class Balanced(HTMLParser):
    """Counts the tags that are open, and collects the text of table cells."""

    def __init__(self):
        super().__init__()
        self.open, self.cells = [], []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        if tag not in ("link", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.cells.append(data.strip())


def added(model):
    """What comes after scikit-learn's own HTML, and its text."""
    html = model._repr_html_()
    at = html.find('<div class="ladreg-certificates"')
    assert at >= 0
    parser = Balanced()
    parser.feed(html[at:])
    assert parser.open == []
    assert "</style>" not in html[at:]
    return html[at:], parser.cells


CERTIFIED = [model for model in ESTIMATORS if hasattr(model, "verify")]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("model", CERTIFIED, ids=lambda model: type(model).__name__)
def test_every_fit_shows_its_proof_in_both_ways_that_notebooks_ask(model):
    fresh = clone(model)
    assert "ladreg-certificates" not in fresh._repr_html_()
    fresh.fit(X, y)
    html, cells = added(fresh)
    assert html in fresh._repr_mimebundle_()["text/html"]
    for one in np.ravel(fresh.certificate_):
        assert f"{one.objective:.8g}" in cells
        assert f"{one.bound:.8g}" in cells
        assert f"width: {100 * one.proved_digits / 16:.1f}%" in html


def test_where_scikit_learn_makes_no_html_there_is_none():
    model = LADRegressor().fit(X, y)
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert set(model._repr_mimebundle_()) == {"text/plain"}


def test_certificates_are_named_and_many_are_cut():
    names = added(QuantileRegressor(quantile=[0.2, 0.7], alpha=0).fit(X, y))[1]
    assert [name for name in names if name.startswith("quantile")] == ["quantile 0.2", "quantile 0.7"]
    html, names = added(LassoCD(alpha=0.1).fit(X, np.outer(y, np.ones(25))))
    assert [name for name in names if name.startswith("target")] == [f"target {k}" for k in range(20)]
    assert "5 more; at least" in html


def test_a_diagram_of_steps_has_no_certificates():
    model = LADRegressor().fit(X, y)
    assert "ladreg-certificates" not in estimator_html_repr(model)


@pytest.mark.parametrize(("relative", "digits"), [(0.0, 16), (1e-20, 16), (1e-3, 3), (1.0, 0), (7.0, 0), (np.nan, 0)])
def test_digits_are_the_logarithm_of_the_relative_gap(relative, digits):
    one = LADRegressor().fit(X, y).certificate_
    changed = type(one)(**{**vars(one), "relative_gap": relative})
    assert changed.proved_digits == pytest.approx(digits)
