import numpy as np


def posterior_joint(log_prior, log_liks):
    p = np.exp(log_prior) * np.prod(np.exp(log_liks), axis=0)
    return p / p.sum()


def posterior_from_unimodal(log_posts, log_prior):
    prior = np.exp(log_prior)
    p = prior * np.prod(np.exp(log_posts) / prior, axis=0)
    return p / np.sum(p)


def log_constant_eq3(log_prior, log_liks):
    prior, liks = np.exp(log_prior), np.exp(log_liks)
    return np.log(np.prod(liks @ prior) / (prior @ np.prod(liks, axis=0)))
