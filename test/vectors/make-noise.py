"""Outside values for the noise tests. Needs numpy, scipy and mpmath.

    python test/vectors/make-noise.py > test/vectors/noise.json
"""

import json

from mpmath import erfc, exp, findroot, log, mp, mpf, nsum, inf, pi, sqrt
from scipy.stats import chi2, kstwobign

mp.dps = 50


def ziggurat(layers=256):
    """Layer ends x_1 > x_2 > ... > x_layers = 0 of equal areas, and that area."""

    def ends(r):
        area = r * exp(-r * r / 2) + sqrt(pi / 2) * erfc(r / sqrt(2))
        xs = [r]
        for _ in range(layers - 2):
            xs.append(sqrt(-2 * log(area / xs[-1] + exp(-(xs[-1] ** 2) / 2))))
        return area, xs

    def excess(r):
        area, xs = ends(r)
        return area / xs[-1] + exp(-(xs[-1] ** 2) / 2) - 1

    r = findroot(excess, (mpf("3.654"), mpf("3.6542")), tol=1e-40)
    return ends(r)


def discrete_gaussian(sigma, ks):
    s = mpf(sigma)
    total = nsum(lambda k: exp(-(k**2) / (2 * s * s)), [-inf, inf])
    return [float(exp(-mpf(k) ** 2 / (2 * s * s)) / total) for k in ks]


area, xs = ziggurat()
print(
    json.dumps(
        {
            "command": "python test/vectors/make-noise.py > test/vectors/noise.json",
            "zigguratArea": float(area),
            "zigguratWidths": {str(i): float(xs[i - 1]) for i in (1, 2, 3, 64, 128, 200, 254, 255)},
            "discreteGaussian": [
                {"stdDev": s, "values": ks, "probabilities": discrete_gaussian(s, ks)}
                for s, ks in ((0.5, [0, 1, -2, 3]), (0.75, [0, 1, 2, -4]), (2, [0, -3, 9]), (17.3, [0, 17, -60]))
            ],
            "chiSquareTail": [
                {"value": v, "degrees": d, "probability": float(chi2.sf(v, d))}
                for v, d in ((3.1, 2), (30.5, 10), (1000, 1000), (1210.5, 1000), (801.2, 1000), (700, 400))
            ],
            "chiSquareBelow": [
                {"value": v, "degrees": d, "probability": float(chi2.cdf(v, d))}
                for v, d in ((0.7, 7), (8, 32), (40, 100), (850, 1000))
            ],
            "kolmogorovTail": [
                {"value": v, "probability": float(kstwobign.sf(v))} for v in (0.3, 0.5, 0.8276, 1.36, 2.2, 2.7)
            ],
        },
        indent=1,
    )
)
