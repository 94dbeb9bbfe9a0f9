"""Regularization paths as functions: `lasso_path` and `enet_path` with scikit-learn's signatures, and `lad_path`."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from ladreg._estimator import CertifiedRegressor
from ladreg._path import Path, solve_path
from ladreg._tuning import alpha_grid, checked_alphas
from ladreg._validation import check_choice, check_count, check_flag, check_real, training_data
from ladreg.lad import LADRegressor
from ladreg.lasso import ElasticNetCD
from ladreg.quantile import QuantileRegressor

Array = NDArray[np.float64]
