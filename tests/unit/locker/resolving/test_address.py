from hypothesis import given
from hypothesis import strategies as st

from kit.ids import CROCKFORD
from locker.resolving.address import read_address

ID = "0123456789ABCDEFGHJKMNPQ1"


def test_every_way_to_type_an_address_is_one_address() -> None:
    for typed in (
        f"ma.gov.interieur-BIRTHEXTRACT-{ID}",
        f"ma.gov.interieur-birthextract-{ID}".lower(),
        f"MA.GOV.INTERIEUR-BIRTHEXTRACT-{ID}",
        f" ma.gov.interieur-BIRTHEXTRACT-{ID[:5]}-{ID[5:10]}-{ID[10:15]}-{ID[15:20]}-{ID[20:]} ",
        f"ma.gov.interieur-BIRTHEXTRACT-{ID[:12]} {ID[12:]}",
        f"ma.gov.interieur-BIRTHEXTRACT-{ID.replace('0', 'O').replace('1', 'I')}",
        f"ma.gov.interieur-BIRTHEXTRACT-{ID.replace('0', 'o').replace('1', 'l')}",
    ):
        found = read_address(typed)
        assert found is not None, typed
        assert (found.administration, found.type, found.document_id) == ("ma.gov.interieur", "BIRTHEXTRACT", ID), typed


def test_the_last_part_may_stand_alone_in_groups() -> None:
    found = read_address(f"{ID[:5]}-{ID[5:10]}-{ID[10:]}")
    assert found is not None
    assert (found.administration, found.type, found.document_id) == (None, None, ID)


def test_what_cannot_be_an_address_is_none() -> None:
    for text in (
        "",
        "-",
        ID[:-1],
        f"{ID}0",
        ID.replace("1", "U"),
        f"ma.gov.interieur-{ID}",
        f"ma.gov.interieur--{ID}",
        f"-BIRTHEXTRACT-{ID}",
        f"ma.gov.interieur-BIRTH_EXTRACT-{ID}",
        f"..-BIRTHEXTRACT-{ID}",
        f"ma.gov.interieur-BIRTHEXTRACT-{ID}\x00",
        f"ma.gov.interieur-BIRTHEXTRACT-{ID}%",
        ID.replace("1", "ı"),
        ID.replace("2", "٢"),
        "a" * 10_000,
    ):
        assert read_address(text) is None, text


@given(st.text(alphabet=st.sampled_from(f"{CROCKFORD}abciloILOU.- \x00é"), max_size=200))
def test_whatever_is_typed_is_none_or_names_an_identifier_that_could_be(text: str) -> None:
    found = read_address(text)
    if found is not None:
        assert len(found.document_id) == 25
        assert set(found.document_id) <= set(CROCKFORD)
        assert (found.administration is None) == (found.type is None)
