"""Writes masked-training.json: local training under a sparsity mask, in float64. See README.md.

Pruned weights are constants of the model: only the kept ones are variables, as one flat vector whose gradient is taken by
central differences of the loss, so no formula of a derivative is shared with the code under test.
"""

import json

import numpy as np

rng = np.random.default_rng(20261126)


def unflatten(flat, sizes):
    weights, at = [], 0
    for inputs, units in sizes:
        kernel = flat[at : at + inputs * units].reshape(inputs, units)
        at += inputs * units
        weights.append((kernel, flat[at : at + units]))
        at += units
    return weights


def logits(flat, sizes, features):
    out = features
    weights = unflatten(flat, sizes)
    for kernel, bias in weights[:-1]:
        out = np.tanh(out @ kernel + bias)
    kernel, bias = weights[-1]
    out = out @ kernel + bias
    return np.concatenate([np.zeros_like(out), out], axis=1) if out.shape[1] == 1 else out


def loss(flat, sizes, features, labels):
    z = logits(flat, sizes, features)
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


def train(parameters, flags, case):
    kept = np.flatnonzero(flags)
    variables = parameters[kept].copy()

    def whole(values):
        flat = parameters.copy()
        flat[kept] = values
        return flat

    def objective(values):
        return loss(whole(values), case["sizes"], case["features"], case["labels"])

    for _ in range(case["steps"]):
        gradient = np.empty_like(variables)
        for i in range(len(variables)):
            shift = np.zeros_like(variables)
            shift[i] = 1e-5
            gradient[i] = (objective(variables + shift) - objective(variables - shift)) / 2e-5
        variables = (1 - case["rate"] * case["l2"]) * variables - case["rate"] * gradient
    return whole(variables) - parameters


cases = []
for name, sizes, steps, l2, pruned, classes in [
    ("logistic, one step", [(7, 1)], 1, 0.0, 0.4, 2),
    ("one hidden layer, four steps", [(6, 5), (5, 3)], 4, 0.0, 0.5, 3),
    ("two hidden layers, three steps, L2", [(6, 7), (7, 4), (4, 3)], 3, 0.05, 0.7, 3),
]:
    size = sum(inputs * units + units for inputs, units in sizes)
    flags = (rng.random(size) >= pruned).astype(int)
    # In float32, as they are received; pruned ones are not all zero, since they only have to stay as they are.
    parameters = (rng.normal(size=size) * 0.5).astype(np.float32).astype(np.float64)
    parameters[(flags == 0) & (rng.random(size) < 0.7)] = 0.0
    records = 5
    case = {
        "sizes": sizes,
        "features": rng.normal(size=(records, sizes[0][0])).astype(np.float32).astype(np.float64),
        "labels": rng.integers(0, classes, size=records),
        "steps": steps,
        "rate": 0.3,
        "l2": l2,
    }
    update = train(parameters, flags, case)
    cases.append(
        {
            "name": name,
            "units": [units for _, units in sizes],
            "numFeatures": sizes[0][0],
            "flags": flags.tolist(),
            "parameters": parameters.tolist(),
            "features": case["features"].ravel().tolist(),
            "labels": case["labels"].tolist(),
            "steps": steps,
            "learningRate": 0.3,
            "l2": l2,
            "update": [float(f"{value:.9g}") for value in update],
        }
    )

with open("masked-training.json", "w", encoding="utf-8") as file:
    json.dump({"madeBy": "make-masked-training.py, numpy 2.4.6", "cases": cases}, file, indent=1)
    file.write("\n")
