# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages: each a function from what is known to what its template shows."""
