# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hypothesis profiles: `dev` by default, `ci` the same in every run, `deep` for a long look (HYPOTHESIS_PROFILE)."""

import os

from hypothesis import HealthCheck, settings

_CALM = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_CALM)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, suppress_health_check=_CALM)
settings.register_profile("deep", max_examples=3000, deadline=None, suppress_health_check=_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
