"""Writes server-steps.json with the optimizers of autograd, and FedAdam without bias correction in numpy. See README.md."""

import json
import pathlib

import autograd.numpy as np
from autograd.misc.optimizers import adam, sgd

parameters = np.array([0.5, -1.25, 3.0, 0.0])
means = np.array(
    [
        [0.31, -0.002, 0.0, 1.7],
        [-0.12, -0.004, 0.0005, 0.9],
        [0.07, 0.03, -0.25, -2.3],
        [0.0, -0.6, 0.125, 0.01],
        [-0.45, 0.0007, 0.02, 0.4],
    ]
)


def fedadam_without_correction(steps, learning_rate, beta1, beta2, tau):
    """Algorithm 2 of Reddi et al. 2021 (arXiv:2003.00295), moments from zero."""
    x, m, v = parameters.copy(), np.zeros(4), np.zeros(4)
    for mean in means[:steps]:
        m = beta1 * m + (1 - beta1) * mean
        v = beta2 * v + (1 - beta2) * mean**2
        x = x + learning_rate * m / (np.sqrt(v) + tau)
    return x


def descent(steps, run, **options):
    """The mean update plays the part of a negative gradient."""
    return run(lambda x, i: -means[i], parameters, num_iters=steps, **options)


def momentum(steps, learning_rate, mass):
    """autograd's sgd damps the gradient by 1 - mass; the server's momentum (Hsu et al. 2019) does not."""
    return descent(steps, sgd, step_size=learning_rate / (1 - mass), mass=mass)


cases = []


def case(optimizer, after):
    cases.append({"optimizer": optimizer, "after": [list(map(float, after(steps))) for steps in range(1, 6)]})


for rate in (0.37, 2.5):
    case({"type": "fedavg", "learningRate": rate}, lambda steps: momentum(steps, rate, 0.0))
for rate, mass in ((0.37, 0.6), (0.7, 0.9)):
    case({"type": "fedavgm", "learningRate": rate, "momentum": mass}, lambda steps: momentum(steps, rate, mass))
for rate, beta1, beta2, tau in ((0.01, 0.9, 0.99, 1e-3), (0.37, 0.8, 0.7, 0.05), (0.2, 0.0, 0.9, 0.01)):
    fedadam = {"type": "fedadam", "learningRate": rate, "beta1": beta1, "beta2": beta2, "tau": tau}
    case(
        {**fedadam, "biasCorrection": True},
        lambda steps: descent(steps, adam, step_size=rate, b1=beta1, b2=beta2, eps=tau),
    )
    case(
        {**fedadam, "biasCorrection": False},
        lambda steps: fedadam_without_correction(steps, rate, beta1, beta2, tau),
    )

lines = ",\n".join("  " + json.dumps(entry) for entry in cases)
head = json.dumps({"parameters": parameters.tolist(), "means": means.tolist()})[:-1]
path = pathlib.Path(__file__).parent / "server-steps.json"
path.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
