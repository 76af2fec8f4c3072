"""Which check a reason belongs to. The checks are the building blocks of ETSI EN 319 102-1, and three of our own."""

from collections.abc import Mapping

import msgspec

from kit.i18n import Message, _
from locker.reports.schema import CheckName, Why


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: CheckName
    clause: str
    title: Message
    reasons: frozenset[str] = frozenset()
    """Codes of ``locker.signatures.reasons``: each stands in exactly one check."""


OF_DOCUMENT: tuple[Check, ...] = (
    Check(
        name="file",
        clause="ISO 32000-2 §7.5",
        title=_("The file is a PDF and can be read"),
        reasons=frozenset({"not-a-pdf", "no-end-of-file", "no-pages", "unreadable", "container"}),
    ),
    Check(
        name="validation-context",
        clause="EN 319 102-1 §5.2.4",
        title=_("The file is within the limits of the policy"),
        reasons=frozenset(
            {"too-large", "too-many-revisions", "too-many-signatures", "too-many-objects", "too-costly", "not-judged"}
        ),
    ),
    Check(
        name="content",
        clause="EN 319 102-1 §5.2.8",
        title=_("The content shows the same in every reader"),
        reasons=frozenset({"active-content", "encrypted"}),
    ),
)

OF_SIGNATURE: tuple[Check, ...] = (
    Check(
        name="format",
        clause="EN 319 102-1 §5.2.2",
        title=_("Format of the signature"),
        reasons=frozenset(
            {
                "signature-unreadable",
                "signature-missing",
                "subfilter",
                "content-not-detached",
                "signed-attributes",
                "critical-header",
                "several-signers",
            }
        ),
    ),
    Check(
        name="signing-certificate",
        clause="EN 319 102-1 §5.2.3",
        title=_("The signer's certificate is found"),
        reasons=frozenset(
            {
                "signing-certificate-missing",
                "signing-certificate-encoding",
                "signing-certificate-mismatch",
                "too-many-certificates",
            }
        ),
    ),
    Check(
        name="cryptographic-verification",
        clause="EN 319 102-1 §5.2.7",
        title=_("The signature fits the signed bytes"),
        reasons=frozenset({"document-altered", "signature-value", "not-der", "data-missing"}),
    ),
    Check(
        name="certificate-chain",
        clause="EN 319 102-1 §5.2.6",
        title=_("The certificate leads to an authority that is trusted here"),
        reasons=frozenset({"no-chain", "chain-rules", "key-usage", "service-not-granted", "trust-list-expired"}),
    ),
    Check(
        name="revocation",
        clause="EN 319 102-1 §5.2.6",
        title=_("No certificate of the chain was revoked"),
        reasons=frozenset({"revoked", "ca-revoked", "on-hold", "revoked-later"}),
    ),
    Check(
        name="revocation-freshness",
        clause="EN 319 102-1 §5.2.5",
        title=_("What is known about revocation is fresh enough"),
        reasons=frozenset({"no-revocation-status", "revocation-not-fresh"}),
    ),
    Check(
        name="cryptographic-constraints",
        clause="EN 319 102-1 §5.2.8, TS 119 312",
        title=_("Algorithms and keys are strong enough"),
        reasons=frozenset({"digest-algorithm", "signature-algorithm", "key-size", "chain-algorithm"}),
    ),
    Check(
        name="signature-acceptance",
        clause="EN 319 102-1 §5.2.8",
        title=_("The signature is what the policy asks for"),
        reasons=frozenset({"level", "seal-not-registered"}),
    ),
    Check(
        name="time-stamps",
        clause="EN 319 102-1 §5.4",
        title=_("The time stamps hold"),
        reasons=frozenset({"time-stamp-imprint", "time-stamp-invalid", "time-stamp-as-signature"}),
    ),
    Check(
        name="past-certificate-validation",
        clause="EN 319 102-1 §5.6.2.1",
        title=_("The certificates were valid at the time that can be proven"),
        reasons=frozenset({"expired", "not-yet-valid", "ca-expired"}),
    ),
    Check(
        name="coverage",
        clause="ISO 32000-2 §12.8.1",
        title=_("The signature covers a whole revision of the file"),
        reasons=frozenset(
            {
                "byte-range",
                "signed-content",
                "not-all-covered",
                "not-whole-revision",
                "unreferenced-update",
                "bytes-after-end",
                "several-fields",
                "duplicate-signature-value",
            }
        ),
    ),
    Check(
        name="changes",
        clause="ISO 32000-2 §12.8.2",
        title=_("Nothing was changed afterwards that may not be"),
        reasons=frozenset({"changed-after-signing", "covered", "docmdp", "fieldmdp", "form-filled"}),
    ),
    Check(
        name="long-term",
        clause="EN 319 102-1 §5.6.3",
        title=_("Evidence for later years is there and holds"),
    ),
)

OF_TIME_STAMP: tuple[CheckName, ...] = (
    "signing-certificate",
    "coverage",
    "changes",
    "time-stamps",
    "cryptographic-verification",
    "past-certificate-validation",
    "certificate-chain",
    "revocation",
    "revocation-freshness",
    "cryptographic-constraints",
)
"""In the order in which the judge looks: what follows the one that failed was not reached."""

CHECKS: Mapping[CheckName, Check] = {check.name: check for check in (*OF_DOCUMENT, *OF_SIGNATURE)}

CHECK_OF: Mapping[str, CheckName] = {code: check.name for check in CHECKS.values() for code in check.reasons}
"""Reason code → its check."""

OF_SEALING = frozenset({"already-signed", "already-certified"})
"""Codes that speak against sealing a document, never against one that is judged."""

WHY: Mapping[Why, Message] = {
    "not-reached": _("Not looked at, because an earlier check failed."),
    "not-asked": _("The policy does not ask for it."),
    "nothing-there": _("The signature brings nothing of the kind."),
    "not-proven": _("What is there proves no time."),
}
