"""What is shed first and last when there is more than can be done: the first pattern of ``METHOD path`` counts."""

from collections.abc import Sequence

from kit.lanes import AUDITING, DEPOSITING, IN_BULK, LAST, PAPER, VERIFYING, Lane

LANES: Sequence[tuple[Lane, str]] = (
    (LAST, r"\w+ /(livez|readyz|static/|\.well-known/)"),
    (LAST, r"POST /(v1|wallet)/.*/?(revoke|suspend|resume|revoke-all)$"),
    (LAST, r"POST /v1/revocations$"),
    (LAST, r"DELETE /v1/shares"),
    (VERIFYING, r"\w+ /(verify|d|p)(/|$)"),
    (VERIFYING, r"\w+ /v1/(verifications|printed)(/|$)"),
    (AUDITING, r"\w+ /(log|v1/log)/"),
    (IN_BULK, r"\w+ /v1/deposits/batches"),
    (DEPOSITING, r"\w+ /v1/deposits(/|$)"),
    (DEPOSITING, r"POST /(v1|wallet)/uploads$"),
    (PAPER, r"\w+ /v1/seals(/|$)"),
    (PAPER, r"\w+ .*/(printed|certificate|report|pages/[\w.]+|picture\.png|uploads/\w+/file)$"),
)
