"""Graphs made of fitted models compute in onnxruntime what the models predict, where skl2onnx is installed."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import BaggingRegressor, StackingRegressor, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ladreg.onnx
from ladreg import ConformalQuantileRegressor, LADRegressor, LassoCD, QuantileRegressor, StabilitySelection
from tests import public

X, y = load_diabetes(return_X_y=True)
y = y / 100
INTERVALS = {ConformalQuantileRegressor: {"return_interval": True}}


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"skl2onnx is needed for this: pip install 'ladreg\[onnx\]'\."):
        ladreg.onnx.register()


@pytest.fixture(scope="module")
def converted():
    """Outputs of a model's graph: ``converted(model, table)``."""
    skl2onnx, onnxruntime = pytest.importorskip("skl2onnx"), pytest.importorskip("onnxruntime")
    ladreg.onnx.register()
    ladreg.onnx.register()  # a second time changes nothing

    def run(model, table, **options):
        graph = skl2onnx.to_onnx(model, table[:1], **options)
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        given = {"X": table}
        if isinstance(table, pd.DataFrame):
            given = {name: table[[name]].to_numpy() for name in table}
        return session.run(None, given)

    return run


def as_predicted(found, model, table):
    """Whether predictions are those of the model, up to 1e-15 of the sum of the terms' sizes."""
    expected = np.asarray(model.predict(table), dtype=np.float64)
    terms = np.abs(table) @ np.abs(np.atleast_2d(model.coef_)).T + np.abs(model.intercept_)
    assert found.shape == (len(table), expected.size // len(table))
    if isinstance(model, QuantileRegressor | ConformalQuantileRegressor):
        terms = terms.max(axis=1, keepdims=True)  # whichever line it was before the row was sorted
    return np.all(np.abs(found - expected.reshape(found.shape)) <= 1e-15 * terms)


@pytest.mark.filterwarnings("ignore:alpha=.* is the smallest that was tried:UserWarning")
@pytest.mark.parametrize("model", [*public.REGRESSORS, *public.INTERVALS], ids=repr)
def test_a_graph_predicts_as_the_model(converted, model):
    fitted = clone(model).fit(X, y)
    (found,) = converted(fitted, X)
    assert found.dtype == np.float64
    assert as_predicted(found, fitted, X)


def crossing(**parameters):
    """Quantiles in no order, which cross in many rows where they are not rearranged."""
    return QuantileRegressor(quantile=[0.5, 0.9, 0.1, 0.45, 0.55], alpha=0, **parameters).fit(X[:60], y[:60])


def test_rearranged_quantiles_are_sorted_in_the_graph(converted):
    plain, sorted_, ascending = crossing(), crossing(rearrange=True), [2, 3, 0, 4, 1]
    (found,) = converted(plain, X)
    assert as_predicted(found, plain, X)
    assert np.mean(np.diff(found[:, ascending], axis=1).min(axis=1) < 0) > 0.1
    (found,) = converted(sorted_, X)
    assert as_predicted(found, sorted_, X)
    assert np.all(np.diff(found[:, ascending], axis=1) >= 0)
    # As in `predict`, the parameter may be set after the fit.
    assert as_predicted(converted(plain.set_params(rearrange=True), X)[0], sorted_, X)


def test_several_targets_are_columns(converted):
    model = LADRegressor().fit(X, np.column_stack([y, -2 * y, y**2]))
    assert as_predicted(converted(model, X)[0], model, X)


@pytest.mark.parametrize("n_samples", [200, 12])
def test_intervals_are_a_second_output(converted, n_samples):
    """With 12 rows the quantiles meet and the correction is negative."""
    model = ConformalQuantileRegressor(coverage=0.5, random_state=1).fit(X[:n_samples, :3], y[:n_samples])
    table = np.ascontiguousarray(X[:, :3])
    median, interval = converted(model, table, options=INTERVALS)
    assert as_predicted(median, model, table)
    scale = np.abs(model.coef_).sum() + np.abs(model.intercept_).max()
    np.testing.assert_allclose(interval, model.predict_interval(table), rtol=0, atol=1e-15 * scale)
    assert len(converted(model, table)) == 1


def test_infinite_intervals_stay_infinite(converted):
    with pytest.warns(UserWarning, match="infinite"):
        model = ConformalQuantileRegressor(coverage=0.99, random_state=1).fit(X[:20, :2], y[:20])
    _, interval = converted(model, np.ascontiguousarray(X[:, :2]), options=INTERVALS)
    np.testing.assert_array_equal(interval, np.tile([-np.inf, np.inf], (len(X), 1)))


@pytest.mark.parametrize("kept", [[0], [3], [0, 2], [2, 7, 8]])
def test_a_selection_returns_its_columns(converted, kept):
    """The first column alone is the case that skl2onnx's own converter of selectors gets wrong."""
    target = X[:, kept] @ np.arange(1.0, 1 + len(kept))
    selector = StabilitySelection(LassoCD(alpha=1e-4), alphas=None, n_pairs=3, random_state=0).fit(X, target)
    np.testing.assert_array_equal(selector.get_support(indices=True), kept)
    for table in (X, X.astype(np.float32)):
        (found,) = converted(selector, table)
        np.testing.assert_array_equal(found, table[:, kept])
        assert found.dtype == table.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32, np.bool_])
def test_other_numbers_are_computed_in_float64_and_rounded_once(converted, dtype):
    table = (np.round(100 * X) if dtype != np.bool_ else X > 0).astype(dtype)
    shifted = y + 1e6 if dtype == np.int64 else y  # an intercept that float32 does not hold
    model = LADRegressor().fit(table.astype(np.float64), shifted)
    (found,) = converted(model, table)
    assert found.dtype == np.float32
    expected = model.predict(table.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(found.ravel(), expected, rtol=2 * np.finfo(np.float32).eps)


def test_float32_coefficients(converted):
    model = LADRegressor().fit(X.astype(np.float32), y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    (found,) = converted(model, X.astype(np.float32))
    np.testing.assert_allclose(found.ravel(), model.predict(X.astype(np.float32)), rtol=1e-5)


def test_columns_of_a_data_frame_are_inputs(converted):
    frame = pd.DataFrame({"small": X[:, 2], "count": np.arange(len(X)) % 7, "flag": X[:, 1] > 0})
    model = LADRegressor().fit(frame, y)
    (found,) = converted(model, frame)
    assert found.dtype == np.float64
    assert as_predicted(found, model, frame.astype(np.float64))


def test_strings_are_refused(converted):
    frame = pd.DataFrame({"small": X[:, 2], "name": np.where(X[:, 1] > 0, "a", "b")})
    model = LADRegressor().fit(X[:, 1:3], y)
    with pytest.raises(TypeError, match="LADRegressor takes tensors of numbers, got StringTensorType: encode"):
        converted(model, frame)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LassoCD(alpha=0.05)),
        make_pipeline(StabilitySelection(LassoCD(), n_pairs=3, random_state=0), LADRegressor()),
        make_pipeline(SelectFromModel(LassoCD(alpha=0.01)), LADRegressor()),
        GridSearchCV(LADRegressor(), {"alpha": [0, 0.1]}, cv=2),
        StackingRegressor([("lad", LADRegressor()), ("lasso", LassoCD(alpha=0.01))], LADRegressor(), cv=2),
        VotingRegressor([("lad", LADRegressor()), ("lasso", LassoCD(alpha=0.01))]),
        BaggingRegressor(LADRegressor(), n_estimators=3, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_inside_other_estimators(converted, model):
    model = clone(model).fit(X, y)
    np.testing.assert_allclose(converted(model, X)[0].ravel(), model.predict(X), rtol=1e-12)


def test_inside_multioutput_and_with_categories(converted):
    Y = np.column_stack([y, -y])
    model = MultiOutputRegressor(LADRegressor()).fit(X, Y)
    np.testing.assert_allclose(np.squeeze(converted(model, X)[0]), model.predict(X), rtol=1e-12)
    frame = pd.DataFrame({"bmi": X[:, 2], "bp": X[:, 3], "sex": np.where(X[:, 1] > 0, "m", "w")})
    encoder = ColumnTransformer([("names", OneHotEncoder(), ["sex"]), ("numbers", "passthrough", ["bmi", "bp"])])
    pipeline = make_pipeline(encoder, LADRegressor()).fit(frame, y)
    np.testing.assert_allclose(converted(pipeline, frame)[0].ravel(), pipeline.predict(frame), rtol=1e-6)


def test_what_cannot_be_converted_is_named(converted):
    for model in public.ONE_EACH:
        with pytest.raises(NotFittedError, match=type(model).__name__):
            converted(clone(model), X)
    for fitted in (LADRegressor().fit(X, y), StabilitySelection(n_pairs=2, alphas=2).fit(X, y)):
        with pytest.raises(ValueError, match=f"has 3 columns, but {type(fitted).__name__} was fitted to 10"):
            converted(fitted, np.ascontiguousarray(X[:, :3]))


def test_nothing_selected(converted):
    selector = StabilitySelection(LassoCD(alpha=10.0), alphas=None, n_pairs=2).fit(X, y)
    assert converted(selector, X)[0].shape == (len(X), 0)


def test_intervals_at_the_end_of_a_pipeline(converted):
    model = make_pipeline(StandardScaler(), ConformalQuantileRegressor(random_state=0)).fit(X, y)
    expected = model.predict(X, return_interval=True)
    median, interval = converted(model, X, options=INTERVALS)
    np.testing.assert_allclose(median[:, 0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(interval, expected[1], rtol=1e-12)


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_older_versions_of_onnx(converted, opset):
    model = crossing(rearrange=True)
    assert as_predicted(converted(model, X, target_opset=opset)[0], model, X)
