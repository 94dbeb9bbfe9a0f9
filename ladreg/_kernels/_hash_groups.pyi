from typing import Any

from numpy.typing import NDArray

def group(keys: NDArray[Any], groups: NDArray[Any], first: NDArray[Any]) -> int: ...
