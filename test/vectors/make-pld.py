"""Deltas of sampled Gaussian releases by quadrature in 60 digits: python make-pld.py > pld-quadrature.json (mpmath 1.3)."""
import json
from mpmath import mp, mpf, exp, log, sqrt, erfc, quad, pi, inf

mp.dps = 60


def phi_cdf(x):
    return erfc(-x / sqrt(2)) / 2


def outcome(q, z, loss):
    """The outcome x with that loss, or -inf."""
    inner = (exp(loss) - (1 - q)) / q
    return -inf if inner <= 0 else z * z * log(inner) + mpf(1) / 2


def delta_once(q, z, eps, direction):
    """From normal probabilities alone: the loss rises with the outcome."""
    with_user = lambda x: (1 - q) * phi_cdf(x / z) + q * phi_cdf((x - 1) / z)
    without = lambda x: phi_cdf(x / z)
    if direction == "removing":
        x = outcome(q, z, eps)
        if x == -inf:
            return 1 - exp(eps)
        mixed = (1 - q) * phi_cdf(-x / z) + q * phi_cdf((1 - x) / z)
        return mixed - exp(eps) * phi_cdf(-x / z)
    x = outcome(q, z, -eps)
    if x == -inf:
        return mpf(0)
    return without(x) - exp(eps) * with_user(x)


def delta_twice(q, z, eps, direction):
    """One release integrated out: delta(eps) = E over its loss of the other's delta at eps - loss."""
    density = lambda x: exp(-x * x / (2 * z * z)) / sqrt(2 * pi) / z
    loss = lambda x: log(1 - q + q * exp((2 * x - 1) / (2 * z * z)))
    if direction == "removing":
        f = lambda x: ((1 - q) * density(x) + q * density(x - 1)) * delta_once(q, z, eps - loss(x), direction)
    else:
        f = lambda x: density(x) * delta_once(q, z, eps + loss(x), direction)
    ends = [-14 * z, -6 * z, -2 * z, 0, 1, 2 * z + 1, 6 * z + 1, 14 * z + 1]
    kink = outcome(q, z, eps - log(1 - q)) if direction == "removing" else outcome(q, z, log(1 / (1 - q)) - eps)
    if kink != -inf and -14 * z < kink < 14 * z + 1:
        ends.append(kink)
    return quad(f, sorted(ends))


def deltas(mechanisms, losses):
    """Rows for one and two releases of each mechanism (z, q), at the epsilons that `losses` names for it; all of them floats."""
    rows = []
    for releases, delta_of in ((1, delta_once), (2, delta_twice)):
        for z, q in mechanisms:
            for direction in ("removing", "adding"):
                for eps in losses(mpf(z), mpf(q)):
                    mp.dps = 60 if releases == 1 else 25
                    delta = delta_of(mpf(q), mpf(z), mpf(eps), direction)
                    mp.dps = 60
                    if delta > mpf("1e-40"):
                        rows.append(
                            dict(noiseMultiplier=float(z), samplingRate=float(q), releases=releases, direction=direction,
                                 epsilon=float(eps), delta=mp.nstr(delta, 15)))
    return rows


mechanisms = ((1, "0.01"), (0.5, "0.1"), (2, "0.5"), (0.8, "0.001"), (4, "0.9"))
rows = deltas(mechanisms, lambda z, q: ("0", "0.001", "0.02", "0.3", "1", "2.5", "6"))


def epsilon_once(q, z, d):
    largest = mpf(0)
    for direction in ("removing", "adding"):
        if delta_once(q, z, mpf(0), direction) <= d:
            continue
        low, high = mpf(0), mpf(400)
        for _ in range(150):
            middle = (low + high) / 2
            low, high = (middle, high) if delta_once(q, z, middle, direction) > d else (low, middle)
        largest = max(largest, high)
    return largest


def epsilons(mechanisms, deltas):
    return [
        dict(noiseMultiplier=float(z), samplingRate=float(q), delta=float(d),
             epsilon=mp.nstr(epsilon_once(mpf(q), mpf(z), mpf(d)), 15))
        for z, q in mechanisms for d in deltas
    ]


def far(z, q):
    """Floats: a quarter, a half and all of the epsilon at 1e-10, or at a ten-thousandth of q where that is less."""
    most = float(epsilon_once(q, z, min(mpf("1e-10"), q / 10000)))
    return (most / 4, most / 2, most)


# Coins that hardly ever fall on yes, and one that nearly always does.
seldom = ((1.9, 0.002), (3.4, 1e-4), (1.1, 1e-4), (1, 1e-7), (3, 1e-9), (0.3, 1 - 6 * 2**-53))
rows += deltas(seldom, far)

once = epsilons(mechanisms, ("1e-3", "1e-5", "1e-8", "1e-12", "1e-15"))
rare = epsilons([(z, q) for z in (0.3, 0.5, 1, 5) for q in ("0.0001", "0.00002")], ("1e-6", "1e-10"))

print(json.dumps(dict(madeBy="python make-pld.py > pld-quadrature.json, mpmath", deltas=rows, epsilons=once, rare=rare), indent=1))
