"""Stages of a check after the contract and the claims: what is wrong, in words."""
