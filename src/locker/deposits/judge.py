from pathlib import Path
from typing import Literal

import msgspec

from locker.catalogue.schema import Level, SignatureRequirement
from locker.deposits.refusals import NotAuthentic
from locker.deposits.schema import Part
from locker.signatures.judge import SignatureJudge
from locker.signatures.policies import deposit_policy
from locker.signatures.reasons import REASONS
from locker.signatures.schema import Policy, Trust, Verdict

_LEVELS: dict[Level, Literal["B", "T", "LT", "LTA"]] = {"B-B": "B", "B-T": "T", "B-LT": "LT", "B-LTA": "LTA"}

_DATA_LEVELS_MAX: dict[Level, Level] = {"B-LTA": "B-LT"}
"""Archive time stamps over data are not looked at, so no more than this can be asked of it."""
_MAY_STILL_COME = {"no-revocation-status", "on-hold"}


async def judge(
    judge_: SignatureJudge, pdf: Path, *, trust: Trust, requirement: SignatureRequirement, size_max_bytes: int
) -> Verdict:
    """A verdict that passed or may pass later, in a limited worker process; NotAuthentic for every other."""
    verdict = await judge_.validate(pdf, trust=trust, policy=policy_of(requirement, size_max_bytes=size_max_bytes))
    if not verdict.passed and not may_pass_later(verdict):
        raise not_authentic(verdict, part="document")
    return verdict


async def judge_data(
    judge_: SignatureJudge,
    data: Path,
    signature: Path | None,
    *,
    trust: Trust,
    requirement: SignatureRequirement,
    size_max_bytes: int,
) -> Verdict:
    """The same of the data that came with the PDF: it needs what the PDF needs."""
    policy = data_policy_of(requirement, size_max_bytes=size_max_bytes)
    verdict = await judge_.validate_any(data, signature, trust=trust, policy=policy)
    if not verdict.passed and not may_pass_later(verdict):
        raise not_authentic(verdict, part="data")
    return verdict


def deciding(verdict: Verdict, data_verdict: Verdict | None) -> tuple[Verdict, Part]:
    """The worse verdict of a deposit's two, and what it speaks of: one that may pass later waits for no other that may
    not."""
    if data_verdict is None or _rank(verdict) >= _rank(data_verdict):
        return verdict, "document"
    return data_verdict, "data"


def _rank(verdict: Verdict) -> int:
    return 0 if verdict.passed else 1 if may_pass_later(verdict) else 2


def may_pass_later(verdict: Verdict) -> bool:
    """Revocation data is not there yet, and nothing else speaks against the document (EN 319 102-1 TRY_LATER)."""
    return verdict.sub_indication == "TRY_LATER" and _MAY_STILL_COME.issuperset(verdict.reasons)


def not_authentic(verdict: Verdict, *, part: Part) -> NotAuthentic:
    deciding = REASONS.get(verdict.reasons[0]) if verdict.reasons else None
    return NotAuthentic(
        deciding.msgid if deciding else None,
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        reasons=list(verdict.reasons),
        warnings=list(verdict.warnings),
        policy=f"{verdict.policy}/{verdict.policy_version}",
        part=part,
    )


def policy_of(requirement: SignatureRequirement, *, size_max_bytes: int) -> Policy:
    policy = deposit_policy(
        minimum_level=_LEVELS[requirement.level_min], active_content=frozenset(requirement.active_content)
    )
    return msgspec.structs.replace(policy, size_max_bytes=size_max_bytes)


def data_policy_of(requirement: SignatureRequirement, *, size_max_bytes: int) -> Policy:
    level = _DATA_LEVELS_MAX.get(requirement.level_min, requirement.level_min)
    return policy_of(msgspec.structs.replace(requirement, level_min=level), size_max_bytes=size_max_bytes)
