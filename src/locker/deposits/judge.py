from pathlib import Path
from typing import Literal

import msgspec

from locker.catalogue.schema import Level, SignatureRequirement
from locker.deposits.refusals import NotAuthentic
from locker.signatures.judge import SignatureJudge
from locker.signatures.policies import deposit_policy
from locker.signatures.reasons import REASONS
from locker.signatures.schema import Policy, Trust, Verdict

_LEVELS: dict[Level, Literal["B", "T", "LT", "LTA"]] = {"B-B": "B", "B-T": "T", "B-LT": "LT", "B-LTA": "LTA"}


_MAY_STILL_COME = {"no-revocation-status", "on-hold"}


async def judge(
    judge_: SignatureJudge, pdf: Path, *, trust: Trust, requirement: SignatureRequirement, size_max_bytes: int
) -> Verdict:
    """A verdict that passed or may pass later, in a limited worker process; NotAuthentic for every other."""
    verdict = await judge_.validate(pdf, trust=trust, policy=policy_of(requirement, size_max_bytes=size_max_bytes))
    if not verdict.passed and not may_pass_later(verdict):
        raise not_authentic(verdict)
    return verdict


def may_pass_later(verdict: Verdict) -> bool:
    """Revocation data is not there yet, and nothing else speaks against the document (EN 319 102-1 TRY_LATER)."""
    return verdict.sub_indication == "TRY_LATER" and _MAY_STILL_COME.issuperset(verdict.reasons)


def not_authentic(verdict: Verdict) -> NotAuthentic:
    deciding = REASONS.get(verdict.reasons[0]) if verdict.reasons else None
    return NotAuthentic(
        deciding.msgid if deciding else None,
        indication=verdict.indication,
        sub_indication=verdict.sub_indication,
        reasons=list(verdict.reasons),
        warnings=list(verdict.warnings),
        policy=f"{verdict.policy}/{verdict.policy_version}",
    )


def policy_of(requirement: SignatureRequirement, *, size_max_bytes: int) -> Policy:
    policy = deposit_policy(
        minimum_level=_LEVELS[requirement.level_min], active_content=frozenset(requirement.active_content)
    )
    return msgspec.structs.replace(policy, size_max_bytes=size_max_bytes)
