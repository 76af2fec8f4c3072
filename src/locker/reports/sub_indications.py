"""Each sub-indication of ETSI EN 319 102-1 for a person: what it means, what to do next. docs/verification.md holds the
same table, and a test holds the two together."""

from collections.abc import Mapping

import msgspec

from kit.i18n import Message, _


class Explained(msgspec.Struct, frozen=True):
    means: Message
    next: Message


_ASK_COPY = _("Ask the issuer for a new copy, and do not rely on this one.")
_ASK_ISSUER = _("Ask the issuer whether the document is theirs.")
_ASK_NEW = _("Ask the issuer to sign the document again.")
_TRY_LATER = _("Verify again in some hours; if nothing changes, ask the issuer.")
_OUR_SIDE = _("Verify again; if it comes back, tell those who run this service.")

SUB_INDICATIONS: Mapping[str, Explained] = {
    "FORMAT_FAILURE": Explained(
        _("The file or its signature is not built as it must be, or something was added after signing."), _ASK_COPY
    ),
    "HASH_FAILURE": Explained(_("The document was changed after it was signed."), _ASK_COPY),
    "SIG_CRYPTO_FAILURE": Explained(_("The signature does not fit the document and the signer's key."), _ASK_COPY),
    "NOT_YET_VALID": Explained(_("The document was signed before the signer's certificate was valid."), _ASK_NEW),
    "SIG_CONSTRAINTS_FAILURE": Explained(
        _("The signature holds, but the document or the signature is not of the kind that is accepted here."),
        _("Ask the issuer for a document without active content and with the signature that is asked for."),
    ),
    "CHAIN_CONSTRAINTS_FAILURE": Explained(
        _("The signer's certificate is not meant for signing such documents."), _ASK_ISSUER
    ),
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": Explained(
        _("The certificates between the signer and a trusted authority break a rule."), _ASK_ISSUER
    ),
    "NO_SIGNING_CERTIFICATE_FOUND": Explained(
        _("The file does not say with which certificate it was signed."), _ASK_COPY
    ),
    "NO_CERTIFICATE_CHAIN_FOUND": Explained(
        _("Whoever signed is vouched for by no authority that is trusted here."), _ASK_ISSUER
    ),
    "NO_CERTIFICATE_CHAIN_FOUND_NO_POE": Explained(
        _("The authority that vouched for the signer is not trusted any more."), _ASK_NEW
    ),
    "CRYPTO_CONSTRAINTS_FAILURE": Explained(
        _("The signature uses an algorithm or a key that is too weak to be relied on."), _ASK_NEW
    ),
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": Explained(
        _("An algorithm has become too weak, and nothing proves that the signature is older than that."), _ASK_NEW
    ),
    "EXPIRED": Explained(_("The document was signed after the signer's certificate had expired."), _ASK_NEW),
    "OUT_OF_BOUNDS_NO_POE": Explained(
        _("The certificate is not valid now, and nothing proves that the signature was made while it was."), _ASK_NEW
    ),
    "OUT_OF_BOUNDS_NOT_REVOKED": Explained(
        _("The certificate has expired without being revoked, and nothing proves when the signature was made."),
        _ASK_NEW,
    ),
    "REVOKED": Explained(_("The document was signed after the signer's certificate had been revoked."), _ASK_COPY),
    "REVOKED_NO_POE": Explained(
        _("The signer's certificate was revoked, and nothing proves that the signature is older than that."),
        _ASK_ISSUER,
    ),
    "REVOKED_CA_NO_POE": Explained(
        _("The authority that vouched for the signer was revoked, and nothing proves that the signature is older."),
        _ASK_NEW,
    ),
    "REVOCATION_OUT_OF_BOUNDS_NO_POE": Explained(
        _("Whoever said that the certificate was not revoked is not valid any more."), _TRY_LATER
    ),
    "TIMESTAMP_ORDER_FAILURE": Explained(_("The time stamps contradict one another."), _ASK_COPY),
    "NO_POE": Explained(_("Nothing proves that the signature existed in time."), _ASK_NEW),
    "TRY_LATER": Explained(_("It is not known yet whether the signer's certificate was revoked."), _TRY_LATER),
    "SIGNED_DATA_NOT_FOUND": Explained(_("What was signed is not in the file."), _ASK_COPY),
    "POLICY_PROCESSING_ERROR": Explained(_("The rules for judging the document could not be applied."), _OUR_SIDE),
    "SIGNATURE_POLICY_NOT_AVAILABLE": Explained(
        _("The signature names rules of its own that are not known here."), _ASK_ISSUER
    ),
    "GENERIC": Explained(
        _("The document could not be judged to the end: it is too large, too costly or of another kind."), _ASK_COPY
    ),
}
