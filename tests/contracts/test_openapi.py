import pytest

from khizana.commands.openapi import FOLDER, descriptions


@pytest.fixture(scope="module")
def described() -> dict[str, str]:
    return descriptions()


@pytest.mark.parametrize("app", ["idp", "locker"])
def test_the_published_description_is_that_of_the_code(described: dict[str, str], app: str) -> None:
    """If this fails after a change that is meant: ./khizana openapi, and look at the difference."""
    assert (FOLDER / f"{app}.json").read_text(encoding="utf-8") == described[app]
