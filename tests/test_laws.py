"""The laws of exercises: the library keeps them, a mistake breaks each, and all are covered."""

import pytest

from mmvae_edu.claims import CLAIMS, run
from mmvae_edu.course.exercises import exercises

LAWS = [(e, law) for e in exercises().values() for law in e.claims if law.name not in CLAIMS]
each_law = pytest.mark.parametrize(("exercise", "law"), LAWS, ids=[law.name for _, law in LAWS])


@each_law
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_library_keeps_the_law(exercise, law):
    for seed in range(3):
        result = run(law, seed=seed)
        assert result.passed, f"{law.statement} error {result.error:.1e} {result.note}"
