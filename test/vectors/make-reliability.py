"""Calibration of answers by numpy, for test/unit/scenarios/assess-reliability.test.ts. Usage: python make-reliability.py"""

import json
from pathlib import Path

import numpy
import scipy
from scipy.special import log_softmax
from scipy.stats import t, ttest_ind

rng = numpy.random.default_rng(11)
BINS = 10


def case(users, classes, sharpness):
    """Users with one to four records; labels follow the logits, which `sharpness` makes too sure or too unsure."""
    counts = rng.integers(1, 5, users)
    records = int(counts.sum())
    logits = rng.normal(0, 1.5, (records, classes))
    truth = numpy.exp(log_softmax(logits, axis=1))
    labels = numpy.array([rng.choice(classes, p=row) for row in truth])
    answers = numpy.exp(log_softmax(sharpness * logits, axis=1))
    confidence = answers.max(axis=1)
    right = (answers.argmax(axis=1) == labels).astype(float)
    order = numpy.argsort(confidence, kind="stable")
    edges = [(b * records) // BINS for b in range(BINS + 1)]
    bins = [order[start:end] for start, end in zip(edges, edges[1:])]
    error = sum(len(b) / records * abs(confidence[b].mean() - right[b].mean()) for b in bins if len(b) > 0)
    # By chance: the mean of |N(0, s^2)| is s sqrt(2 / pi), s^2 the variance of the bin's mean of independent coins.
    chance = sum(
        len(b) / records * numpy.sqrt(2 / numpy.pi * (confidence[b] * (1 - confidence[b])).sum()) / len(b) for b in bins if len(b) > 0
    )
    owner = numpy.repeat(numpy.arange(users), counts)
    excess = numpy.array([(confidence - right)[owner == user].mean() for user in range(users)])
    half = t.ppf(0.975, users - 1) * excess.std(ddof=1) / numpy.sqrt(users)
    return {
        "classes": classes,
        "counts": counts.tolist(),
        "logits": (sharpness * logits).ravel().tolist(),
        "labels": labels.tolist(),
        "overconfidence": {"mean": excess.mean(), "low": excess.mean() - half, "high": excess.mean() + half},
        "expectedError": error,
        "errorByChance": chance,
    }


def difference(n, m):
    """Two samples and Welch's interval of the difference of their means."""
    ones, others = rng.normal(1, 2, n), rng.normal(0, 0.5, m)
    interval = ttest_ind(ones, others, equal_var=False).confidence_interval(0.95)
    return {
        "ones": ones.tolist(),
        "others": others.tolist(),
        "mean": ones.mean() - others.mean(),
        "low": interval.low,
        "high": interval.high,
    }


made = {
    "madeBy": f"numpy {numpy.__version__}, scipy {scipy.__version__}",
    "answers": [case(60, 5, 1), case(60, 5, 2.5), case(40, 2, 0.4), case(3, 3, 1)],
    "differences": [difference(5, 9), difference(40, 12), difference(2, 2), difference(380, 420)],
}
Path(__file__).with_name("reliability.json").write_text(json.dumps(made, indent=1) + "\n")
