"""Fitted models as ONNX graphs, by way of skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ladreg._arrays import Array, Index
from ladreg._optional import optional
from ladreg.combined import CombinedLossRegressor
from ladreg.conformal import ConformalQuantileRegressor
from ladreg.huber import HuberLossRegressor
from ladreg.information import LADRegressorIC, LassoCDIC, QuantileRegressorIC
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD, LassoCD
from ladreg.model_selection import (
    CombinedLossRegressorCV,
    ElasticNetCDCV,
    HuberLossRegressorCV,
    LADRegressorCV,
    LassoCDCV,
    QuantileRegressorCV,
)
from ladreg.quantile import QuantileRegressor
from ladreg.stability import StabilitySelection

__all__ = ["register"]

_LINEAR: tuple[type[BaseEstimator], ...] = (
    LADRegressor,
    QuantileRegressor,
    HuberLossRegressor,
    CombinedLossRegressor,
    LassoCD,
    ElasticNetCD,
    LADRegressorCV,
    QuantileRegressorCV,
    HuberLossRegressorCV,
    CombinedLossRegressorCV,
    LassoCDCV,
    ElasticNetCDCV,
    LADRegressorIC,
    QuantileRegressorIC,
    LassoCDIC,
)
# Names of tensor types of skl2onnx, beside those of float32 and float64, that are cast before a matrix product.
_NUMBERS = {"BooleanTensorType", "Int8TensorType", "Int16TensorType", "Int32TensorType", "Int64TensorType"}
_NUMBERS |= {"UInt8TensorType", "UInt16TensorType", "UInt32TensorType", "UInt64TensorType", "Float16TensorType"}


def register() -> None:
    """Tell skl2onnx how to convert ladreg's estimators, alone and in pipelines.

    Call it once, before `skl2onnx.to_onnx`. It needs the extra `onnx`: ``pip install 'ladreg[onnx]'``.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    The graph of a regressor computes in float64 whatever the type of its input. Its predictions have the type that
    skl2onnx gives them: float64 for an input of float64, float32 for others. With float64 they are those of `predict`
    up to the rounding of a sum: 1e-15 times the sum of the sizes of its terms ``x[j] * coef[j]`` and of the intercept.
    As in skl2onnx a single target is a column, of shape (n_samples, 1). With ``rearrange=True`` the graph sorts the
    quantiles of a row.

    The graph of `ConformalQuantileRegressor` has the median; with the option ``return_interval`` its second output is
    `predict_interval` without weights:
    ``to_onnx(model, X[:1], options={ConformalQuantileRegressor: {"return_interval": True}})``.

    The graph of `StabilitySelection` returns the selected columns as they are.

    A graph does not check its input: NaN gives NaN, where `predict` raises an error. The certificate, `verify` and
    names of features are not part of it.

    Examples
    --------
    >>> import onnxruntime, skl2onnx  # doctest: +SKIP
    >>> import ladreg.onnx
    >>> from sklearn.datasets import load_diabetes
    >>> from ladreg import LADRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LADRegressor().fit(X, y)
    >>> ladreg.onnx.register()  # doctest: +SKIP
    >>> graph = skl2onnx.to_onnx(model, X[:1])  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession(graph.SerializeToString())  # doctest: +SKIP
    >>> (prediction,) = session.run(None, {"X": X})  # doctest: +SKIP
    """
    skl2onnx = optional("skl2onnx", "onnx")
    for linear in _LINEAR:
        _tell(skl2onnx, linear, _linear_shape, _convert_linear)
    _tell(skl2onnx, StabilitySelection, _selection_shape, _convert_selection)
    _tell(
        skl2onnx,
        ConformalQuantileRegressor,
        _conformal_shape,
        _convert_conformal,
        parser=_parse_conformal,
        options={"return_interval": [True, False]},
    )


def _tell(skl2onnx: Any, estimator: type[BaseEstimator], shape: Any, convert: Any, **others: Any) -> None:
    name = f"Ladreg{estimator.__name__}"
    skl2onnx.update_registered_converter(estimator, name, shape, convert, overwrite=True, **others)


def _check_input(operator: Any) -> None:
    """Raise an error where the model is not fitted, or the input has another number of columns than its fit had."""
    model = operator.raw_operator
    check_is_fitted(model)
    widths: list[Any] = [one.type.shape[1] if len(one.type.shape) == 2 else None for one in operator.inputs]
    if None not in widths and sum(widths) != model.n_features_in_:
        raise ValueError(
            f"The input has {sum(widths)} columns, but {type(model).__name__} was fitted to {model.n_features_in_}."
        )


def _prediction_type(operator: Any, width: int) -> Any:
    """The type of `width` predictions a row; a TypeError for inputs that are not numbers."""
    types = optional("skl2onnx.common.data_types", "onnx")
    kinds = {type(one.type).__name__ for one in operator.inputs}
    unknown = kinds - _NUMBERS - {"FloatTensorType", "DoubleTensorType"}
    if unknown:
        name = type(operator.raw_operator).__name__
        raise TypeError(
            f"{name} takes tensors of numbers, got {min(unknown)}: encode such columns in a step before it."
        )
    kind = types.DoubleTensorType if "DoubleTensorType" in kinds else types.FloatTensorType
    return kind([operator.inputs[0].get_first_dimension(), width])


def _linear_shape(operator: Any) -> None:
    _check_input(operator)
    operator.outputs[0].type = _prediction_type(operator, np.atleast_2d(operator.raw_operator.coef_).shape[0])


def _conformal_shape(operator: Any) -> None:
    _check_input(operator)
    for output, width in zip(operator.outputs, (1, 2), strict=False):
        output.type = _prediction_type(operator, width)


def _selection_shape(operator: Any) -> None:
    _check_input(operator)
    first = operator.inputs[0]
    n_selected = int(operator.raw_operator.get_support().sum())
    operator.outputs[0].type = type(first.type)([first.get_first_dimension(), n_selected])


def _parse_conformal(scope: Any, model: Any, inputs: list[Any], custom_parsers: Any = None) -> Any:  # noqa: ARG001
    """The outputs: the median, and the interval if the option asks for it."""
    skl2onnx = optional("skl2onnx", "onnx")
    types = optional("skl2onnx.common.data_types", "onnx")
    operator = scope.declare_local_operator(skl2onnx.get_model_alias(type(model)), model)
    operator.inputs = inputs
    wanted = scope.get_options(model, {"return_interval": False})["return_interval"]
    for name in ("variable", "interval") if wanted else ("variable",):
        operator.outputs.append(scope.declare_local_variable(name, types.guess_tensor_type(inputs[0].type)))
    return operator.outputs


class _Graph:
    """Nodes of one operator, each called by its inputs and returning the name of its output."""

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self.scope = scope
        self.operator = operator
        self.container = container
        self.types = optional("onnx", "onnx").TensorProto

    def node(self, kind: str, *inputs: str, n_outputs: int = 1, **attributes: Any) -> str:
        """A node of ONNX's own operators; the name of its first output."""
        names = [self.scope.get_unique_variable_name(kind.lower()) for _ in range(n_outputs)]
        self.container.add_node(kind, list(inputs), names, name=self.scope.get_unique_operator_name(kind), **attributes)
        return names[0]

    def constant(self, values: NDArray[Any]) -> str:
        """Numbers of float64, or of int64."""
        name: str = self.scope.get_unique_variable_name("constant")
        kind = self.types.DOUBLE if values.dtype == np.float64 else self.types.INT64
        self.container.add_initializer(name, kind, values.shape, values.ravel().tolist())
        return name

    def table(self, to: int | None = None) -> str:
        """The inputs as one table; `to` is the type that they are cast to."""
        names = [one.full_name for one in self.operator.inputs]
        if to is not None:
            names = [self.node("Cast", name, to=to) for name in names]
        return names[0] if len(names) == 1 else self.node("Concat", *names, axis=1)

    def columns(self, table: str, which: Index) -> str:
        return self.node("Gather", table, self.constant(which), axis=1)

    def ascending(self, table: str, ranks: Index) -> str:
        """Each row sorted, column j holding the value of rank `ranks[j]` from below."""
        # TopK has the largest value first, in every version of ONNX.
        falling = self.node("TopK", table, self.constant(np.array([ranks.size])), n_outputs=2, axis=1)
        return self.columns(falling, ranks.size - 1 - ranks)

    def lines(self, model: Any) -> str:
        """Predictions of a linear model in float64, of shape (n_samples, n_targets)."""
        coef: Array = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
        intercept: Array = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
        product = self.node("MatMul", self.table(self.types.DOUBLE), self.constant(coef.T))
        found = self.node("Add", product, self.constant(intercept))
        ranks = model._ranks() if isinstance(model, QuantileRegressor) else None
        return found if ranks is None else self.ascending(found, ranks)

    def returns(self, name: str, place: int = 0) -> None:
        """Hand on a table of float64 as an output of the operator, in its type."""
        output = self.operator.outputs[place]
        double = type(output.type).__name__ == "DoubleTensorType"
        kind, attributes = ("Identity", {}) if double else ("Cast", {"to": self.types.FLOAT})
        self.container.add_node(
            kind, [name], [output.full_name], name=self.scope.get_unique_operator_name(kind), **attributes
        )


def _convert_linear(scope: Any, operator: Any, container: Any) -> None:
    graph = _Graph(scope, operator, container)
    graph.returns(graph.lines(operator.raw_operator))


def _convert_conformal(scope: Any, operator: Any, container: Any) -> None:
    graph, model = _Graph(scope, operator, container), operator.raw_operator
    lines = graph.lines(model._fitted())
    graph.returns(graph.columns(lines, np.array([1])))
    if len(operator.outputs) > 1:
        widening = graph.constant(model.correction_ * np.array([-1.0, 1.0]))
        ends = graph.node("Add", graph.columns(lines, np.array([0, 2])), widening)
        graph.returns(graph.ascending(ends, np.arange(2)), 1)


def _convert_selection(scope: Any, operator: Any, container: Any) -> None:
    graph = _Graph(scope, operator, container)
    selected = graph.columns(graph.table(), operator.raw_operator.get_support(indices=True))
    container.add_node(
        "Identity", [selected], [operator.outputs[0].full_name], name=scope.get_unique_operator_name("Identity")
    )
