import numpy as np


def posterior_joint(log_prior, log_liks):
    score = np.vstack([log_prior, log_liks]).sum(axis=0)
    p = np.exp(score - score.max())
    return p / p.sum()


def posterior_from_unimodal(log_posts, log_prior):
    score = log_posts.sum(axis=0) - (len(log_posts) - 1) * log_prior
    p = np.exp(score - score.max())
    return p / np.sum(p)


def log_constant_eq3(log_prior, log_liks):
    joints = np.vstack([log_prior + log_liks, log_prior + log_liks.sum(axis=0)])
    top = joints.max(axis=1)
    *each, together = top + np.log(np.exp(joints - top[:, None]).sum(axis=1))
    return sum(each) - together
