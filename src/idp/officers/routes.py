from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from idp.clients.profiles import with_defaults
from idp.clients.schema import ClientRegistration
from idp.frame import AnyRequest, headers_of
from idp.officers import decide
from idp.officers.authenticate import authenticate
from idp.officers.look_up import look_up
from idp.officers.propose import find_proposal, pending, propose
from idp.officers.schema import Ability, CitizenSeen, LookUp, Officer, Proposal, Proposals
from idp.problem import WITH_BODY, refusals
from idp.registration.routes import registrar_of
from idp.wiring import Wiring
from kit import strict_json
from kit.edge import address_prefix, client_address, method_sent
from kit.errors import Malformed, MemberTwiceRefused
from kit.throttle import Limit

T = TypeVar("T")

_PER_ADDRESS = Limit("officers", attempts=300, per_s=60)


@post(
    "/admin/clients",
    operation_id="ProposeClient",
    status_code=202,
    responses=refusals(oauth=(400,), problems=(400, 403, 404, 429, *WITH_BODY)),
)
async def propose_client(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Proposal:
    """One officer proposes a client; it is registered when another one approves."""
    officer = await _officer(request, wiring, "/admin/clients", "clients")
    members = with_defaults(_decoded(await request.body(), dict[str, Any]))
    registration = _decoded(msgspec.json.encode(members), ClientRegistration)
    return await propose(registrar_of(wiring), registration, officer=officer)


@get("/admin/clients", operation_id="PendingClients", responses=refusals(problems=(403, 404, 429, 503)))
async def pending_clients(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Proposals:
    await _officer(request, wiring, "/admin/clients", "clients")
    return await pending(wiring.db)


@get(
    "/admin/clients/{proposal_id:uuid}",
    operation_id="ProposedClient",
    responses=refusals(problems=(403, 404, 429, 503)),
)
async def proposed_client(
    request: AnyRequest, wiring: NamedDependency[Wiring], proposal_id: FromPath[UUID]
) -> Proposal:
    await _officer(request, wiring, f"/admin/clients/{proposal_id}", "clients")
    return await find_proposal(wiring.db, proposal_id)


@post(
    "/admin/clients/{proposal_id:uuid}/approve",
    operation_id="ApproveClient",
    status_code=201,
    responses=refusals(oauth=(400,), problems=(403, 404, 409, 429, *WITH_BODY)),
)
async def approve_client(
    request: AnyRequest, wiring: NamedDependency[Wiring], proposal_id: FromPath[UUID]
) -> Response[dict[str, Any]]:
    officer = await _officer(request, wiring, f"/admin/clients/{proposal_id}/approve", "clients")
    return Response(await decide.approve(registrar_of(wiring), proposal_id, officer=officer), status_code=201)


@post(
    "/admin/clients/{proposal_id:uuid}/refuse",
    operation_id="RefuseClient",
    status_code=204,
    responses=refusals(problems=(403, 404, 409, 429, *WITH_BODY)),
)
async def refuse_client(request: AnyRequest, wiring: NamedDependency[Wiring], proposal_id: FromPath[UUID]) -> None:
    officer = await _officer(request, wiring, f"/admin/clients/{proposal_id}/refuse", "clients")
    await decide.refuse(registrar_of(wiring), proposal_id, officer=officer)


@post(
    "/admin/citizens/look-up",
    operation_id="LookUpCitizen",
    status_code=200,
    responses=refusals(problems=(400, 403, 404, 422, 429, *WITH_BODY)),
)
async def look_up_citizen(request: AnyRequest, wiring: NamedDependency[Wiring]) -> CitizenSeen:
    """With a reason that the citizen reads. By POST: an identifier in an address would stand in logs."""
    officer = await _officer(request, wiring, "/admin/citizens/look-up", "citizens")
    return await look_up(wiring.db, wiring.audit, _decoded(await request.body(), LookUp), officer=officer)


async def _officer(request: AnyRequest, wiring: Wiring, path: str, ability: Ability) -> Officer:
    await wiring.throttle.count(wiring.db, _PER_ADDRESS, address_prefix(client_address(request.scope)))
    return await authenticate(
        wiring.db,
        headers_of(request),
        await request.body(),
        issuer=wiring.settings.issuer,
        method=method_sent(request.scope),
        path=path,
        ability=ability,
    )


def _decoded(body: bytes, wanted: type[T]) -> T:
    """After the signature was found right: nobody else's bytes are parsed."""
    try:
        return strict_json.decode(body, wanted)
    except strict_json.MemberTwice:
        raise MemberTwiceRefused from None
    except msgspec.DecodeError as fault:
        raise Malformed(str(fault).partition(" - at ")[2] or "JSON") from None


ROUTES = [propose_client, pending_clients, proposed_client, approve_client, refuse_client, look_up_citizen]
