"""Properties that are computed once: those of functools, without the lock that they have before Python 3.12.

Two threads that need a property at the same time may both compute it. The lock was measured to take longer than most
properties of small tables take, several per cent of a fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["cached_property"]

if TYPE_CHECKING:
    from functools import cached_property
else:

    class cached_property:  # noqa: N801 - the name of functools
        """A method whose result is stored in the instance under its name."""

        def __init__(self, method):
            self.method, self.name, self.__doc__ = method, method.__name__, method.__doc__

        def __get__(self, instance, owner=None):
            """The result, stored: from now on the attribute is found before this descriptor."""
            if instance is None:
                return self
            value = instance.__dict__[self.name] = self.method(instance)
            return value
