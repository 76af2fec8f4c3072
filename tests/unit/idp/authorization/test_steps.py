"""The step table itself: every endpoint of the authorization kind passes what it must, in one order."""

from idp.authorization.steps import STEPS


def names(endpoint: str) -> list[str]:
    return [step.__name__ for step, endpoints in STEPS if endpoint in endpoints]


def test_where_a_no_may_go_is_decided_first() -> None:
    assert names("authorize")[0] == names("par")[0] == "redirect_uri_is_registered"


def test_a_pushed_request_passes_all_that_one_at_the_front_does_but_having_been_pushed() -> None:
    assert set(names("authorize")) - set(names("par")) == {"request_is_pushed_where_it_must_be"}
    assert set(names("par")) <= set(names("authorize"))


def test_no_endpoint_skips_scopes_levels_resources_and_details() -> None:
    needed = {
        "scopes_are_registered",
        "level_can_be_reached",
        "resource_is_known",
        "details_are_of_a_registered_type",
    }
    for endpoint in ("authorize", "par", "device", "ciba"):
        assert needed <= set(names(endpoint))


def test_a_step_stands_once() -> None:
    steps = [step for step, _ in STEPS]
    assert len(steps) == len(set(steps))
