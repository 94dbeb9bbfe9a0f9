"""The version of the library, for those below the front door."""

__version__ = "0.1.0"
