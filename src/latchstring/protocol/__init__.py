# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the bytes are: pure functions and frozen values, no input or output, no clock.

Every construction has a file of its own and vectors in `tests/vectors/`.
"""
