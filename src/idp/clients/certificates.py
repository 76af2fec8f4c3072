"""A client's certificate: whom it names, who vouches for it, or which registered key it holds (RFC 8705 §2)."""

import datetime as dt
import ipaddress
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from idp.clients.schema import ClientMetadata
from idp.refusals import InvalidClientMetadata

_TYPES = {
    "E": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER,
    "BUSINESSCATEGORY": NameOID.BUSINESS_CATEGORY,
    "GIVENNAME": NameOID.GIVEN_NAME,
    "GN": NameOID.GIVEN_NAME,
    "SN": NameOID.SURNAME,
    "SURNAME": NameOID.SURNAME,
    "TITLE": NameOID.TITLE,
    "POSTALCODE": NameOID.POSTAL_CODE,
    "JURISDICTIONCOUNTRYNAME": NameOID.JURISDICTION_COUNTRY_NAME,
}
_ATTRIBUTE = re.compile(r"(^|(?<!\\)[,+])\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=\s*")
_CLIENT_USES = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


class CertificationAuthorities:
    """Who may vouch for clients of ``tls_client_auth``. The edge asks for a certificate and sees that its key is held;
    it need not know these."""

    def __init__(self, certificates: Sequence[x509.Certificate]) -> None:
        self._store = verification.Store(list(certificates))
        # What names a client is checked by us, and many a private authority writes fewer extensions than the web wants.
        self._of_clients = verification.ExtensionPolicy.permit_all()
        self._of_authorities = verification.ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
        )

    @classmethod
    def read(cls, file: Path) -> "CertificationAuthorities":
        return cls(x509.load_pem_x509_certificates(file.read_bytes()))

    def vouch_for(self, certificate: x509.Certificate) -> bool:
        """A chain of signatures to one of them, valid today (RFC 5280 §6.1), for a client."""
        verifier = (
            verification.PolicyBuilder()
            .store(self._store)
            .time(dt.datetime.now(dt.UTC))
            .extension_policies(ca_policy=self._of_authorities, ee_policy=self._of_clients)
            .build_client_verifier()
        )
        try:
            verifier.verify(certificate, [])
            uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (verification.VerificationError, ValueError):
            return False
        except x509.ExtensionNotFound:
            return True
        return bool(_CLIENT_USES & set(uses))


def check_subject(metadata: ClientMetadata) -> None:
    """InvalidClientMetadata for a subject that no certificate can be compared with."""
    try:
        if metadata.tls_client_auth_subject_dn is not None and not parsed_dn(metadata.tls_client_auth_subject_dn).rdns:
            raise ValueError
    except ValueError:
        raise InvalidClientMetadata("tls_client_auth_subject_dn: a distinguished name as in RFC 4514") from None
    try:
        if metadata.tls_client_auth_san_ip is not None:
            ipaddress.ip_address(metadata.tls_client_auth_san_ip)
    except ValueError:
        raise InvalidClientMetadata("tls_client_auth_san_ip: an IPv4 or IPv6 address") from None


def names_client(certificate: x509.Certificate, metadata: ClientMetadata) -> bool:
    """Is the one subject that the client registered in the certificate? (RFC 8705 §2.1.2)"""
    if metadata.tls_client_auth_subject_dn is not None:
        return _comparable(parsed_dn(metadata.tls_client_auth_subject_dn)) == _comparable(certificate.subject)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    if metadata.tls_client_auth_san_dns is not None:
        return _among(metadata.tls_client_auth_san_dns, names.get_values_for_type(x509.DNSName))
    if metadata.tls_client_auth_san_email is not None:
        return _among(metadata.tls_client_auth_san_email, names.get_values_for_type(x509.RFC822Name))
    if metadata.tls_client_auth_san_uri is not None:
        return metadata.tls_client_auth_san_uri in names.get_values_for_type(x509.UniformResourceIdentifier)
    if metadata.tls_client_auth_san_ip is not None:
        return ipaddress.ip_address(metadata.tls_client_auth_san_ip) in names.get_values_for_type(x509.IPAddress)
    return False


def valid_today(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= dt.datetime.now(dt.UTC) <= certificate.not_valid_after_utc


def parsed_dn(text: str) -> x509.Name:
    """RFC 4514 §3, names of attributes in any case; ValueError for what is none."""
    return x509.Name.from_rfc4514_string(_ATTRIBUTE.sub(lambda found: f"{found[1]}{found[2].upper()}=", text), _TYPES)


def _comparable(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """RFC 5280 §7.1: attributes by their identifiers, values without regard to case and runs of spaces."""
    return [frozenset((part.oid.dotted_string, _prepared(str(part.value))) for part in rdn) for rdn in name.rdns]


def _prepared(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _among(wanted: str, names: Sequence[str]) -> bool:
    return wanted.casefold() in {name.casefold() for name in names}
