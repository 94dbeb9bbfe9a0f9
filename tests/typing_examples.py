"""The types that users meet, stated; mypy and pyright read this file (`tests/test_types.py`), nobody runs it."""

from typing import Any, assert_type

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg import (
    Certificate,
    ConformalQuantileRegressor,
    ElasticNetCD,
    HuberLossRegressor,
    HuberLossRegressorCV,
    Inference,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    LassoInference,
    QuantileRegressor,
    QuantileRegressorCV,
    StabilitySelection,
    alpha_max,
    blocks,
    fit_many,
    infer,
    lad_path,
    pivotal_alpha,
)
from ladreg.metrics import combined_loss, l1_loss, pinball_loss

Floats = NDArray[np.float64]
Floating = NDArray[np.floating]


def stated(X: Floats, y: Floats) -> None:
    """What a checker is to find; nobody calls it."""
    # One target: numbers. They are arrays for several targets, so that their type is open; a string is an error.
    model = LADRegressor().fit(X, y)
    assert_type(model, LADRegressor)
    assert_type(model.coef_, Floating)
    assert_type(model.intercept_, np.floating | Any)
    assert_type(float(model.intercept_), float)
    assert_type(model.objective_, float | Any)
    assert_type(model.dual_gap_, float | Any)
    assert_type(model.n_iter_, int | Any)
    assert_type(model.alpha_, float | Any)
    assert_type(model.n_features_in_, int)
    assert_type(model.feature_names_in_, NDArray[np.object_])
    assert_type(model.certificate_, Certificate | Any)
    assert_type(model.certificates_, list[Certificate])
    assert_type(model.certificates_[0].relative_gap, float)
    assert_type(model.verify(X, y), Certificate | Any)
    assert_type(model.predict(X), Floating)
    _ = model.certificate_.gaps  # type: ignore[union-attr]

    # Tables: sparse arrays and matrices, lists, blocks of rows.
    LADRegressor().fit(sp.csr_array(X), y).predict(sp.csr_array(X))
    LassoCD().fit(sp.csc_matrix(X), y).verify(sp.csc_matrix(X), y)
    LADRegressor().fit([[1.0], [2.0]], [1.0, 2.0])
    LADRegressor().fit(blocks.arrays(X, y)).verify(blocks.arrays(X, y))
    StabilitySelection().fit(sp.csr_array(X), y)

    # Estimators that choose alpha.
    tuned = LassoCDCV().fit(X, y)
    assert_type(tuned.certificate_, Certificate | Any)
    assert_type(tuned.certificates_, list[Certificate])
    assert_type(tuned.intercept_, np.floating | Any)
    assert_type(tuned.objective_, float | Any)
    assert_type(tuned.n_iter_, int | Any)
    assert_type(tuned.alpha_, float | Any)
    assert_type(tuned.alpha_1se_, float | Any)
    assert_type(tuned.alphas_, Floats)
    assert_type(tuned.mse_path_, Floats)
    assert_type(tuned.coef_path_, Floating)
    assert_type(LADRegressorCV().fit(X, y).mae_path_, Floats)
    assert_type(QuantileRegressorCV().fit(X, y).pinball_path_, Floats)
    assert_type(HuberLossRegressorCV().fit(X, y).scale_, float | Any)
    assert_type(LassoCDIC().fit(X, y).criterion_, Floats)
    assert_type(LassoCDIC().fit(X, y).noise_variance_, float | Any)

    # Others.
    assert_type(HuberLossRegressor().fit(X, y).scale_, float | Any)
    assert_type(ElasticNetCD().fit(X, y).penalty, str | None)
    conformal = ConformalQuantileRegressor().fit(X, y)
    assert_type(conformal.certificate_, list[Certificate])
    assert_type(conformal.predict(X), Floating)
    assert_type(conformal.predict(X, return_interval=True), tuple[Floating, Floating])
    assert_type(conformal.predict_interval(X), Floating)
    assert_type(StabilitySelection().fit(X, y).selection_probabilities_, Floats)
    assert_type(fit_many(LADRegressor(), X, y, window=10).coef, Floats)

    # Choices are literals.
    QuantileRegressor(solver="highs-ds")
    LADRegressor(solver="highs-ds")  # type: ignore[arg-type]
    LADRegressorCV(selection="best")  # type: ignore[arg-type]
    infer(model, X, y, kernel="cosine")  # type: ignore[call-overload]

    # Where a parameter decides between a number and an array, so does the type.
    assert_type(l1_loss(y, y), float)
    assert_type(l1_loss(y, y, multioutput="raw_values"), Floats)
    assert_type(combined_loss(y, y, multioutput=[0.5, 0.5]), float)
    assert_type(pinball_loss(y, X, quantile=[0.1, 0.5, 0.9], multioutput="raw_values"), Floats)
    assert_type(pivotal_alpha(X), float)
    assert_type(pivotal_alpha(X, [0.1, 0.9]), Floats)
    assert_type(alpha_max(X, y), float | Any)
    assert_type(model.alpha_max(X, y), float | Any)
    LassoCD(alpha=0.1 * alpha_max(X, y))
    assert_type(infer(model, X, y), Inference | Any)
    assert_type(infer(tuned, X, y, method="desparsified"), LassoInference | Any)
    assert_type(lad_path(X, y), tuple[Floats, Floats, Floats, Floats])
