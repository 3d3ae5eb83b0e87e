"""The shim's fixtures, for the tests here."""

from .shim import on_cpu

__all__ = ["on_cpu"]
