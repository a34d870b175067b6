"""Noise multipliers and attack bounds by Google's dp_accounting 0.6: `python make-calibration.py` in this folder."""

import json

import numpy as np
from dp_accounting import NeighboringRelation, dp_event
from dp_accounting.mechanism_calibration import ExplicitBracketInterval, calibrate_dp_mechanism
from dp_accounting.pld import privacy_loss_distribution
from dp_accounting.pld.pld_privacy_accountant import PLDAccountant

step = 1e-4


def run(noise_multiplier, sampling_rate, rounds):
    release = dp_event.GaussianDpEvent(noise_multiplier)
    if sampling_rate < 1:
        release = dp_event.PoissonSampledDpEvent(sampling_rate, release)
    return dp_event.SelfComposedDpEvent(release, rounds)


def noise(epsilon, delta, rounds, sampling_rate):
    solved = calibrate_dp_mechanism(
        lambda: PLDAccountant(NeighboringRelation.ADD_OR_REMOVE_ONE, step),
        lambda z: run(z, sampling_rate, rounds),
        epsilon,
        delta,
        ExplicitBracketInterval(0.3, 200),
        tol=1e-5,
    )
    settings = {"epsilon": epsilon, "delta": delta, "rounds": rounds, "samplingRate": sampling_rate}
    return {**settings, "noiseMultiplier": float(solved)}


def attacker(noise_multiplier, sampling_rate, rounds):
    loss = privacy_loss_distribution.from_gaussian_mechanism(
        noise_multiplier, sampling_prob=sampling_rate, value_discretization_interval=step
    ).self_compose(rounds)
    epsilons = np.linspace(0, 7, 3001)
    deltas = np.array(loss.get_delta_for_epsilon(epsilons))
    tpr = lambda fpr: float(np.min(np.exp(epsilons) * fpr + deltas))
    settings = {"noiseMultiplier": noise_multiplier, "samplingRate": sampling_rate, "rounds": rounds}
    return {
        **settings,
        "advantage": float(loss.get_delta_for_epsilon(0.0)),
        "tprAt1PercentFpr": tpr(0.01),
        "tprAt01PercentFpr": tpr(0.001),
    }


targets = [(1, 1e-5, 1, 1), (0.3, 1e-6, 100, 0.1), (2, 1e-5, 1000, 0.01), (3, 1e-6, 50, 0.2), (8, 1e-6, 300, 1), (4, 1e-6, 2000, 0.02)]
plans = [(1, 0.01, 1000), (2, 0.2, 50), (0.8, 0.05, 100)]
vectors = {
    "source": "dp_accounting 0.6, privacy loss distributions, add or remove one, pessimistic grid of 1e-4; python make-calibration.py",
    "noise": [noise(*target) for target in targets],
    "attacker": [attacker(*plan) for plan in plans],
}
with open("calibration.json", "w") as file:
    json.dump(vectors, file, indent=2)
    file.write("\n")
