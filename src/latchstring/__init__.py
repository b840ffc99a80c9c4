# SPDX-License-Identifier: AGPL-3.0-or-later
"""Latchstring: a door that is always open."""

from importlib.metadata import version

__version__ = version("latchstring")
