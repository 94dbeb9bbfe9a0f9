from typing import Any

from numpy.typing import NDArray

def dense_burst(
    X: NDArray[Any],
    center: NDArray[Any],
    scale: NDArray[Any],
    weight: NDArray[Any],
    curvature: NDArray[Any],
    strength: NDArray[Any],
    ridge: NDArray[Any],
    positive: bool,
    features: NDArray[Any],
    n_epochs: int,
    coef: NDArray[Any],
    residual: NDArray[Any],
) -> float: ...
def sparse_burst(
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    center: NDArray[Any],
    scale: NDArray[Any],
    weight: NDArray[Any],
    curvature: NDArray[Any],
    strength: NDArray[Any],
    ridge: NDArray[Any],
    positive: bool,
    features: NDArray[Any],
    n_epochs: int,
    coef: NDArray[Any],
    residual: NDArray[Any],
    shift: float,
) -> tuple[float, float]: ...
