"""Which papers the citizens of the demo country hold: about forty, one revoked, one superseded, one expired."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from khizana.demo.country import (
    AGADIR,
    CASABLANCA,
    CITIZENS,
    FES,
    MARRAKECH,
    NADOR,
    RABAT,
    TYPES,
    Both,
    Citizen,
    DocumentType,
    Place,
)


@dataclass(frozen=True, kw_only=True)
class Paper:
    key: str
    """Names it across runs of the demo, and in its idempotency key."""
    type: DocumentType
    administration: str
    citizen: Citizen
    fields: dict[str, Any]
    issued_on: dt.date
    valid_until: dt.date | None
    replaces: str | None = None
    """Key of the paper that this one supersedes."""
    revoked: bool = False

    @property
    def reference(self) -> str:
        """What is printed on it; says nothing about anybody."""
        number = int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:4]) % 1_000_000
        return f"{self.type.code}/{self.issued_on.year}/{number:06d}"


_TYPES = {type_.code: type_ for type_ in TYPES}
_CITIZENS = {citizen.key: citizen for citizen in CITIZENS}


def papers(today: dt.date) -> tuple[Paper, ...]:
    """The papers of a demo that began on ``today``; a paper comes after the one that it replaces."""
    return tuple(_Clerk(today).all())


class _Clerk:
    def __init__(self, today: dt.date) -> None:
        self._today = today

    def all(self) -> Iterator[Paper]:
        for index, citizen in enumerate(CITIZENS):
            yield self._birth_extract(citizen, days_ago=9 + 3 * index)
            yield self._identity_card(citizen, days_ago=70 + 31 * index)
        yield from self._residences()
        yield from self._families()
        yield self._life("mhamed", days_ago=12)
        yield self._life("mahjouba", days_ago=5)
        yield self._criminal_record(
            "fatima-zahra", Both("Tribunal de première instance de Rabat", "المحكمة الابتدائية بالرباط"), days_ago=21
        )
        yield self._criminal_record(
            "idder", Both("Tribunal de première instance d’Agadir", "المحكمة الابتدائية بأكادير"), days_ago=33
        )
        yield self._criminal_record(
            "numidya", Both("Tribunal de première instance de Nador", "المحكمة الابتدائية بالناظور"), days_ago=2
        )
        yield self._tax_status("fatima-zahra", RABAT, "40100001", days_ago=18)
        # Given in error, and withdrawn the day after.
        yield self._tax_status("youssef", CASABLANCA, "40100003", days_ago=45, revoked=True)
        yield self._tax_status("mhamed", RABAT, "40100004", days_ago=27)
        yield from self._studies()
        yield from self._vehicles()

    def _paper(
        self,
        code: str,
        citizen: str | Citizen,
        fields: dict[str, Any],
        *,
        days_ago: int,
        suffix: str = "",
        valid_until: dt.date | None = None,
        replaces: str | None = None,
        revoked: bool = False,
    ) -> Paper:
        who = _CITIZENS[citizen] if isinstance(citizen, str) else citizen
        type_ = _TYPES[code]
        issued_on = self._ago(days_ago)
        if valid_until is None and type_.validity_days is not None:
            valid_until = issued_on + dt.timedelta(days=type_.validity_days)
        return Paper(
            key=f"{code.lower()}-{who.key}{suffix}",
            type=type_,
            administration=type_.issuers[0],
            citizen=who,
            fields=_flat(fields),
            issued_on=issued_on,
            valid_until=valid_until,
            replaces=replaces,
            revoked=revoked,
        )

    def _ago(self, days: int) -> dt.date:
        return self._today - dt.timedelta(days=days)

    def _birth_extract(self, citizen: Citizen, *, days_ago: int) -> Paper:
        number = 100 + 37 * int(citizen.cnie[-2:])
        fields = {
            **_names(citizen),
            "sex": "F" if citizen.gender == "female" else "M",
            **_birth(citizen),
            "father_name": citizen.father,
            "mother_name": citizen.mother,
            "commune": citizen.born_at.locality,
            "record_number": f"{number}/{citizen.born.year}",
        }
        return self._paper("BIRTHEXTRACT", citizen, fields, days_ago=days_ago)

    def _identity_card(self, citizen: Citizen, *, days_ago: int) -> Paper:
        expires = self._ago(days_ago) + dt.timedelta(days=3652)
        fields = {
            "cnie_number": citizen.cnie,
            **_names(citizen),
            "sex": "F" if citizen.gender == "female" else "M",
            **_birth(citizen),
            "address": citizen.address,
            "expires_on": expires,
        }
        return self._paper("CNIECOPY", citizen, fields, days_ago=days_ago, valid_until=expires)

    def _residences(self) -> Iterator[Paper]:
        # Fatima-Zahra has moved: the newer certificate supersedes the older one.
        before = Both("4, rue Al Banafsaj, Hay Riad, 10100 Rabat", "4 زنقة البنفسج، حي الرياض، الرباط 10100")
        old = self._residence("fatima-zahra", dt.date(2017, 9, 1), days_ago=40, suffix="-1", address=before)
        yield old
        yield self._residence("fatima-zahra", self._ago(20), days_ago=3, suffix="-2", replaces=old.key)
        yield self._residence("idder", dt.date(2012, 4, 15), days_ago=16)
        # Expired: it was good for three months.
        yield self._residence("youssef", dt.date(2009, 2, 1), days_ago=160)
        yield self._residence("esther", dt.date(2019, 10, 1), days_ago=11)
        yield self._residence("oum-keltoum", dt.date(2001, 7, 5), days_ago=7)

    def _residence(
        self,
        citizen: str,
        since: dt.date,
        *,
        days_ago: int,
        suffix: str = "",
        address: Both | None = None,
        replaces: str | None = None,
    ) -> Paper:
        who = _CITIZENS[citizen]
        fields = {
            "full_name": who.full,
            "cnie_number": who.cnie,
            "address": address or who.address,
            "commune": who.home.place.locality,
            "resident_since": since,
        }
        return self._paper("RESIDENCE", who, fields, days_ago=days_ago, suffix=suffix, replaces=replaces)

    def _families(self) -> Iterator[Paper]:
        couples = (
            (
                "youssef",
                Both("Samira Chraïbi", "سميرة الشرايبي"),
                dt.date(2008, 8, 23),
                Both("Yasmine (2010), Adam (2014)", "ياسمين (2010)، آدم (2014)"),
                CASABLANCA,
                Both("Section de la justice de la famille, Casablanca", "قسم قضاء الأسرة بالدار البيضاء"),
            ),
            (
                "idder",
                Both("Tamimt Id Belkacem", "تميمت إد بلقاسم"),
                dt.date(2013, 5, 11),
                Both("Sifaw (2015), Tiyya (2018), Aksel (2021)", "سيفاو (2015)، تيا (2018)، أكسل (2021)"),
                AGADIR,
                Both("Section de la justice de la famille, Agadir", "قسم قضاء الأسرة بأكادير"),
            ),
        )
        for index, (key, wife, married, children, commune, court) in enumerate(couples):
            couple = {"husband_name": _CITIZENS[key].full, "wife_name": wife, "marriage_date": married}
            booklet = {
                "booklet_number": f"{410_200 + 17 * index}",
                **couple,
                "children": children,
                "commune": commune.locality,
            }
            yield self._paper("FAMILYBOOK", key, booklet, days_ago=25 + index)
            record = {
                **couple,
                "court": court,
                "register_number": f"{81 + index}/{married.year}",
                "folio": f"{112 + 40 * index}",
            }
            yield self._paper("MARRIAGE", key, record, days_ago=300 + index)

    def _life(self, citizen: str, *, days_ago: int) -> Paper:
        who = _CITIZENS[citizen]
        fields = {
            "full_name": who.full,
            "cnie_number": who.cnie,
            **_birth(who),
            "address": who.address,
            "appeared_on": self._ago(days_ago),
        }
        return self._paper("LIFECERT", who, fields, days_ago=days_ago)

    def _criminal_record(self, citizen: str, court: Both, *, days_ago: int) -> Paper:
        who = _CITIZENS[citizen]
        fields = {
            **_names(who),
            "cnie_number": who.cnie,
            **_birth(who),
            "father_name": who.father,
            "mother_name": who.mother,
            "court": court,
            "entries": Both("Néant", "لا شيء"),
        }
        return self._paper("CRIMINAL3", who, fields, days_ago=days_ago)

    def _tax_status(self, citizen: str, office: Place, number: str, *, days_ago: int, revoked: bool = False) -> Paper:
        who = _CITIZENS[citizen]
        fields = {
            "taxpayer_name": who.full,
            "tax_number": number,
            "cnie_number": who.cnie,
            "tax_office": office.locality,
            "fiscal_year": str(self._ago(days_ago).year - 1),
            "status": Both("En situation régulière", "في وضعية سليمة"),
        }
        return self._paper("TAXSTATUS", who, fields, days_ago=days_ago, revoked=revoked)

    def _studies(self) -> Iterator[Paper]:
        physics = Both("Sciences physiques, option français", "العلوم الفيزيائية، خيار فرنسية")
        letters = Both("Lettres et sciences humaines", "الآداب والعلوم الإنسانية")
        mathematics = Both("Sciences mathématiques A", "العلوم الرياضية أ")
        good, very_good = Both("Bien", "حسن"), Both("Très bien", "حسن جدا")
        graduates = (
            ("oum-keltoum", letters, "G133004567", "2019", 16.42, very_good, FES),
            ("numidya", mathematics, "S131200874", "2017", 14.85, good, NADOR),
            ("esther", physics, "K129900412", "2014", 15.1, good, MARRAKECH),
        )
        for index, (key, stream, code, session, average, honours, place) in enumerate(graduates):
            who = _CITIZENS[key]
            fields = {
                **_names(who),
                **_birth(who),
                "student_code": code,
                "stream": stream,
                "session": session,
                "average": average,
                "honours": honours,
                "academy": place.region,
            }
            yield self._paper("BACCALAUREATE", who, fields, days_ago=400 + 20 * index)
        master = Both("Master en génie logiciel", "ماستر في هندسة البرمجيات")
        degree = Both("Licence en droit public", "إجازة في القانون العام")
        yield self._diploma(
            "numidya",
            master,
            Both("Informatique", "المعلوميات"),
            Both("Faculté des sciences, Oujda", "كلية العلوم، وجدة"),
            very_good,
            dt.date(2023, 7, 14),
        )
        yield self._diploma(
            "oum-keltoum",
            degree,
            Both("Droit", "القانون"),
            Both("Faculté de droit, Fès", "كلية الحقوق، فاس"),
            good,
            dt.date(2022, 7, 8),
        )

    def _diploma(
        self, citizen: str, degree: Both, discipline: Both, institution: Both, honours: Both, graduated_on: dt.date
    ) -> Paper:
        who = _CITIZENS[citizen]
        fields = {
            "full_name": who.full,
            "cnie_number": who.cnie,
            "degree": degree,
            "discipline": discipline,
            "institution": institution,
            "graduated_on": graduated_on,
            "honours": honours,
        }
        return self._paper("DIPLOMA", who, fields, days_ago=180)

    def _vehicles(self) -> Iterator[Paper]:
        diesel, petrol = Both("Gasoil", "كازوال"), Both("Essence", "بنزين")
        cars = (
            ("fatima-zahra", "73120-A-1", "DACIA", petrol, "UU1DEMO0000000001", 6, dt.date(2022, 3, 18)),
            ("youssef", "40817-B-6", "PEUGEOT", diesel, "VF3DEMO0000000003", 8, dt.date(2018, 10, 5)),
        )
        for index, (key, plate, make, fuel, chassis, power, first) in enumerate(cars):
            who = _CITIZENS[key]
            fields = {
                "registration_number": plate,
                "owner_name": who.full,
                "address": who.address,
                "make": make,
                "fuel": fuel,
                "chassis_number": chassis,
                "fiscal_power": power,
                "first_registered_on": first,
            }
            yield self._paper("VEHICLEREG", who, fields, days_ago=200 + index)
        for index, (key, categories) in enumerate((("fatima-zahra", "B"), ("idder", "A, B, C"), ("esther", "B"))):
            who = _CITIZENS[key]
            expires = self._ago(90 + index) + dt.timedelta(days=3652)
            fields = {
                "licence_number": f"{11 + index}/{200_400 + index}",
                **_names(who),
                "cnie_number": who.cnie,
                **_birth(who),
                "categories": categories,
                "expires_on": expires,
            }
            yield self._paper("DRIVINGLICENCE", who, fields, days_ago=90 + index, valid_until=expires)


def _names(citizen: Citizen) -> dict[str, Any]:
    return {"family_name": citizen.family, "given_name": citizen.given}


def _birth(citizen: Citizen) -> dict[str, Any]:
    return {"birthdate": citizen.born, "birth_place": citizen.born_at.locality}


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """As the deposit sends them."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        match value:
            case Both(fr=latin, ar=arabic):
                flat |= {name: latin, f"{name}_ar": arabic}
            case dt.date():
                flat[name] = value.isoformat()
            case _:
                flat[name] = value
    return flat
