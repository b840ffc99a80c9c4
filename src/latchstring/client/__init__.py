# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every client needs: the check of /visit, pins, transport."""
