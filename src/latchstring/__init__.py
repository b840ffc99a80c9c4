# SPDX-License-Identifier: AGPL-3.0-or-later
"""Latchstring: a door that is always open."""
