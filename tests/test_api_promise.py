"""The page of promises lists what is public: no parameter, attribute or method comes or goes without it."""

import pytest
from sklearn.base import clone

import ladreg
import ladreg.blocks
from tests import make_api_promise, public
from tests.make_models import table

NAMES = [name for names in make_api_promise.public_names().values() for name in names]


def test_the_page_is_up_to_date():
    assert make_api_promise.PAGE.read_text() == make_api_promise.page(), "python -m tests.make_api_promise"


def test_every_public_name_is_listed():
    wanted = set(ladreg.__all__) - {"__version__"}
    for module in (ladreg.metrics, ladreg.blocks):
        wanted |= {f"{module.__name__.removeprefix('ladreg.')}.{name}" for name in module.__all__}
    assert wanted <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)


def test_estimators_and_what_proves_them_are_stable():
    kinds = {type(model).__name__ for model in public.REGRESSORS} | {"Certificate", "StabilitySelection", "alpha_max"}
    assert {make_api_promise.promise(name) for name in kinds} == {"stable"}


@pytest.mark.parametrize("model", public.ONE_EACH, ids=lambda model: type(model).__name__)
def test_a_fit_stores_nothing_that_is_not_listed(model):
    fitted = clone(model).fit(*table())
    stored = {name for name in vars(fitted).keys() - vars(model).keys() if not name.startswith("_")}
    assert stored <= set(make_api_promise.attributes(type(model)))
