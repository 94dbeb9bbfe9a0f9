"""What may be handed in as y: a column, and numbers that float64 does not have."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import cross_val_score

from ladreg import LADRegressor, QuantileRegressor
from tests.public import REGRESSORS, data_functions

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 3))
y = X @ [1.0, -2.0, 0.0] + rng.laplace(size=40)


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
@pytest.mark.parametrize("frame", [False, True])
def test_a_column_is_one_target(model, frame):
    column = pd.DataFrame({"y": y}) if frame else y[:, None]
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array was expected") as told:
        fitted = clone(model).fit(X, column)
    assert [one.filename for one in told if one.category is DataConversionWarning] == [__file__]
    plain = clone(model).fit(X, y)
    np.testing.assert_array_equal(fitted.coef_, plain.coef_)
    np.testing.assert_array_equal(fitted.intercept_, plain.intercept_)
    assert fitted.predict(X).shape == plain.predict(X).shape
    assert fitted.certificate_ == plain.certificate_
    with pytest.warns(DataConversionWarning):
        assert fitted.verify(X, column) == plain.verify(X, y)
    assert fitted.score(X, column) == plain.score(X, y)


def _parts(found):
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("name", [name for name in data_functions() if name != "pivotal_alpha"])
def test_functions_take_a_column_too(name):
    call = data_functions()[name]
    with pytest.warns(DataConversionWarning):
        found = call(X, y[:, None])
    for one, other in zip(_parts(found), _parts(call(X, y)), strict=True):
        # lasso_path and enet_path have an axis of targets then, as scikit-learn's functions do.
        np.testing.assert_array_equal(np.reshape(one, np.shape(other)), other)


def test_two_columns_stay_two_targets():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LADRegressor().fit(X, np.column_stack([y, -y])).predict(X).shape == (40, 2)
    with pytest.raises(ValueError, match="y must be one-dimensional if quantile is a list"):
        QuantileRegressor(quantile=[0.1, 0.9]).fit(X, np.column_stack([y, -y]))


BIG = 2**53
LOST = [
    np.full(40, BIG + 1),
    np.full(40, -BIG - 1),
    np.arange(40) + 1_700_000_000_000_000_001,
    np.full(40, 2**63 + 1, dtype=np.uint64),
    np.full(40, -(2**63) + 1),
    [10**30 + 1] * 40,
    [Decimal(BIG) + Decimal("0.5")] * 40,
    [Fraction(BIG * 3 + 1, 3)] * 40,
    pd.Series(np.full(40, BIG + 1)),
    pd.array(np.full(40, BIG + 1), dtype="Int64"),
]
KEPT = [
    np.full(40, BIG),
    np.full(40, 1_700_000_000 * 2**30),
    np.full(40, -(2**63)),
    np.full(40, 2**63, dtype=np.uint64),
    np.arange(40, dtype=np.int32),
    np.full(40, 1e300),
    [10**22] * 40,
    [Decimal("0.1")] * 40,
    [Fraction(1, 3)] * 40,
    pd.Series(np.arange(40)),
    np.zeros(40, dtype=bool),
]


@pytest.mark.parametrize("target", LOST, ids=lambda target: str(target[0]))
def test_targets_that_float64_rounds_are_warned_of(target):
    with pytest.warns(UserWarning, match=r"y has \d+ numbers beyond 2\*\*53, which .* Subtract a constant") as told:
        LADRegressor().fit(X, target)
    assert [one.filename for one in told if issubclass(one.category, UserWarning)] == [__file__]


@pytest.mark.parametrize("target", KEPT, ids=lambda target: str(target[0]))
def test_targets_that_float64_has_are_not(target):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LADRegressor().fit(X, target)


def test_the_advice_works():
    stamps = np.arange(40) * 3 + 1_700_000_000_000_000_001
    table = np.arange(40.0)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LADRegressor().fit(table, stamps - stamps[0])
    np.testing.assert_array_equal(np.round(model.predict(table)).astype(np.int64) + stamps[0], stamps)


def test_warnings_through_scikit_learn_are_one_a_fit():
    with pytest.warns(DataConversionWarning) as told:
        cross_val_score(LADRegressor(), X, y[:, None], cv=2)
    assert len(told) == 2
