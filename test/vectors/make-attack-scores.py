"""Outside figures for the attacks: numpy and scipy only, by the published formulas. Writes attack-scores.json beside it.

LiRA: Carlini et al. 2022 with the median as centre and numpy's std; fixed: root mean square around each user's own mean.
Gaussian head: scipy's BFGS on the penalised negative log-likelihood. Logistic: the same on the penalised log loss.
FedMIA: mean over rounds of Phi((target - mean) / sqrt(var + 1e-8)), cosine mode without others above mean + 3 sd.
"""
import json, os
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

rng = np.random.default_rng(7)


def lira():
    shadows, users = 24, 5
    member = rng.random((shadows, users)) < 0.5
    phi = rng.normal(size=(shadows, users)) * (1 + np.arange(users)) + 2.0 * member
    target = rng.normal(size=users) * 2
    ins = [phi[member[:, u], u] for u in range(users)]
    outs = [phi[~member[:, u], u] for u in range(users)]
    rms = lambda groups: np.sqrt(np.mean(np.concatenate([g - g.mean() for g in groups]) ** 2))
    centre_in, centre_out = (np.array([np.median(g) for g in gs]) for gs in (ins, outs))
    result = {"phi": phi.ravel().tolist(), "isMember": member.astype(int).ravel().tolist(), "target": target.tolist()}
    for name, s_in, s_out in [
        ("per-user", np.array([g.std() for g in ins]), np.array([g.std() for g in outs])),
        ("fixed", rms(ins), rms(outs)),
    ]:
        online = norm.logpdf(target, centre_in, s_in) - norm.logpdf(target, centre_out, s_out)
        result[name] = {"online": online.tolist(), "offline": ((target - centre_out) / s_out).tolist()}
    return result


def design(rows, columns):
    return np.hstack([np.ones((rows, 1)), rng.normal(size=(rows, columns))])


def gaussian_head():
    x = design(60, 3)
    s = x @ [0.3, 0.5, -0.2, 0.0] + rng.normal(size=60) * np.exp(x @ [-0.4, 0.3, 0.0, 0.2])

    def loss(w):
        mean, log_sd = w[:4], w[4:]
        eta = x @ log_sd
        nll = np.sum(eta + (s - x @ mean) ** 2 * np.exp(-2 * eta) / 2)
        return nll + (np.sum(mean[1:] ** 2) + np.sum(log_sd[1:] ** 2)) / 2

    w = minimize(loss, np.zeros(8), method="BFGS", options={"gtol": 1e-9, "maxiter": 10000}).x
    return {"features": x.ravel().tolist(), "scores": s.tolist(), "mean": w[:4].tolist(), "logSpread": w[4:].tolist()}


def logistic():
    x = design(80, 3)
    y = (rng.random(80) < 1 / (1 + np.exp(-(x @ [0.2, 1.5, -1.0, 0.3])))).astype(float)
    loss = lambda w: np.sum(np.logaddexp(0, x @ w) - y * (x @ w)) + 5 * np.sum(w[1:] ** 2)
    w = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    return {"features": x.ravel().tolist(), "target": y.tolist(), "weights": w.tolist()}


def fed_mia():
    rounds, sites, users = 3, 14, 4
    values = rng.normal(size=(rounds, sites, users))
    values[1, 5, 2] = 40.0  # another owner of the same records
    result = {"values": values.ravel().tolist(), "numRounds": rounds, "numSites": sites, "site": 1}
    for mode, sign in [("cosine", 1), ("loss", -1)]:
        score = np.zeros(users)
        for t in range(rounds):
            for u in range(users):
                others = np.delete(sign * values[t, :, u], 1)
                if mode == "cosine":
                    others = others[others <= others.mean() + 3 * others.std()]
                score[u] += norm.cdf((sign * values[t, 1, u] - others.mean()) / np.sqrt(others.var() + 1e-8)) / rounds
        result[mode] = score.tolist()
    return result


vectors = {"lira": lira(), "gaussianHead": gaussian_head(), "logistic": logistic(), "fedMia": fed_mia()}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "attack-scores.json"), "w") as file:
    json.dump(vectors, file, indent=1)
    file.write("\n")
