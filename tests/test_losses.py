"""The mathematics of losses and penalties, checked by brute force on a grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ladreg._losses import Absolute, HalfSquared, Pinball
from ladreg._penalties import ElasticNet

LOSSES = [Absolute(), Pinball(0.5), Pinball(0.1), Pinball(0.9), HalfSquared()]
GRID = np.linspace(-50, 50, 200_001)
finite = st.floats(-10, 10)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_conjugate_is_the_supremum(loss):
    low, high = np.clip(loss.interval(), -4, 4)
    for slope in np.linspace(low, high, 9):
        brute = np.max(slope * GRID - loss.value(GRID))
        assert loss.conjugate(np.array([slope]))[0] == pytest.approx(brute, abs=1e-6)


@pytest.mark.parametrize("loss", [Absolute(), Pinball(0.1)], ids=repr)
def test_conjugate_is_infinite_outside_the_interval(loss):
    low, high = loss.interval()
    for slope in (low - 0.1, high + 0.1):
        assert np.max(slope * GRID - loss.value(GRID)) >= 0.1 * 50 - 1e-9


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite, share=st.floats(0, 1))
def test_fenchel_young_is_value_plus_conjugate_minus_product(loss, residual, share):
    low, high = np.clip(loss.interval(), -4, 4)
    slope = np.array([low + share * (high - low)])
    residual = np.array([residual])
    expected = loss.value(residual) + loss.conjugate(slope) - residual * slope
    gap = loss.fenchel_young(residual, slope)
    assert gap >= 0
    assert gap == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite)
def test_the_derivative_is_a_subgradient(loss, residual):
    residual = np.array([residual])
    slope = loss.derivative(residual)
    assert np.all(loss.value(GRID) >= loss.value(residual) + slope * (GRID - residual) - 1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_slope_inside_the_interval_belongs_to_its_residual(loss):
    low, high = np.clip(loss.interval(), -4, 4)
    slope = np.linspace(low, high, 7)[1:-1]
    assert loss.fenchel_young(loss.residual_at(slope), slope) == pytest.approx(0)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9), st.data())
def test_location_minimises(loss, y, data):
    y = np.array(y, dtype=float)
    weight = np.array(data.draw(st.lists(st.integers(1, 4), min_size=y.size, max_size=y.size)), dtype=float)
    cost = lambda constant: weight @ loss.value(y - constant)  # noqa: E731
    assert cost(loss.location(y, weight)) <= min(map(cost, np.linspace(-5, 5, 101))) + 1e-9


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite, exponent=st.integers(-30, 30))
def test_a_change_of_units_changes_nothing(loss, residual, exponent):
    unit = 2.0**exponent
    other, factor = loss.rescaled(unit)
    residual = np.array([residual])
    assert loss.value(unit * residual) == pytest.approx(factor * other.value(residual), rel=1e-14)


@pytest.mark.parametrize("positive", [False, True])
def test_prox_of_the_penalty(positive):
    penalty = ElasticNet(np.array([0.0, 0.5, 2.0, 0.5, np.inf]), positive, np.array([0.0, 0.0, 0.0, 3.0, 0.0]))
    grid = np.linspace(0 if positive else -4, 4, 80_001)
    for z in (-3.0, -0.4, 0.0, 0.3, 2.5):
        prox = penalty.prox(np.full(5, z))
        for j, (strength, ridge) in enumerate(zip(penalty.strength[:4], penalty.ridge, strict=False)):
            cost = (grid - z) ** 2 / 2 + strength * np.abs(grid) + ridge * grid**2 / 2
            assert prox[j] == pytest.approx(grid[np.argmin(cost)], abs=1e-3)
        assert prox[4] == 0.0


@pytest.mark.parametrize("positive", [False, True])
def test_fenchel_young_of_the_penalty(positive):
    penalty = ElasticNet(np.array([0.5, 0.5, 0.5]), positive)
    coef = np.array([2.0, 0.0, 1.0])
    slope = np.array([0.5, -0.3, 0.1])
    np.testing.assert_allclose(penalty.fenchel_young(coef, slope), 0.5 * np.abs(coef) - coef * slope)


@pytest.mark.parametrize("positive", [False, True])
def test_fenchel_young_of_a_ridge_is_value_plus_conjugate(positive):
    penalty = ElasticNet(np.array([0.5]), positive, np.array([2.0]))
    grid = np.linspace(0 if positive else -6, 6, 120_001)
    for coef in (0.0, 0.7, 1.5) if positive else (-2.0, 0.0, 0.7):
        for slope in (-3.0, -0.2, 0.0, 0.5, 4.0):
            conjugate = (grid * slope - 0.5 * np.abs(grid) - grid**2).max()
            expected = penalty.value(np.array([coef])) + conjugate - coef * slope
            found = penalty.fenchel_young(np.array([coef]), np.array([slope]))[0]
            assert found == pytest.approx(expected, abs=1e-6)
            assert found >= 0


def test_an_excluded_feature_costs_nothing_at_zero_and_everything_elsewhere():
    penalty = ElasticNet(np.array([np.inf, 1.0]))
    assert penalty.value(np.array([0.0, -2.0])) == 2.0
    assert penalty.value(np.array([1e-300, 0.0])) == np.inf
    np.testing.assert_array_equal(penalty.fenchel_young(np.array([0.0, 1.0]), np.array([9.0, 1.0])), [0.0, 0.0])
    assert penalty.overrun(np.array([1e9, 0.5])) == 1.0


@pytest.mark.parametrize("exponent", [-40, 0, 40])
def test_a_penalty_in_other_units(exponent):
    penalty = ElasticNet(np.array([0.5, 0.0]), False, np.array([2.0, 3.0]))
    unit, factor = 2.0 ** np.array([exponent, 3]), 2.0 ** (2 * exponent)
    coef = np.array([0.3, -2.0])
    assert penalty.rescaled(unit, factor).value(coef) == pytest.approx(penalty.value(unit * coef) / factor, rel=1e-14)
