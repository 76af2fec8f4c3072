"""Who lives in the demo country and what it writes on its papers: data, and nothing that is true of anybody.

Numbers are of ranges nobody is given (CNIE beginning ZZ, telephone +2126000000xx, addresses at example.org).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from khizana.demo.pki import SealKey, SealOrder

Names = dict[str, str]
"""A text in the four languages: ar, fr, zgh, en."""


@dataclass(frozen=True)
class Both:
    """A text as it stands in registers: in French (Latin script) and in Arabic."""

    fr: str
    ar: str


@dataclass(frozen=True, kw_only=True)
class Administration:
    identifier: str
    names: Names
    office: Both
    """The office that signs."""
    organisation_identifier: str
    seal_key: SealKey
    city: Both

    @property
    def seal_order(self) -> SealOrder:
        return SealOrder(
            identifier=self.identifier,
            organisation_identifier=self.organisation_identifier,
            latin_name=self.names["fr"],
            arabic_name=self.names["ar"],
            key=self.seal_key,
        )


FieldKind = Literal["text", "both", "date", "number", "choice"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """``both`` is two members of the deposit, ``name`` in Latin and ``name_ar`` in Arabic script: one line of paper."""

    name: str
    titles: Names
    kind: FieldKind = "both"
    pattern: str | None = None
    choices: tuple[tuple[str, Both], ...] = ()
    optional: bool = False

    def properties(self) -> dict[str, dict[str, Any]]:
        if self.kind == "both":
            text = {"type": "string", "minLength": 1, "maxLength": 200}
            arabic = {language: f"{title} ({_IN_ARABIC[language]})" for language, title in self.titles.items()}
            return {
                self.name: {**text, "names": self.titles, "title": self.titles["en"]},
                f"{self.name}_ar": {**text, "names": arabic, "title": arabic["en"]},
            }
        schema: dict[str, Any] = {"type": "string", "maxLength": 64}
        match self.kind:
            case "date":
                schema = {"type": "string", "format": "date"}
            case "number":
                schema = {"type": "number", "minimum": 0}
            case "choice":
                schema = {"type": "string", "enum": [value for value, _ in self.choices]}
        if self.pattern:
            schema["pattern"] = self.pattern
        return {self.name: {**schema, "names": self.titles, "title": self.titles["en"]}}


_IN_ARABIC = {"ar": "بالعربية", "fr": "en arabe", "zgh": "ⵙ ⵜⴰⵄⵕⴰⴱⵜ", "en": "in Arabic"}


@dataclass(frozen=True, kw_only=True)
class DocumentType:
    code: str
    names: Names
    category: str
    fields: tuple[Field, ...]
    certifies: Both
    """The sentence above the fields."""
    issuers: tuple[str, ...]
    validity_days: int | None = None
    retention_days: int | None = None
    portrait: bool = False

    def schema(self) -> dict[str, Any]:
        properties = {name: schema for field in self.fields for name, schema in field.properties().items()}
        required = [name for field in self.fields if not field.optional for name in field.properties()]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.names["en"],
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }


@dataclass(frozen=True, kw_only=True)
class Place:
    locality: Both
    region: Both


@dataclass(frozen=True, kw_only=True)
class Home:
    street: Both
    place: Place
    postal_code: str


@dataclass(frozen=True, kw_only=True)
class Citizen:
    key: str
    given: Both
    family: Both
    tifinagh: tuple[str, str] | None
    """Given and family name, where the register has them."""
    gender: Literal["female", "male"]
    born: dt.date
    born_at: Place
    father: Both
    mother: Both
    cnie: str
    home: Home
    locale: Literal["ar", "fr", "zgh", "en"]
    email: str
    phone: str
    more_claims: dict[str, Any]

    @property
    def full(self) -> Both:
        return Both(f"{self.given.fr} {self.family.fr}", f"{self.given.ar} {self.family.ar}")

    @property
    def address(self) -> Both:
        home = self.home
        return Both(
            f"{home.street.fr}, {home.postal_code} {home.place.locality.fr}",
            f"{home.street.ar}، {home.place.locality.ar} {home.postal_code}",
        )

    def claims(self) -> dict[str, Any]:
        """OpenID Connect standard claims with language tags (Core §5.1, §5.2)."""
        home = self.home
        addresses = {
            language: {
                "formatted": getattr(self.address, language),
                "street_address": getattr(home.street, language),
                "locality": getattr(home.place.locality, language),
                "region": getattr(home.place.region, language),
                "postal_code": home.postal_code,
                "country": country,
            }
            for language, country in (("fr", "Maroc"), ("ar", "المغرب"))
        }
        tifinagh = dict(zip(("given_name#zgh", "family_name#zgh"), self.tifinagh or (), strict=False))
        return {
            "given_name#ar": self.given.ar,
            "family_name#ar": self.family.ar,
            "given_name#fr": self.given.fr,
            "family_name#fr": self.family.fr,
            **tifinagh,
            "gender": self.gender,
            "birthdate": self.born.isoformat(),
            "place_of_birth#fr": {
                "locality": self.born_at.locality.fr,
                "region": self.born_at.region.fr,
                "country": "MA",
            },
            "place_of_birth#ar": {
                "locality": self.born_at.locality.ar,
                "region": self.born_at.region.ar,
                "country": "MA",
            },
            "nationalities": ["MA"],
            "zoneinfo": "Africa/Casablanca",
            "email": self.email,
            "email_verified": True,
            "phone_number": self.phone,
            "phone_number_verified": True,
            "address#fr": addresses["fr"],
            "address#ar": addresses["ar"],
            **self.more_claims,
        }

    def enrolment(self) -> dict[str, Any]:
        """One line of a registration officer's file."""
        return {
            "claims": self.claims(),
            "cnie": self.cnie,
            "proofing": "desk",
            "locale": self.locale,
            "external_reference": f"demo/{self.key}",
        }


ADMINISTRATIONS: tuple[Administration, ...] = (
    Administration(
        identifier="ma.gov.interieur",
        names={
            "ar": "وزارة الداخلية",
            "fr": "Ministère de l’Intérieur",
            "zgh": "ⵜⴰⵎⴰⵡⴰⵙⵜ ⵏ ⵓⴳⵏⵙⵓ",
            "en": "Ministry of the Interior",
        },
        office=Both("Bureau de l’état civil et de l’identité", "مكتب الحالة المدنية والهوية"),
        organisation_identifier="NTRMA-DEMO-0001",
        seal_key="P-256",
        city=Both("Rabat", "الرباط"),
    ),
    Administration(
        identifier="ma.gov.justice",
        names={
            "ar": "وزارة العدل",
            "fr": "Ministère de la Justice",
            "zgh": "ⵜⴰⵎⴰⵡⴰⵙⵜ ⵏ ⵜⵏⵣⵣⴰⵔⴼⵓⵜ",
            "en": "Ministry of Justice",
        },
        office=Both("Secrétariat-greffe", "كتابة الضبط"),
        organisation_identifier="NTRMA-DEMO-0002",
        seal_key="RSA-3072",
        city=Both("Rabat", "الرباط"),
    ),
    Administration(
        identifier="ma.gov.dgi",
        names={
            "ar": "المديرية العامة للضرائب",
            "fr": "Direction générale des Impôts",
            "zgh": "ⵜⴰⵎⵀⵍⴰ ⵜⴰⵎⴰⵜⴰⵢⵜ ⵏ ⵜⵉⵡⵙⵉⵡⵉⵏ",
            "en": "Directorate General of Taxes",
        },
        office=Both("Service des attestations", "مصلحة الشهادات"),
        organisation_identifier="NTRMA-DEMO-0003",
        seal_key="P-256",
        city=Both("Casablanca", "الدار البيضاء"),
    ),
    Administration(
        identifier="ma.gov.education",
        names={
            "ar": "وزارة التربية الوطنية والتعليم العالي",
            "fr": "Ministère de l’Éducation et de l’Enseignement supérieur",
            "zgh": "ⵜⴰⵎⴰⵡⴰⵙⵜ ⵏ ⵓⵙⴳⵎⵉ ⴰⵏⴰⵎⵓⵔ",
            "en": "Ministry of Education and Higher Education",
        },
        office=Both("Service des examens et des diplômes", "مصلحة الامتحانات والشهادات"),
        organisation_identifier="NTRMA-DEMO-0004",
        seal_key="P-256",
        city=Both("Rabat", "الرباط"),
    ),
    Administration(
        identifier="ma.gov.narsa",
        names={
            "ar": "الوكالة الوطنية للسلامة الطرقية",
            "fr": "Agence nationale de la Sécurité routière",
            "zgh": "ⵜⴰⵎⵙⵙⵓⴳⵓⵔⵜ ⵜⴰⵏⴰⵎⵓⵔⵜ ⵏ ⵜⵏⴼⵔⵓⵜ ⵏ ⵓⴱⵔⵉⴷ",
            "en": "National Road Safety Agency",
        },
        office=Both("Centre d’immatriculation", "مركز تسجيل السيارات"),
        organisation_identifier="NTRMA-DEMO-0005",
        seal_key="RSA-3072",
        city=Both("Rabat", "الرباط"),
    ),
)


def _n(ar: str, fr: str, zgh: str, en: str) -> Names:
    return {"ar": ar, "fr": fr, "zgh": zgh, "en": en}


_FAMILY_NAME = Field(name="family_name", titles=_n("الاسم العائلي", "Nom", "ⵉⵏⵎⵉⵙⵎ", "Family name"))
_GIVEN_NAME = Field(name="given_name", titles=_n("الاسم الشخصي", "Prénom", "ⵉⵙⵎ", "Given name"))
_FULL_NAME = Field(name="full_name", titles=_n("الاسم الكامل", "Nom et prénom", "ⵉⵙⵎ ⴷ ⵉⵏⵎⵉⵙⵎ", "Full name"))
_SEX = Field(
    name="sex",
    titles=_n("الجنس", "Sexe", "ⴰⵏⴰⵡ", "Sex"),
    kind="choice",
    choices=(("F", Both("Féminin", "أنثى")), ("M", Both("Masculin", "ذكر"))),
)
_BIRTHDATE = Field(
    name="birthdate", titles=_n("تاريخ الازدياد", "Date de naissance", "ⴰⵙⴰⴽⵓⴷ ⵏ ⵜⵍⴰⵍⵉⵜ", "Date of birth"), kind="date"
)
_BIRTH_PLACE = Field(
    name="birth_place", titles=_n("مكان الازدياد", "Lieu de naissance", "ⴰⴷⵖⴰⵔ ⵏ ⵜⵍⴰⵍⵉⵜ", "Place of birth")
)
_FATHER = Field(name="father_name", titles=_n("اسم الأب", "Nom du père", "ⵉⵙⵎ ⵏ ⴱⴰⴱⴰⵙ", "Father’s name"))
_MOTHER = Field(name="mother_name", titles=_n("اسم الأم", "Nom de la mère", "ⵉⵙⵎ ⵏ ⵉⵎⵎⴰⵙ", "Mother’s name"))
_ADDRESS = Field(name="address", titles=_n("العنوان", "Adresse", "ⵜⴰⵏⵙⴰ", "Address"))
_CNIE = Field(
    name="cnie_number",
    titles=_n("رقم البطاقة الوطنية", "N° de la CNIE", "ⵓⵟⵟⵓⵏ ⵏ ⵜⴽⴰⵕⴹⴰ ⵜⴰⵏⴰⵎⵓⵔⵜ", "CNIE number"),
    kind="text",
    pattern="^[A-Z]{1,2}[0-9]{1,7}$",
)
_COMMUNE = Field(name="commune", titles=_n("الجماعة", "Commune", "ⵜⴰⴳⵔⴰⵡⵜ", "Commune"))
_COURT = Field(name="court", titles=_n("المحكمة", "Tribunal", "ⵜⴰⵙⵏⴱⴹⴰⵢⵜ", "Court"))
_EXPIRES = Field(
    name="expires_on", titles=_n("صالحة إلى غاية", "Valable jusqu’au", "ⴰⵔ ⴰⵙⴰⴽⵓⴷ", "Valid until"), kind="date"
)


def _number(name: str, titles: Names, pattern: str) -> Field:
    return Field(name=name, titles=titles, kind="text", pattern=pattern)


_CERTIFY = Both(
    "L’administration soussignée certifie que les mentions suivantes figurent dans ses registres.",
    "تشهد الإدارة الموقعة أسفله أن البيانات التالية مسجلة لديها.",
)

TYPES: tuple[DocumentType, ...] = (
    DocumentType(
        code="BIRTHEXTRACT",
        names=_n("مستخرج من رسم الولادة", "Extrait d’acte de naissance", "ⴰⵔⵔⴰ ⵏ ⵜⵍⴰⵍⵉⵜ", "Birth record extract"),
        category="civil-status",
        fields=(
            _FAMILY_NAME,
            _GIVEN_NAME,
            _SEX,
            _BIRTHDATE,
            _BIRTH_PLACE,
            _FATHER,
            _MOTHER,
            _COMMUNE,
            _number(
                "record_number",
                _n("رقم الرسم", "N° de l’acte", "ⵓⵟⵟⵓⵏ ⵏ ⵡⴰⵔⵔⴰ", "Record number"),
                "^[0-9]{1,6}/[0-9]{4}$",
            ),
        ),
        certifies=Both(
            "L’officier de l’état civil certifie l’exactitude de l’extrait ci-dessous.",
            "يشهد ضابط الحالة المدنية بصحة المستخرج المبين أسفله.",
        ),
        issuers=("ma.gov.interieur",),
        validity_days=90,
    ),
    DocumentType(
        code="CNIECOPY",
        names=_n(
            "نسخة من البطاقة الوطنية للتعريف الإلكترونية",
            "Copie de la carte nationale d’identité électronique",
            "ⵜⴰⴽⴰⵕⴹⴰ ⵜⴰⵏⴰⵎⵓⵔⵜ ⵏ ⵜⵎⴰⴳⵉⵜ",
            "Copy of the national identity card",
        ),
        category="identity",
        fields=(_CNIE, _FAMILY_NAME, _GIVEN_NAME, _SEX, _BIRTHDATE, _BIRTH_PLACE, _ADDRESS, _EXPIRES),
        certifies=Both(
            "Copie certifiée conforme aux données de la carte désignée ci-dessous.",
            "نسخة مطابقة لبيانات البطاقة المشار إليها أسفله.",
        ),
        issuers=("ma.gov.interieur",),
        validity_days=3652,
        portrait=True,
    ),
    DocumentType(
        code="RESIDENCE",
        names=_n("شهادة السكنى", "Certificat de résidence", "ⴰⵔⵔⴰ ⵏ ⵜⵣⴷⴷⵖⵜ", "Residence certificate"),
        category="residence",
        fields=(
            _FULL_NAME,
            _CNIE,
            _ADDRESS,
            _COMMUNE,
            Field(
                name="resident_since",
                titles=_n("يقطن منذ", "Réside depuis", "ⵉⵣⴷⵖ ⵙⴳ", "Resident since"),
                kind="date",
            ),
        ),
        certifies=Both(
            "L’autorité locale certifie que la personne désignée ci-dessous réside à l’adresse indiquée.",
            "تشهد السلطة المحلية أن الشخص المذكور أسفله يقطن بالعنوان المبين.",
        ),
        issuers=("ma.gov.interieur",),
        validity_days=90,
    ),
    DocumentType(
        code="FAMILYBOOK",
        names=_n("مستخرج من الدفتر العائلي", "Extrait du livret de famille", "ⴰⴷⵍⵉⵙ ⵏ ⵜⵡⵊⴰ", "Family booklet extract"),
        category="civil-status",
        fields=(
            _number(
                "booklet_number", _n("رقم الدفتر", "N° du livret", "ⵓⵟⵟⵓⵏ ⵏ ⵓⴷⵍⵉⵙ", "Booklet number"), "^[0-9]{6}$"
            ),
            Field(name="husband_name", titles=_n("الزوج", "Époux", "ⴰⵔⴳⴰⵣ", "Husband")),
            Field(name="wife_name", titles=_n("الزوجة", "Épouse", "ⵜⴰⵎⵖⴰⵔⵜ", "Wife")),
            Field(
                name="marriage_date",
                titles=_n("تاريخ الزواج", "Date du mariage", "ⴰⵙⴰⴽⵓⴷ ⵏ ⵓⵔⵛⵍ", "Date of marriage"),
                kind="date",
            ),
            Field(name="children", titles=_n("الأبناء", "Enfants", "ⵜⴰⵔⵡⴰ", "Children")),
            _COMMUNE,
        ),
        certifies=_CERTIFY,
        issuers=("ma.gov.interieur",),
    ),
    DocumentType(
        code="LIFECERT",
        names=_n("شهادة الحياة", "Certificat de vie", "ⴰⵔⵔⴰ ⵏ ⵜⵓⴷⵔⵜ", "Life certificate"),
        category="civil-status",
        fields=(
            _FULL_NAME,
            _CNIE,
            _BIRTHDATE,
            _BIRTH_PLACE,
            _ADDRESS,
            Field(
                name="appeared_on",
                titles=_n("تاريخ الحضور", "A comparu le", "ⴰⵙⴰⴽⵓⴷ ⵏ ⵜⵓⵡⴰⵜ", "Appeared in person on"),
                kind="date",
            ),
        ),
        certifies=Both(
            "L’autorité soussignée certifie que la personne désignée ci-dessous est en vie et s’est présentée ce jour.",
            "تشهد السلطة الموقعة أسفله أن الشخص المذكور على قيد الحياة وقد حضر في التاريخ المبين.",
        ),
        issuers=("ma.gov.interieur",),
        validity_days=90,
    ),
    DocumentType(
        code="CRIMINAL3",
        names=_n(
            "السجل العدلي، البطاقة رقم 3",
            "Casier judiciaire, bulletin n° 3",
            "ⴰⵔⵔⴰ ⴰⵣⵔⴼⴰⵏ ⵡⵉⵙⵙ 3",
            "Criminal record, extract no. 3",
        ),
        category="justice",
        fields=(
            _FAMILY_NAME,
            _GIVEN_NAME,
            _CNIE,
            _BIRTHDATE,
            _BIRTH_PLACE,
            _FATHER,
            _MOTHER,
            _COURT,
            Field(name="entries", titles=_n("الأحكام", "Condamnations", "ⵜⵉⵏⴱⴰⴹⵉⵏ", "Convictions")),
        ),
        certifies=Both(
            "Relevé des condamnations inscrites au bulletin n° 3 de la personne désignée ci-dessous.",
            "بيان الأحكام المقيدة بالبطاقة رقم 3 للشخص المذكور أسفله.",
        ),
        issuers=("ma.gov.justice",),
        validity_days=90,
        retention_days=1826,
    ),
    DocumentType(
        code="MARRIAGE",
        names=_n("رسم الزواج", "Acte de mariage", "ⴰⵔⵔⴰ ⵏ ⵓⵔⵛⵍ", "Marriage record"),
        category="civil-status",
        fields=(
            Field(name="husband_name", titles=_n("الزوج", "Époux", "ⴰⵔⴳⴰⵣ", "Husband")),
            Field(name="wife_name", titles=_n("الزوجة", "Épouse", "ⵜⴰⵎⵖⴰⵔⵜ", "Wife")),
            Field(
                name="marriage_date",
                titles=_n("تاريخ العقد", "Date de l’acte", "ⴰⵙⴰⴽⵓⴷ ⵏ ⵓⵔⵛⵍ", "Date of the record"),
                kind="date",
            ),
            _COURT,
            _number(
                "register_number",
                _n("رقم السجل", "N° de registre", "ⵓⵟⵟⵓⵏ ⵏ ⵓⵙⴽⴽⵉⵍ", "Register number"),
                "^[0-9]{1,5}/[0-9]{4}$",
            ),
            _number("folio", _n("الصحيفة", "Folio", "ⵜⴰⵙⵏⴰ", "Folio"), "^[0-9]{1,5}$"),
        ),
        certifies=_CERTIFY,
        issuers=("ma.gov.justice",),
    ),
    DocumentType(
        code="TAXSTATUS",
        names=_n(
            "شهادة الوضعية الجبائية",
            "Attestation de régularité fiscale",
            "ⴰⵔⵔⴰ ⵏ ⵜⵉⵡⵙⵉⵡⵉⵏ",
            "Tax status certificate",
        ),
        category="tax",
        fields=(
            Field(name="taxpayer_name", titles=_n("الملزم", "Contribuable", "ⴰⵎⴼⵔⵓ", "Taxpayer")),
            _number(
                "tax_number",
                _n("رقم التعريف الضريبي", "Identifiant fiscal", "ⵓⵟⵟⵓⵏ ⵏ ⵜⵡⵙⵉ", "Tax identification number"),
                "^[0-9]{8}$",
            ),
            _CNIE,
            Field(name="tax_office", titles=_n("الإدارة الجهوية", "Direction régionale", "ⵜⴰⵎⵀⵍⴰ", "Tax office")),
            _number("fiscal_year", _n("السنة المالية", "Exercice", "ⴰⵙⴳⴳⵯⴰⵙ", "Fiscal year"), "^20[0-9]{2}$"),
            Field(name="status", titles=_n("الوضعية", "Situation", "ⴰⴷⴷⴰⴷ", "Status")),
        ),
        certifies=Both(
            "L’administration fiscale atteste la situation du contribuable à la date de ce document.",
            "تشهد الإدارة الجبائية بوضعية الملزم إلى غاية تاريخ هذه الوثيقة.",
        ),
        issuers=("ma.gov.dgi",),
        validity_days=180,
        retention_days=3652,
    ),
    DocumentType(
        code="BACCALAUREATE",
        names=_n("شهادة البكالوريا", "Diplôme du baccalauréat", "ⴱⴰⴽⴰⵍⵓⵔⵢⴰ", "Baccalaureate"),
        category="education",
        fields=(
            _FAMILY_NAME,
            _GIVEN_NAME,
            _BIRTHDATE,
            _BIRTH_PLACE,
            _number("student_code", _n("رمز مسار", "Code Massar", "ⴰⵏⴳⴰⵍ ⵏ ⵎⴰⵙⴰⵔ", "Student code"), "^[A-Z][0-9]{9}$"),
            Field(name="stream", titles=_n("الشعبة", "Série", "ⵜⴰⵙⵓⴷⴷⵎⵜ", "Stream")),
            _number("session", _n("الدورة", "Session", "ⵜⵉⵖⵉⵎⵉⵜ", "Session"), "^[0-9]{4}$"),
            Field(
                name="average",
                titles=_n("المعدل العام", "Moyenne générale", "ⴰⵏⴰⵎⵎⴰⵙ", "Average out of 20"),
                kind="number",
            ),
            Field(name="honours", titles=_n("الميزة", "Mention", "ⴰⴱⴷⴰⵔ", "Honours")),
            Field(name="academy", titles=_n("الأكاديمية الجهوية", "Académie régionale", "ⵜⴰⴽⴰⴷⵉⵎⵉⵜ", "Academy")),
        ),
        certifies=Both(
            "Le diplôme désigné ci-dessous a été délivré à la personne nommée.",
            "سلمت الشهادة المبينة أسفله إلى الشخص المذكور.",
        ),
        issuers=("ma.gov.education",),
    ),
    DocumentType(
        code="DIPLOMA",
        names=_n("دبلوم جامعي", "Diplôme universitaire", "ⴰⴳⵔⴷⴰⵙ ⵏ ⵜⵙⴷⴰⵡⵉⵜ", "University diploma"),
        category="education",
        fields=(
            _FULL_NAME,
            _CNIE,
            Field(name="degree", titles=_n("الدبلوم", "Diplôme", "ⴰⴳⵔⴷⴰⵙ", "Degree")),
            Field(name="discipline", titles=_n("التخصص", "Filière", "ⵜⴰⵙⵏⴰ", "Discipline")),
            Field(name="institution", titles=_n("المؤسسة", "Établissement", "ⵜⴰⵙⵏⵉⵍⴰ", "Institution")),
            Field(
                name="graduated_on",
                titles=_n("تاريخ التخرج", "Obtenu le", "ⴰⵙⴰⴽⵓⴷ ⵏ ⵓⴳⵔⴷⴰⵙ", "Graduated on"),
                kind="date",
            ),
            Field(name="honours", titles=_n("الميزة", "Mention", "ⴰⴱⴷⴰⵔ", "Honours")),
        ),
        certifies=Both(
            "Le diplôme désigné ci-dessous a été délivré à la personne nommée.",
            "سلم الدبلوم المبين أسفله إلى الشخص المذكور.",
        ),
        issuers=("ma.gov.education",),
    ),
    DocumentType(
        code="VEHICLEREG",
        names=_n(
            "شهادة تسجيل المركبة (البطاقة الرمادية)",
            "Certificat d’immatriculation (carte grise)",
            "ⵜⴰⴽⴰⵕⴹⴰ ⵏ ⵜⵓⵎⵓⴱⵉⵍ",
            "Vehicle registration certificate",
        ),
        category="vehicle",
        fields=(
            _number(
                "registration_number",
                _n("رقم التسجيل", "N° d’immatriculation", "ⵓⵟⵟⵓⵏ ⵏ ⵓⵣⵎⵎⵉⵎ", "Registration number"),
                "^[0-9]{1,5}-[A-Z]-[0-9]{1,2}$",
            ),
            Field(name="owner_name", titles=_n("المالك", "Propriétaire", "ⴱⴰⴱ", "Owner")),
            _ADDRESS,
            _number("make", _n("العلامة", "Marque", "ⵜⴰⵎⴰⵜⴰⵔⵜ", "Make"), "^.{1,40}$"),
            Field(name="fuel", titles=_n("الوقود", "Carburant", "ⵜⴰⵥⵖⵥⵉ", "Fuel")),
            _number(
                "chassis_number",
                _n("رقم الإطار الحديدي", "N° de châssis", "ⵓⵟⵟⵓⵏ ⵏ ⵓⴽⵔⵙⵉ", "Chassis number"),
                "^[A-Z0-9]{17}$",
            ),
            Field(
                name="fiscal_power",
                titles=_n("القوة الجبائية", "Puissance fiscale (CV)", "ⵜⴰⵣⵎⵔⵜ", "Fiscal power"),
                kind="number",
            ),
            Field(
                name="first_registered_on",
                titles=_n("أول استعمال", "Mise en circulation", "ⴰⵙⴰⴽⵓⴷ ⴰⵎⵣⵡⴰⵔⵓ", "First registered on"),
                kind="date",
            ),
        ),
        certifies=_CERTIFY,
        issuers=("ma.gov.narsa",),
        validity_days=3652,
    ),
    DocumentType(
        code="DRIVINGLICENCE",
        names=_n("رخصة السياقة", "Permis de conduire", "ⵜⵓⵔⴰⴳⵜ ⵏ ⵓⵙⵏⵢⵓ", "Driving licence"),
        category="vehicle",
        fields=(
            _number(
                "licence_number",
                _n("رقم الرخصة", "N° du permis", "ⵓⵟⵟⵓⵏ ⵏ ⵜⵓⵔⴰⴳⵜ", "Licence number"),
                "^[0-9]{2}/[0-9]{6}$",
            ),
            _FAMILY_NAME,
            _GIVEN_NAME,
            _CNIE,
            _BIRTHDATE,
            _BIRTH_PLACE,
            _number("categories", _n("الأصناف", "Catégories", "ⵜⵉⴳⴳⴰⵢⵉⵏ", "Categories"), "^[A-E, ]{1,20}$"),
            _EXPIRES,
        ),
        certifies=_CERTIFY,
        issuers=("ma.gov.narsa",),
        validity_days=3652,
        portrait=True,
    ),
)


def _place(fr: str, ar: str, region_fr: str, region_ar: str) -> Place:
    return Place(locality=Both(fr, ar), region=Both(region_fr, region_ar))


RABAT = _place("Rabat", "الرباط", "Rabat-Salé-Kénitra", "الرباط سلا القنيطرة")
SALE = _place("Salé", "سلا", "Rabat-Salé-Kénitra", "الرباط سلا القنيطرة")
CASABLANCA = _place("Casablanca", "الدار البيضاء", "Casablanca-Settat", "الدار البيضاء سطات")
FES = _place("Fès", "فاس", "Fès-Meknès", "فاس مكناس")
AGADIR = _place("Agadir", "أكادير", "Souss-Massa", "سوس ماسة")
TIZNIT = _place("Tiznit", "تيزنيت", "Souss-Massa", "سوس ماسة")
MIDELT = _place("Midelt", "ميدلت", "Drâa-Tafilalet", "درعة تافيلالت")
ESSAOUIRA = _place("Essaouira", "الصويرة", "Marrakech-Safi", "مراكش آسفي")
MARRAKECH = _place("Marrakech", "مراكش", "Marrakech-Safi", "مراكش آسفي")
NADOR = _place("Nador", "الناظور", "L’Oriental", "الشرق")
LAAYOUNE = _place("Laâyoune", "العيون", "Laâyoune-Sakia El Hamra", "العيون الساقية الحمراء")
TETOUAN = _place("Tétouan", "تطوان", "Tanger-Tétouan-Al Hoceïma", "طنجة تطوان الحسيمة")

CITIZENS: tuple[Citizen, ...] = (
    # A hyphen, and every standard claim set: what a relying party's test asks for.
    Citizen(
        key="fatima-zahra",
        given=Both("Fatima-Zahra", "فاطمة الزهراء"),
        family=Both("Benjelloun", "بنجلون"),
        tifinagh=("ⴼⴰⵟⵎⴰ ⵣⵣⵀⵔⴰ", "ⴱⵏⵊⵍⵍⵓⵏ"),
        gender="female",
        born=dt.date(1990, 3, 12),
        born_at=FES,
        father=Both("Abdelhak Benjelloun", "عبد الحق بنجلون"),
        mother=Both("Khadija Tazi", "خديجة التازي"),
        cnie="ZZ100001",
        home=Home(
            street=Both("12, rue des Orangers, Agdal", "12 زنقة البرتقال، أكدال"), place=RABAT, postal_code="10090"
        ),
        locale="fr",
        email="fatima-zahra.benjelloun@example.org",
        phone="+212600000001",
        more_claims={
            "middle_name": "Nour",
            "middle_name#fr": "Nour",
            "middle_name#ar": "نور",
            "nickname": "Fati",
            "preferred_username": "fz.benjelloun",
            "profile": "https://people.example.org/fz.benjelloun",
            "picture": "https://people.example.org/fz.benjelloun/portrait.jpg",
            "website": "https://fz.example.org/",
            "given_name#en": "Fatima-Zahra",
            "family_name#en": "Benjelloun",
            "address": {
                "formatted": "12, rue des Orangers, Agdal\n10090 Rabat\nMaroc",
                "street_address": "12, rue des Orangers, Agdal",
                "locality": "Rabat",
                "region": "Rabat-Salé-Kénitra",
                "postal_code": "10090",
                "country": "Maroc",
            },
        },
    ),
    # Ait, and Tifinagh as the citizen's own language.
    Citizen(
        key="idder",
        given=Both("Idder", "إيدر"),
        family=Both("Aït Ouhmane", "أيت أوحمان"),
        tifinagh=("ⵉⴷⴷⵔ", "ⴰⵢⵜ ⵓⵃⵎⴰⵏ"),
        gender="male",
        born=dt.date(1985, 1, 13),
        born_at=TIZNIT,
        father=Both("Brahim Aït Ouhmane", "إبراهيم أيت أوحمان"),
        mother=Both("Itto Oubella", "إيطو أوبلا"),
        cnie="ZZ100002",
        home=Home(
            street=Both("7, avenue Al Massira, Talborjt", "7 شارع المسيرة، تالبرجت"), place=AGADIR, postal_code="80000"
        ),
        locale="zgh",
        email="idder.aitouhmane@example.org",
        phone="+212600000002",
        more_claims={},
    ),
    # El.
    Citizen(
        key="youssef",
        given=Both("Youssef", "يوسف"),
        family=Both("El Amrani", "العمراني"),
        tifinagh=None,
        gender="male",
        born=dt.date(1978, 11, 2),
        born_at=CASABLANCA,
        father=Both("Driss El Amrani", "إدريس العمراني"),
        mother=Both("Zoubida El Fassi", "الزبيدة الفاسي"),
        cnie="ZZ100003",
        home=Home(street=Both("85, boulevard Zerktouni", "85 شارع الزرقطوني"), place=CASABLANCA, postal_code="20100"),
        locale="ar",
        email="youssef.elamrani@example.org",
        phone="+212600000003",
        more_claims={},
    ),
    # An apostrophe and Ben.
    Citizen(
        key="mhamed",
        given=Both("M’hamed", "امحمد"),
        family=Both("Ben Abdellah", "بن عبد الله"),
        tifinagh=None,
        gender="male",
        born=dt.date(1952, 6, 30),
        born_at=TETOUAN,
        father=Both("Abdeslam Ben Abdellah", "عبد السلام بن عبد الله"),
        mother=Both("Rahma El Haddad", "رحمة الحداد"),
        cnie="ZZ100004",
        home=Home(
            street=Both("3, derb Sidi Ahmed, médina", "3 درب سيدي أحمد، المدينة القديمة"),
            place=SALE,
            postal_code="11000",
        ),
        locale="ar",
        email="mhamed.benabdellah@example.org",
        phone="+212600000004",
        more_claims={},
    ),
    # Of the Jewish community of Essaouira.
    Citizen(
        key="esther",
        given=Both("Esther", "إستير"),
        family=Both("Ohayon-Pinto", "أوحيون بينتو"),
        tifinagh=None,
        gender="female",
        born=dt.date(1996, 9, 21),
        born_at=ESSAOUIRA,
        father=Both("Haïm Ohayon", "حاييم أوحيون"),
        mother=Both("Simha Pinto", "سيمحا بينتو"),
        cnie="ZZ100005",
        home=Home(street=Both("21, rue du Mellah", "21 زنقة الملاح"), place=MARRAKECH, postal_code="40000"),
        locale="fr",
        email="esther.ohayon@example.org",
        phone="+212600000005",
        more_claims={},
    ),
    # A single name: registers write SNP, "sans nom patronymique".
    Citizen(
        key="mahjouba",
        given=Both("Mahjouba", "محجوبة"),
        family=Both("SNP", "بدون اسم عائلي"),
        tifinagh=None,
        gender="female",
        born=dt.date(1944, 1, 1),
        born_at=MIDELT,
        father=Both("Moha", "موحى"),
        mother=Both("Tuda", "تودة"),
        cnie="ZZ100006",
        home=Home(street=Both("Douar Aït Ayach", "دوار أيت عياش"), place=MIDELT, postal_code="54350"),
        locale="ar",
        email="mahjouba@example.org",
        phone="+212600000006",
        more_claims={},
    ),
    # A long one.
    Citizen(
        key="oum-keltoum",
        given=Both("Lalla Oum Keltoum Zineb", "لالة أم كلثوم زينب"),
        family=Both("Alaoui Mdaghri Belghiti El Ouazzani", "العلوي المدغري بلغيتي الوزاني"),
        tifinagh=None,
        gender="female",
        born=dt.date(2001, 7, 5),
        born_at=FES,
        father=Both("Moulay Abderrahmane Alaoui Mdaghri", "مولاي عبد الرحمن العلوي المدغري"),
        mother=Both("Lalla Habiba Belghiti El Ouazzani", "لالة حبيبة بلغيتي الوزاني"),
        cnie="ZZ100007",
        home=Home(
            street=Both(
                "Résidence Les Jardins de l’Oasis, immeuble 14, appartement 27", "إقامة حدائق الواحة، عمارة 14، شقة 27"
            ),
            place=FES,
            postal_code="30000",
        ),
        locale="en",
        email="oum-keltoum.alaoui@example.org",
        phone="+212600000007",
        more_claims={"given_name#en": "Oum Keltoum", "family_name#en": "Alaoui Mdaghri"},
    ),
    # Ou, from the Rif, in the three scripts.
    Citizen(
        key="numidya",
        given=Both("Numidya", "نوميديا"),
        family=Both("Ou-Haddou N’Aït Yahya", "أوحدو نايت يحيى"),
        tifinagh=("ⵏⵓⵎⵉⴷⵢⴰ", "ⵓⵃⴰⴷⴷⵓ ⵏ ⴰⵢⵜ ⵢⵃⵢⴰ"),
        gender="female",
        born=dt.date(1999, 12, 24),
        born_at=NADOR,
        father=Both("Mimoun Ou-Haddou", "ميمون أوحدو"),
        mother=Both("Tlaytmas Aberkan", "ثلايثماس أبركان"),
        cnie="ZZ100008",
        home=Home(street=Both("40, avenue Mohammed V", "40 شارع محمد الخامس"), place=NADOR, postal_code="62000"),
        locale="zgh",
        email="numidya.ouhaddou@example.org",
        phone="+212600000008",
        more_claims={},
    ),
)
