# SPDX-License-Identifier: AGPL-3.0-or-later
"""The word lists, one file for each language."""
