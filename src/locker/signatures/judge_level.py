"""How far a signature got on the ladder B, T, LT, LTA: by what is there, and by what of that holds."""

from locker.signatures.certificate import Certificate
from locker.signatures.cms_signature import SignedData
from locker.signatures.document import UNREADABLE
from locker.signatures.judge_chain import Context, has_revocation_data
from locker.signatures.judge_time_stamp import DocumentStamp, is_intact
from locker.signatures.level import Step
from locker.signatures.schema import TimeStampVerdict
from locker.signatures.signed import Signed

_CERTIFICATES_MAX = 64


def steps(
    signed: Signed,
    signer: Certificate | None,
    context: Context,
    *,
    stamps: tuple[TimeStampVerdict, ...],
    covering: list[DocumentStamp],
) -> tuple[Step, Step]:
    """What is there, and what of that is intact (EN 319 142-1 §6.3). ``covering``: document time stamps over it."""
    found = _step(signed, signer, context, len(signed.tokens), covering)
    holding = [stamp for stamp in covering if is_intact(stamp.verdict)]
    intact = sum(map(is_intact, stamps))
    if len(holding) == len(covering) and intact == len(signed.tokens):
        return found, found
    return found, _step(signed, signer, context, intact, holding)


def _step(
    signed: Signed, signer: Certificate | None, context: Context, stamps: int, covering: list[DocumentStamp]
) -> Step:
    if not stamps and not covering:
        return 0
    # Data collected for an earlier signature says nothing about this one.
    brought = [*context.data.crls.values(), *context.data.ocsps.values()]
    data_revision = min((revision for revision in brought if revision > signed.revision), default=None)
    if data_revision is None or signer is None:
        return 1
    # A time stamp over the data; the one that dates the signature is not also the one that archives it.
    archiving = [stamp for stamp in covering if stamp.revision >= data_revision]
    dating = [stamp for stamp in covering if stamp.revision < data_revision]
    if not _has_all_data(signed, signer, context, dating):
        return 1
    return 3 if archiving and stamps + len(covering) > 1 else 2


def _has_all_data(signed: Signed, signer: Certificate, context: Context, stamps: list[DocumentStamp]) -> bool:
    """Is there something about each certificate, those of time stamps too?"""
    if not has_revocation_data(signer, context, signed.cms.certificates):
        return False
    tokens = [stamp.token for stamp in stamps]
    for token in signed.tokens:
        try:
            tokens.append(SignedData(token, certificates_max=_CERTIFICATES_MAX))
        except UNREADABLE:
            continue
    authorities = ((token.signer()[0], token.certificates) for token in tokens)
    return all(
        authority is None or has_revocation_data(authority, context, brought, for_time_stamps=True)
        for authority, brought in authorities
    )
