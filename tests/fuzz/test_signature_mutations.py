"""A small campaign with a fixed seed; the large one is ``python -m tests.fuzz.campaign``."""

from tests.fuzz.campaign import own_seeds, run


def test_no_mutation_of_a_signed_document_gets_a_better_verdict_or_a_fault() -> None:
    answer = run(own_seeds(), seconds=15, seed=20261128, executions_max=600)
    assert answer["findings"] == []
    assert answer["executions"] >= 100
    assert answer["passed_and_rendered"] > 0
    outcomes = answer["outcomes"]
    # Most are noticed; what passes is what was signed, with white space or padding changed.
    assert outcomes.get("TOTAL-FAILED", 0) > outcomes.get("TOTAL-PASSED", 0) > 0
