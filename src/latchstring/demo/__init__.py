# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demonstration: a whole door in a throw-away folder."""
