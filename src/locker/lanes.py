"""What is shed first and last when there is more than can be done: the first pattern of ``METHOD path`` counts."""

from collections.abc import Sequence

from kit.lanes import AUDITING, DEPOSITING, IN_BULK, LAST, LOOKING_UP, PAPER, VERIFYING, Lane

LANES: Sequence[tuple[Lane, str]] = (
    (LAST, r"\w+ /(livez|readyz|static/|\.well-known/)"),
    (LAST, r"POST /(v1|wallet)/(.*/)?(revoke|suspend|resume|revoke-all)$"),
    (LAST, r"POST /v1/revocations$"),
    # To narrow is to revoke a part.
    (LAST, r"(DELETE|PATCH) /v1/shares(/|$)"),
    (LAST, r"(POST /wallet/erasure/undone|DELETE /v1/erasure)$"),
    (VERIFYING, r"POST /(verify|v1/verifications)$"),
    (LOOKING_UP, r"\w+ /(verify|d|p|v1/printed)(/|$)"),
    (AUDITING, r"\w+ /(log|v1/log)/"),
    # Only what brings documents; how a batch stands is asked beside it.
    (IN_BULK, r"POST /v1/deposits/batches"),
    (DEPOSITING, r"POST /v1/deposits(/|$)"),
    (DEPOSITING, r"POST /(v1|wallet)/uploads$"),
    (PAPER, r"\w+ /v1/seals(/|$)"),
    (PAPER, r"\w+ .*/(printed|certificate|report|pages/[\w.]+|picture\.png|uploads/\w+/file)$"),
)
