from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from kit.edge import address_prefix
from kit.errors import NotFound
from kit.throttle import Limit
from locker.access.bearer import CitizenCaller
from locker.access.schema import Citizen
from locker.home.frame import AnyRequest, prober
from locker.log import store
from locker.log.prove import prove, prove_consistency
from locker.log.schema import Consistency
from locker.log.tiles import tile_at
from locker.problem import problems
from locker.wiring import Wiring

_TAGS = ["log"]
_TEXT = "text/plain"
_FOREVER = "public, max-age=31536000, immutable"
_PROOFS = Limit("log-proofs", attempts=120, per_s=60)
_SIZE_MAX = 2**53


@get("/log/checkpoint", operation_id="LogCheckpoint", media_type=_TEXT, responses=problems(404, 503), tags=_TAGS)
async def checkpoint(wiring: NamedDependency[Wiring]) -> Response[str]:
    """The newest signed tree head of the log of all accesses (C2SP tlog-checkpoint)."""
    note = (await store.head(wiring.db)).checkpoint
    if note is None:
        raise NotFound
    return Response(note, media_type=_TEXT, headers={"Cache-Control": "public, max-age=1"})


@get("/log/key", operation_id="LogVerifierKey", media_type=_TEXT, tags=_TAGS)
async def verifier_key(wiring: NamedDependency[Wiring]) -> Response[str]:
    """With which checkpoints verify: ``name+hash+base64`` (C2SP signed-note). After a rotation a line for each key, the
    newest first; the others verify what was signed before."""
    return Response(
        f"{wiring.log_key.verifier_keys}\n", media_type=_TEXT, headers={"Cache-Control": "public, max-age=300"}
    )


@get(
    "/log/tile/{tile_path:path}",
    operation_id="LogTile",
    media_type="application/octet-stream",
    responses=problems(404, 503),
    tags=_TAGS,
)
async def tile(tile_path: FromPath[str], wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """Hashes of the Merkle tree, ``<level>/<number>[.p/<width>]``, or the entries under them (C2SP tlog-tiles). An
    entry is 32 bytes that mean nothing to whom they do not concern."""
    named = tile_at(tile_path.removeprefix("/"))
    content = await wiring.log_objects.read_tile(named) if named else None
    if content is None:
        raise NotFound
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": _FOREVER})


@get("/v1/log/consistency", operation_id="LogConsistency", responses=problems(400, 404, 429, 503), tags=_TAGS)
async def consistency(
    request: AnyRequest,
    wiring: NamedDependency[Wiring],
    old: Annotated[int, QueryParameter(ge=0, le=_SIZE_MAX)],
    new: Annotated[int, QueryParameter(ge=0, le=_SIZE_MAX)],
) -> Consistency:
    """That the log of ``old`` entries is the beginning of the log of ``new`` (RFC 6962 §2.1.2)."""
    await wiring.throttle.count(wiring.db, _PROOFS, address_prefix(prober(request)))
    return await prove_consistency(wiring.db, old=old, new=new)


@get(
    "/v1/history/{audit_id:str}/proof",
    operation_id="ProveHistory",
    opt={"scope": "documents:read"},
    media_type=_TEXT,
    responses=problems(401, 403, 404, 409, 429, 503),
    tags=["wallet apps"],
)
async def api_proof(
    audit_id: FromPath[str], wiring: NamedDependency[Wiring], caller: NamedDependency[CitizenCaller]
) -> Response[str]:
    """That a line of the history is in the log, as a file that verifies offline (C2SP tlog-proof). Scope
    ``documents:read``."""
    return await _proof(wiring, caller.owner, audit_id)


@get("/wallet/history/{audit_id:str}/proof", operation_id="DownloadProof")
async def proof(
    audit_id: FromPath[str], wiring: NamedDependency[Wiring], citizen: NamedDependency[Citizen]
) -> Response[str]:
    return await _proof(wiring, citizen.owner, audit_id)


async def _proof(wiring: Wiring, owner: str, audit_id: str) -> Response[str]:
    await wiring.throttle.count(wiring.db, _PROOFS, owner)
    return Response(
        await prove(wiring.db, owner=owner, audit_id=audit_id),
        media_type=_TEXT,
        headers={
            "Content-Disposition": f'attachment; filename="line-{audit_id}.tlog-proof"',
            "Cache-Control": "no-store",
        },
    )


ROUTES = [checkpoint, verifier_key, tile, consistency, api_proof, proof]
