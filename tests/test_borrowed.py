"""Other projects' own tests of the lasso and the elastic net, run with our classes in the place of theirs.

What scikit-learn and celer test of the public behaviour of `Lasso` and `ElasticNet`, of their paths and of the classes
that cross-validate them holds for ours; `LEFT_OUT` says which tests are not run, and why. celer's are run where it is
installed.
"""

import importlib.util
import inspect
import re
from unittest import mock

import pytest
import sklearn.linear_model

from ladreg import ElasticNetCD, ElasticNetCDCV, LassoCD, LassoCDCV, enet_path, lasso_path

NO_PARAMETER = "uses selection, random_state, copy_X or check_input, which ours does not have"
GIVEN_GRAM = "passes a Gram matrix as precompute; ours computes it, since it would have to be checked against X"
LEFT_OUT = {
    "test_random_descent": NO_PARAMETER,
    "test_check_input_false": NO_PARAMETER,
    "test_enet_copy_X_True": NO_PARAMETER,
    "test_enet_copy_X_False_check_input_False": NO_PARAMETER,
    "test_overridden_gram_matrix": NO_PARAMETER,
    "test_sparse_read_only_buffer": NO_PARAMETER,
    "test_enet_sample_weight_does_not_overwrite_sample_weight": NO_PARAMETER,
    "test_enet_toy": GIVEN_GRAM,
    "test_elasticnet_precompute_incorrect_gram": GIVEN_GRAM,
    "test_elasticnet_precompute_gram_weighted_samples": GIVEN_GRAM,
    "test_elasticnet_precompute_gram": GIVEN_GRAM,
    "test_enet_float_precision": GIVEN_GRAM,
    "test_enet_nonfinite_params": "expects a ValueError in other words; ours is an OverflowError",
    "test_lasso_alpha_warning": "expects a warning that alpha=0 converges badly, which it does not here",
    "test_lasso_dual_gap": "compares a gap of 1e-15, which is rounding, to seven digits",
    "test_warm_start": "expects ten epochs to be twice five; ours are followed by exact steps",
    "test_warm_start_convergence": "expects n_iter_ = 0, which scikit-learn's own checks forbid to other estimators",
    "test_enet_coordinate_descent_raises_convergence": "expects that one epoch is too few; it is enough here",
    "test_sparse_enet_coordinate_descent": "the same",
    "test_raise_errors_l1_ratio": "expects that l1_ratio=0 is refused and that constructors validate",
    "test_lassoCV_does_not_set_precompute": "replaces a class inside scikit-learn, which ours do not use",
    "test_lassocv_alphas_validation": "expects the same refusals in other words, one of them as a TypeError",
    "test_enet_l1_ratio": "expects the same refusal in other words",
    "test_path_unknown_parameter": "expects a ValueError; ours is Python's TypeError",
    "test_path_function_deprecated_n_alphas": "n_alphas is on its way out, and ours never had it",
    "test_multioutput_enetcv_error": "expects that several targets are refused; ours takes them",
    "test_enet_path_positive": "expects that positive is refused for several targets, which is one problem there",
    "test_cv_estimators_reject_params_with_no_routing_enabled": "expects that groups are refused; ours takes them",
    "test_1d_multioutput_enet_and_multitask_enet_cv": "compares seven digits of ours with four of scikit-learn's",
    "test_1d_multioutput_lasso_and_multitask_lasso_cv": "the same",
    "test_coef_default_threshold": "SelectFromModel knows scikit-learn's elastic net by its name",
    "test_weights_lasso": "expects that a weight of zero is refused; here it leaves a feature unpenalised",
}


class ScikitLassoCV(LassoCDCV):
    """Takes `precompute`, which ours chooses by itself, and `random_state`, which it has no use for."""

    def __init__(self, *, precompute="auto", random_state=None, **options):
        super().__init__(**options)
        self.precompute, self.random_state = precompute, random_state


class ScikitElasticNetCV(ElasticNetCDCV):
    """The same."""

    def __init__(self, *, precompute="auto", random_state=None, **options):
        super().__init__(**options)
        self.precompute, self.random_state = precompute, random_state


class CelerElasticNet(ElasticNetCD):
    """celer's names of parameters."""

    def __init__(self, alpha=1.0, l1_ratio=0.5, weights=None, p0=10, max_epochs=None, **options):  # noqa: ARG002
        super().__init__(alpha, l1_ratio=l1_ratio, penalty_weights=weights, **options)


class CelerLasso(CelerElasticNet):
    """celer's names of parameters."""

    def __init__(self, alpha=1.0, **options):
        super().__init__(alpha, l1_ratio=1.0, **options)


def borrowed(name, package, **ours):
    """The tests of an installed module that use the classes that we replace, under names of their own."""
    if not ours or not importlib.util.find_spec(package.partition(".")[0]):
        return {}
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.multiple(package, **ours):
        spec.loader.exec_module(module)
    uses = re.compile(rf"(?<![\w.])({'|'.join(ours)})\b[(\],]")
    return {
        f"{test}_of_{name.replace('.tests.test_', '_').replace('.', '_')}": function
        for test, function in vars(module).items()
        if test.startswith("test_") and test not in LEFT_OUT and uses.search(inspect.getsource(function))
    }


@pytest.fixture
def global_random_seed():
    """scikit-learn's fixture, and its default."""
    return 42


SKLEARN = "sklearn.linear_model.tests"
PLAIN = {"Lasso": LassoCD, "ElasticNet": ElasticNetCD}
TUNED = {"LassoCV": ScikitLassoCV, "ElasticNetCV": ScikitElasticNetCV}
PATHS = {"lasso_path": lasso_path, "enet_path": enet_path}
# Before scikit-learn 1.9 numbers of alphas had a parameter of their own, which ours never had.
if inspect.signature(sklearn.linear_model.lasso_path).parameters["alphas"].default is None:
    TUNED, PATHS = {}, {}
FOUND = {
    **borrowed(f"{SKLEARN}.test_coordinate_descent", "sklearn.linear_model", **PLAIN, **TUNED, **PATHS),
    **borrowed(f"{SKLEARN}.test_sparse_coordinate_descent", "sklearn.linear_model", **PLAIN, **TUNED),
    **borrowed("sklearn.feature_selection.tests.test_from_model", "sklearn.linear_model", **TUNED),
    **borrowed("celer.tests.test_lasso", "celer.dropin_sklearn", Lasso=CelerLasso),
    **borrowed("celer.tests.test_enet", "celer", Lasso=CelerLasso, ElasticNet=CelerElasticNet),
}
globals().update(FOUND)


def test_there_is_something_to_run():
    assert len(FOUND) >= (30 if TUNED else 15)
