"""Outside values for the tests of empirical epsilon and of the incomplete gamma function. Needs mpmath, numpy and scipy.

    python test/vectors/make-epsilon-bounds.py > test/vectors/epsilon-bounds.json

Everything is computed from the definitions: binomial and beta laws by scipy, Gaussian integrals by mpmath's quadrature (not by
closed forms), roots by bisection.
"""

import json

import numpy as np
from mpmath import exp, gammainc, mp, mpf, npdf, quad
from scipy.optimize import brentq
from scipy.stats import beta, binom

mp.dps = 30


def clopper_pearson_bound(fp, n0, fn, n1, delta, confidence):
    tail = (1 - confidence) / 2
    upper = lambda k, n: 1.0 if k == n else float(beta.isf(tail, k + 1, n - k))
    fpr, fnr = upper(fp, n0), upper(fn, n1)
    ratios = [(1 - delta - fnr) / fpr, (1 - delta - fpr) / fnr]
    return max([0.0] + [float(np.log(r)) for r in ratios if r > 0])


def one_run_p_value(eps, m, r, v, delta):
    q = 1 / (1 + np.exp(-eps))
    heads = binom.pmf(np.arange(v - 1, -1, -1), r, q)
    slopes = np.cumsum(heads) / np.arange(1, v + 1)
    return binom.sf(v - 1, r, q) + 2 * m * delta * slopes.max()


def one_run_bound(m, r, v, delta, confidence):
    excess = lambda eps: one_run_p_value(eps, m, r, v, delta) - (1 - confidence)
    return float(brentq(excess, 0, 40, xtol=1e-12)) if excess(0) < 0 else 0.0


def two_gaussian_delta(m1, s1, m2, s2, eps):
    """Integral of max(0, p1 - e^eps p2), cut where the integrand starts and ends."""
    p1 = lambda y: npdf(y, m1, s1)
    gain = lambda y: max(mpf(0), p1(y) - exp(eps) * npdf(y, m2, s2))
    grid = np.linspace(-14, 14, 2241)
    at = sorted({float(m) + float(s) * g for m, s in ((m1, s1), (m2, s2)) for g in grid})
    ratio = lambda y: -((y - m1) ** 2) / (2 * s1**2) + (y - m2) ** 2 / (2 * s2**2) - np.log(s1 / s2) - eps
    cuts = [brentq(ratio, x, y, xtol=1e-16 * max(s1, s2)) for x, y in zip(at, at[1:]) if ratio(x) * ratio(y) < 0]
    edges = [m1 - 14 * s1, m1 - 6 * s1, m1 - 3 * s1, m1, m1 + 3 * s1, m1 + 6 * s1, m1 + 14 * s1]
    return quad(gain, sorted(edges + cuts))


def two_gaussian_epsilon(m1, s1, m2, s2, delta):
    def one(a):
        excess = lambda eps: float(two_gaussian_delta(*a, eps) / delta - 1)
        if excess(0) <= 0:
            return 0.0
        high = 1.0
        while excess(high) > 0:
            high *= 2
        return float(brentq(excess, 0, high, xtol=1e-11))

    return max(one((m1, s1, m2, s2)), one((m2, s2, m1, s1)))


clopper_pearson = [
    (0, 1000, 0, 1000, 1e-5, 0.95), (0, 500, 250, 500, 1e-5, 0.95), (5, 1000, 900, 1000, 1e-5, 0.95),
    (10, 100, 50, 100, 1e-5, 0.95), (0, 100, 0, 100, 1e-5, 0.95), (0, 1000, 0, 1000, 1e-5, 0.99),
    (3, 40, 2, 60, 1e-2, 0.9), (50, 100, 50, 100, 1e-5, 0.95), (0, 3, 3, 3, 0, 0.95), (7, 7, 0, 9, 0, 0.95),
]  # fmt: skip
one_run = [
    (1000, 1000, 600, 0, 0.95), (1000, 1000, 600, 1e-5, 0.95), (1000, 100, 90, 0, 0.95), (1000, 100, 90, 1e-5, 0.95),
    (1000, 100, 100, 0, 0.95), (1000, 100, 100, 1e-5, 0.95), (100000, 1500, 1400, 1e-5, 0.95),
    (5000, 500, 450, 1e-5, 0.95), (1000, 1000, 500, 1e-5, 0.95), (200, 40, 33, 1e-3, 0.9),
    (100000, 10000, 8000, 1e-6, 0.99), (50, 10, 10, 1e-6, 0.95), (1000, 20, 18, 1e-4, 0.95), (60, 6, 1, 0, 0.95),
]  # fmt: skip
two_gaussian = [
    (0, 1, 1, 1, 1e-5), (0, 1, 1, 1, 1e-6), (0, 1, 2, 1, 1e-5), (0, 1, 1, 1.2, 1e-5), (0, 1, 1, 0.8, 1e-5),
    (0, 1e-3, 2e-3, 1.1e-3, 1e-6), (0, 1, 0, 1.5, 1e-3), (3, 0.5, 1, 2, 1e-4), (0, 1, 0.1, 1.01, 1e-2),
    (0, 1, 0.5, 1.0001, 1e-5), (0, 1, 0, 0.9, 1e-6),
]  # fmt: skip
gamma = [
    (0.5, 0.001), (0.5, 3), (1, 50), (4.5, 2), (10, 10), (49.5, 80), (49.5, 25), (500, 500), (500, 650), (500, 380),
    (250000, 250900), (250000, 248000),
]  # fmt: skip
print(
    json.dumps(
        {
            "command": "python test/vectors/make-epsilon-bounds.py > test/vectors/epsilon-bounds.json",
            "clopperPearson": [
                {"falsePositives": fp, "nonMembers": n0, "falseNegatives": fn, "members": n1, "delta": delta,
                 "confidence": level, "epsilon": clopper_pearson_bound(fp, n0, fn, n1, delta, level)}
                for fp, n0, fn, n1, delta, level in clopper_pearson
            ],
            "oneRun": [
                {"canaries": m, "guesses": r, "correct": v, "delta": delta, "confidence": level,
                 "epsilon": one_run_bound(m, r, v, delta, level)}
                for m, r, v, delta, level in one_run
            ],
            "twoGaussian": [
                {"a": {"mean": m1, "stdDev": s1}, "b": {"mean": m2, "stdDev": s2}, "delta": delta,
                 "epsilon": two_gaussian_epsilon(m1, s1, m2, s2, delta)}
                for m1, s1, m2, s2, delta in two_gaussian
            ],
            "regularisedGamma": [
                {"a": a, "x": x, "below": float(gammainc(a, 0, x, regularized=True)),
                 "above": float(gammainc(a, x, regularized=True))}
                for a, x in gamma
            ],
        },
        indent=1,
    )
)  # fmt: skip
