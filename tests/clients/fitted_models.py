"""Libraries that take fitted models: files, explanations, intervals. What a function asserts is what its row says."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ladreg.onnx
from ladreg import HuberLossRegressor, LADRegressor, LassoCD, QuantileRegressor, QuantileRegressorCV
from tests import public
from tests.clients.data import TABLE, TARGET, X, raised, y
from tests.clients.table import row


@row(
    "ONNX",
    "skl2onnx",
    "onnxruntime",
    works="`to_onnx` of every estimator, alone or in pipelines and meta-estimators, after :func:`ladreg.onnx.register`",
    remark="Pass float64 input for float64 predictions. Some converters of skl2onnx, such as that of one-hot encoding, "
    "return float32.",
)
def onnx():
    import onnxruntime
    import skl2onnx

    ladreg.onnx.register()
    model = make_pipeline(StandardScaler(), LADRegressor()).fit(TABLE, TARGET)
    graph = skl2onnx.to_onnx(model, TABLE[:1])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (prediction,) = session.run(None, {"X": TABLE})
    np.testing.assert_allclose(prediction[:, 0], model.predict(TABLE), rtol=1e-13)


@row(
    "skops",
    "skops",
    works="`dump` and `load` of every fitted estimator, model cards",
    remark="`trusted` needs only the name of the class: see below.",
)
def skops():
    from skops import card, io

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "alpha=.* is the smallest", UserWarning)
        fitted = [clone(model).fit(X, y / 100) for model in public.ONE_EACH]
    for model in fitted:
        name = f"{type(model).__module__}.{type(model).__name__}"
        assert io.get_untrusted_types(data=io.dumps(model)) == [name]
        assert "Untrusted types" in raised(TypeError, io.loads, io.dumps(model))
        loaded = io.loads(io.dumps(model), trusted=[name])
        np.testing.assert_array_equal(public.slopes(loaded), public.slopes(model))
    assert "LADRegressor" in card.Card(fitted[0]).render()


@row(
    "MLflow",
    "mlflow",
    works="`log_model`, `load_model` and `pyfunc`",
    remark="`log_model` saves by skops and raises an error without `skops_trusted_types`: see below. `autolog` logs "
    "only scikit-learn's own classes.",
)
def mlflow():
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    folder = Path(tempfile.mkdtemp())
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("ladreg", artifact_location=(folder / "artifacts").as_uri())
    model = make_pipeline(StandardScaler(), LADRegressor()).fit(X, y)
    types = ["ladreg.lad.LADRegressor"]
    options = {"name": "model", "pip_requirements": ["ladreg"]}
    with mlflow.start_run(experiment_id=experiment):
        refused = raised(mlflow.MlflowException, mlflow.sklearn.log_model, model, **options)
        assert "set the 'skops_trusted_types' parameter" in refused
        logged = mlflow.sklearn.log_model(model, skops_trusted_types=types, **options)
        mlflow.sklearn.autolog()
        try:
            LADRegressor().fit(X, y)
        finally:
            mlflow.sklearn.autolog(disable=True)
    assert mlflow.get_run(mlflow.last_active_run().info.run_id).data.params == {}
    for loaded in (mlflow.sklearn.load_model(logged.model_uri), mlflow.pyfunc.load_model(logged.model_uri)):
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@row(
    "SHAP",
    "shap",
    works="`LinearExplainer` and `Explainer` of every regressor, with several quantiles or targets too",
    remark="`Explainer(model, X)` uses `coef_` and `intercept_`, without the sorting of `rearrange=True` or the "
    "correction of `ConformalQuantileRegressor`. `Explainer(model.predict, X)` explains the predictions.",
)
def shap():
    import shap

    for model in [*public.REGRESSORS, QuantileRegressor(quantile=[0.1, 0.5, 0.9], alpha=0)]:
        fitted = clone(model).fit(X, y / 100)
        found = shap.Explainer(fitted, X)(X)
        np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, fitted.predict(X), rtol=1e-9)
    both = LassoCD(alpha=0.1).fit(X, np.column_stack([y, -y]))
    found = shap.Explainer(both, X)(X)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, both.predict(X), rtol=1e-9)
    crossing = QuantileRegressor(quantile=[0.45, 0.5, 0.55], alpha=0, rearrange=True).fit(X, y)
    lines = TABLE @ crossing.coef_.T + crossing.intercept_
    found = shap.Explainer(crossing, X)(X)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, lines, rtol=1e-9)
    assert np.any(np.abs(lines - crossing.predict(X)) > 0.1)
    few = X[["bmi", "bp", "s5"]]
    sorted_ = clone(crossing).fit(few, y)
    found = shap.Explainer(sorted_.predict, few, algorithm="exact")(few[:50])
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, sorted_.predict(few[:50]), rtol=1e-9)


@row("LIME", "lime", works="`LimeTabularExplainer` of `predict`, also with a ladreg model as `model_regressor`")
def lime():
    from lime.lime_tabular import LimeTabularExplainer

    model = LADRegressor().fit(TABLE, TARGET)
    explainer = LimeTabularExplainer(
        TABLE, mode="regression", feature_names=list(X), discretize_continuous=False, random_state=0
    )
    local = explainer.explain_instance(TABLE[0], model.predict, num_features=10, model_regressor=LADRegressor())
    # A linear model is its own explanation, in units of the columns' deviations.
    expected = dict(zip(X, model.coef_ * TABLE.std(axis=0), strict=True))
    for name, slope in local.as_list():
        np.testing.assert_allclose(slope, expected[name], rtol=1e-6)


@row(
    "MAPIE",
    "mapie",
    works="`SplitConformalRegressor` and `CrossConformalRegressor`; `ConformalizedQuantileRegressor` of "
    "`QuantileRegressor`, and of any three fitted models (lower, upper, median) with `prefit=True`",
    remark="Without `prefit`, MAPIE accepts only four class names, `QuantileRegressor` among them: "
    "`QuantileRegressorCV` raises an error. :class:`~ladreg.ConformalQuantileRegressor` fits the three quantiles "
    "together.",
)
def mapie():
    from mapie.regression import ConformalizedQuantileRegressor, CrossConformalRegressor, SplitConformalRegressor

    fitting, others = slice(0, 220), slice(220, None)

    def covered(model):
        ends = model.predict_interval(TABLE[others])[1]
        return np.mean((ends[:, 0, 0] <= TARGET[others]) & (TARGET[others] <= ends[:, 1, 0]))

    cross = CrossConformalRegressor(LADRegressor(), confidence_level=0.8).fit_conformalize(TABLE, TARGET)
    assert covered(cross) > 0.75
    fitted = HuberLossRegressor().fit(TABLE[fitting], TARGET[fitting])
    split = SplitConformalRegressor(fitted, confidence_level=0.8, prefit=True)
    assert covered(split.conformalize(TABLE[others], TARGET[others])) >= 0.8
    own = ConformalizedQuantileRegressor(QuantileRegressor(alpha=0), confidence_level=0.8)
    own.fit(TABLE[fitting], TARGET[fitting]).conformalize(TABLE[others], TARGET[others])
    assert covered(own) >= 0.8
    tuned = [
        QuantileRegressorCV(quantile=quantile, alphas="auto", cv=3).fit(TABLE[fitting], TARGET[fitting])
        for quantile in (0.1, 0.9, 0.5)
    ]
    prefit = ConformalizedQuantileRegressor(tuned, confidence_level=0.8, prefit=True)
    assert covered(prefit.conformalize(TABLE[others], TARGET[others])) >= 0.8
    refused = ConformalizedQuantileRegressor(QuantileRegressorCV(), confidence_level=0.8)
    assert "base model is not supported" in raised(ValueError, refused.fit, TABLE[fitting], TARGET[fitting])


@row("crepes", "crepes", works="`WrapRegressor`: conformal intervals and predictive systems")
def crepes():
    from crepes import WrapRegressor

    for table, target in ((TABLE, TARGET), (X, y)):
        wrapped = WrapRegressor(LADRegressor())
        wrapped.fit(table[:200], target[:200])
        for system in (False, True):
            wrapped.calibrate(table[200:], target[200:], cps=system)
            ends = wrapped.predict_int(table[200:], confidence=0.9)
            assert np.mean((ends[:, 0] <= TARGET[200:]) & (TARGET[200:] <= ends[:, 1])) >= 0.89
