# SPDX-License-Identifier: AGPL-3.0-or-later
"""The source's pages, as the server renders them: they work without JavaScript, keep nothing and record nothing."""
