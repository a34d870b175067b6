"""Writes objectives.json: values and derivatives of the defences' losses by autograd. See README.md."""

import json
import pathlib

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import logsumexp
from scipy.optimize import brentq

rng = np.random.RandomState(20260723)


def entropy(p):
    return -np.sum(p * np.log(p), axis=-1)


def smoothed(onehot, smoothing):
    """Szegedy et al. 2016: (1 - e) onehot + e / C."""
    return (1 - smoothing) * onehot + smoothing / onehot.shape[1]


def high_entropy(onehot, share):
    """Chen and Pattabiraman 2024: the largest share of the true class with entropy >= share * log C, the rest uniform."""
    classes = onehot.shape[1]

    def label(p):
        return np.array([p] + [(1 - p) / (classes - 1)] * (classes - 1))

    p = brentq(lambda p: entropy(label(p)) - share * np.log(classes), 1 / classes, 1 - 1e-12, xtol=1e-15)
    return p * onehot + (1 - p) / (classes - 1) * (1 - onehot)


def objective(defences, onehot, z):
    """Mean of CE(target, p) - weight * H(p); for HAMP its Kullback-Leibler divergence KL(target || p) instead of CE."""
    logs = z - logsumexp(z, axis=1, keepdims=True)
    target, weight, offset = onehot, 0.0, 0.0
    for defence in defences:
        if defence["type"] == "label-smoothing":
            target = smoothed(onehot, defence["smoothing"])
        if defence["type"] == "confidence-penalty":
            weight = defence["entropyWeight"]
        if defence["type"] == "hamp":
            target = high_entropy(onehot, defence["entropyShare"])
            weight = defence["entropyWeight"]
            offset = entropy(high_entropy(np.eye(onehot.shape[1])[:1], defence["entropyShare"])[0])
    loss = -np.sum(target * logs, axis=1) - weight * entropy(np.exp(logs))
    return np.mean(loss) - offset


def case(defences, classes, records, mixed=None, width=3.0):
    z = np.float32(rng.uniform(-width, width, (records, classes))).astype(np.float64)
    labels = rng.randint(classes, size=records)
    partners = labels[rng.permutation(records)]
    share = 1.0 if mixed is None else mixed
    onehot = share * np.eye(classes)[labels] + (1 - share) * np.eye(classes)[partners]
    value, slope = value_and_grad(lambda x: objective(defences, onehot, x))(z)
    entry = {"defences": defences, "classes": classes, "logits": z.ravel().tolist(), "labels": labels.tolist()}
    if mixed is not None:
        entry["mixed"] = {"partners": partners.tolist(), "share": share}
    return {**entry, "loss": float(value), "gradient": slope.ravel().tolist()}


smoothing = lambda e: {"type": "label-smoothing", "smoothing": e}
penalty = lambda w: {"type": "confidence-penalty", "entropyWeight": w}
hamp = lambda s, w: {"type": "hamp", "entropyShare": s, "entropyWeight": w}
mixup = {"type": "mixup", "concentration": 0.2}

cases = []
for classes, records in ((2, 1), (2, 4), (3, 3), (10, 3), (30, 1)):
    for defences in (
        [smoothing(0.1)],
        [smoothing(0.7)],
        [penalty(0.1)],
        [penalty(2.0)],
        [hamp(0.95, 0.001)],
        [hamp(0.5, 0.005)],
        [hamp(0.1, 0.5)],
        [smoothing(0.2), penalty(0.3)],
    ):
        cases.append(case(defences, classes, records))
    for defences in ([mixup], [mixup, smoothing(0.1), penalty(0.1)], [hamp(0.7, 0.01), mixup]):
        cases.append(case(defences, classes, records, mixed=0.8125))
cases.append(case([penalty(0.4)], 4, 3, width=40.0))
cases.append(case([hamp(0.95, 0.001)], 4, 3, width=40.0))

# autograd's derivative of p log p is undefined where p underflows; none of the cases goes so far.
assert all(np.isfinite(entry["gradient"]).all() for entry in cases)
lines = ",\n".join("  " + json.dumps(entry) for entry in cases)
path = pathlib.Path(__file__).parent / "objectives.json"
path.write_text(f'{{"cases": [\n{lines}\n]}}\n')
