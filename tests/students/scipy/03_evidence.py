from scipy.special import entr, rel_entr
from scipy.special import softmax as posterior_of


def posterior(log_joint):
    return posterior_of(log_joint)


def elbo(q, log_joint):
    return q[q > 0] @ log_joint[q > 0] + entr(q).sum()


def kl(q, p):
    return rel_entr(q, p).sum()
