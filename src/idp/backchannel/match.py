from idp.backchannel.schema import WaitingService


def matches(waiting: WaitingService, *, decision: str | None, number: str | None) -> bool:
    """Is what waits the service in front of the citizen? Where it shows a number, only that number says so: there is no
    second choice, so that pressing at random lets in one stranger in three and shuts out the rest."""
    if waiting.number is not None:
        return number == str(waiting.number)
    return decision == "go-on"
