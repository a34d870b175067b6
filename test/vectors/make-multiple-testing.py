"""Adjusted p-values by statsmodels, for test/unit/stats/tests.test.ts. Usage: python make-multiple-testing.py"""

import json
from pathlib import Path

import numpy
import statsmodels
from statsmodels.stats.multitest import multipletests

rng = numpy.random.default_rng(7)
families = [
    [0.03],
    [0.01, 0.02, 0.03, 0.04],
    [0.5, 0.01, 0.01, 0.9, 0.2],
    [1.0, 1.0, 0.05],
    [0.0, 0.04, 0.04, 0.3],
    *(rng.beta(0.5, 2, size).round(6).tolist() for size in (7, 40, 200)),
]
rows = [
    {
        "pValues": family,
        "holm": multipletests(family, method="holm")[1].tolist(),
        "benjaminiHochberg": multipletests(family, method="fdr_bh")[1].tolist(),
    }
    for family in families
]
made_by = f"statsmodels {statsmodels.__version__} multipletests, numpy {numpy.__version__}"
Path(__file__).with_name("multiple-testing.json").write_text(json.dumps({"madeBy": made_by, "families": rows}, indent=1) + "\n")
