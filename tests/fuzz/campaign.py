"""Judge mutated documents until the time is over: ``python -m tests.fuzz.campaign SECONDS [SEED [FOLDER]]``.

One JSON line out; FOLDER keeps the documents of findings.

Seeds are documents made here and, with KHIZANA_FIXTURES, those of other software. A finding is a verdict better than
the original's, an exception, a document that costs more than a worker may, or one that passes though PDFium shows it
otherwise than the original. Documents made here differ from run to run, so the same seed does not find the same again.
"""

import functools
import json
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2

from locker.signatures import worker
from locker.signatures.judge_document import judge_document
from locker.signatures.policies import VERIFY
from locker.signatures.schema import Trust, Verdict
from locker.signatures.trust_store import TrustStore
from tests.fuzz.mutate_pdf import mutated
from tests.unit.locker.signatures import signature_pki as made
from tests.vectors.signatures.agreement import rows

_SIZE_MAX = 300_000
_SECONDS_MAX = 5
_PAGES_MAX = 20
_MEMORY_MAX = 1024 * 1024 * 1024


class TooLong(BaseException):
    """No parser takes it for one of its own."""


class Seed:
    def __init__(self, name: str, pdf: bytes, trust: Trust, at: datetime) -> None:
        self.name, self.pdf, self.at = name, pdf, at
        self.store = TrustStore(trust)
        self.verdict = self.judge(pdf)

    @functools.cached_property
    def drawn(self) -> list[bytes]:
        return drawn(self.pdf)

    def judge(self, pdf: bytes) -> Verdict:
        return judge_document(pdf, self.store, VERIFY, self.at)

    def is_better(self, verdict: Verdict) -> bool:
        """Passed where the original did not, or more signatures hold than did."""
        if verdict.passed and not self.verdict.passed:
            return True
        return _holding(verdict) > _holding(self.verdict) and _failed(self.verdict) == 0


def drawn(pdf: bytes) -> list[bytes]:
    """The pages as PDFium shows them, annotations and forms included; what it cannot open shows nothing."""
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError:
        return []
    document.init_forms()
    return [bytes(document[page].render(scale=0.25).buffer) for page in range(min(len(document), _PAGES_MAX))]


def _holding(verdict: Verdict) -> int:
    return sum(signature.indication != "TOTAL-FAILED" for signature in verdict.signatures)


def _failed(verdict: Verdict) -> int:
    return len(verdict.signatures) - _holding(verdict)


def own_seeds() -> list[Seed]:
    trust = made.trust()
    return [
        Seed("time-stamped", made.sealed_pdf(), trust, made.NOW),
        Seed("open", made.sealed_pdf(docmdp_locked=False, form=True), trust, made.NOW),
        Seed("basic", made.sealed_pdf(time_stamped=False), trust, made.NOW),
        Seed("two", made.signed_by_other_software(made.sealed_pdf(docmdp_locked=False), made.pki().seal, field="Two"),
             trust, made.NOW),
    ]  # fmt: skip


def seeds_of_others(folder: Path) -> list[Seed]:
    found = []
    for row in rows(folder):
        path = folder / row.file
        if row.file.startswith("bombs/") or path.stat().st_size > _SIZE_MAX:
            continue
        found.append(Seed(row.file, path.read_bytes(), row.trust(folder), row.at))
    return found


def run(
    seeds: list[Seed], *, seconds: float, seed: int, executions_max: int = 10**9, kept: Path | None = None
) -> dict[str, object]:
    until = time.monotonic() + seconds
    outcomes: Counter[str] = Counter()
    findings: list[str] = []
    slowest = 0.0
    done = rendered = 0
    while done < executions_max and time.monotonic() < until:
        chance = random.Random(f"{seed} {done}")
        findings_before = len(findings)
        original = chance.choice(seeds)
        name, pdf = mutated(original.pdf, chance)
        began = time.process_time()
        passed = False
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS_MAX)
            verdict = original.judge(pdf)
            passed = verdict.passed
            outcomes[verdict.indication] += 1
            if original.is_better(verdict):
                findings.append(f"better: {original.name} {name} execution {done}")
        except (TooLong, MemoryError) as cost:
            outcomes["too-costly"] += 1
            findings.append(f"too costly: {original.name} {name} execution {done}: {type(cost).__name__}")
        except Exception as fault:
            findings.append(f"fault: {original.name} {name} execution {done}: {type(fault).__name__} {fault}")
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        slowest = max(slowest, time.process_time() - began)
        if passed and original.verdict.passed:
            rendered += 1
            if drawn(pdf) != original.drawn:
                findings.append(f"shown otherwise: {original.name} {name} execution {done}")
        if kept and len(findings) > findings_before:
            (kept / f"{seed}-{done}.pdf").write_bytes(pdf)
        done += 1
    return {
        "executions": done,
        "seeds": len(seeds),
        "seed": seed,
        "outcomes": dict(outcomes),
        "passed_and_rendered": rendered,
        "slowest_s": round(slowest, 2),
        "findings": findings[:50],
    }


def _too_long(*_: object) -> None:
    raise TooLong


def main() -> None:
    worker.__name__  # noqa: B018 - importing it has made the reader as fast as in a worker
    seconds, seed = float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    kept = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    signal.signal(signal.SIGVTALRM, _too_long)
    seeds = own_seeds()
    if folder := os.environ.get("KHIZANA_FIXTURES"):
        seeds += seeds_of_others(Path(folder) / "pdf")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))
    began = time.monotonic()
    answer = run(seeds, seconds=seconds, seed=seed, kept=kept)
    answer["seconds"] = round(time.monotonic() - began)
    answer["day"] = datetime.now(UTC).date().isoformat()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
