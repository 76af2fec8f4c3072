import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from idp.authorization.schema import ClaimsRequest
from idp.authorization.verified_claims import asked_verified
from idp.citizens.claims import as_wanted, standard_claims
from idp.citizens.schema import Citizen
from idp.citizens.verified import released_names, verifications_of, verified_claims
from idp.clients.encryption import encryption_for
from idp.clients.scopes import CLAIMS_OF_SCOPE
from idp.frame import AnyRequest
from idp.parameters import Parameters, of_form
from idp.problem import WITH_BODY, refusals
from idp.releases.record import record
from idp.token.accept import accept
from idp.userinfo.interaction_id import interaction_id_of
from idp.userinfo.refusals import InvalidToken
from idp.userinfo.render import render
from idp.wiring import Wiring
from kit.direct import Answer, Asked


@get("/userinfo", operation_id="Userinfo", responses=refusals(oauth=(400, 401, 403, 429)))
async def userinfo(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    """OpenID Connect Core §5.3."""
    return (await answer_userinfo(request, wiring)).response()


@post(
    "/userinfo",
    operation_id="UserinfoByPost",
    status_code=200,
    responses=refusals(oauth=(400, 401, 403, 429), problems=WITH_BODY),
)
async def userinfo_by_post(request: AnyRequest, wiring: NamedDependency[Wiring]) -> Response[bytes]:
    return (await answer_userinfo_by_post(request, wiring)).response()


async def answer_userinfo(request: Asked, wiring: Wiring) -> Answer:
    return await _userinfo(request, wiring, {})


async def answer_userinfo_by_post(request: Asked, wiring: Wiring) -> Answer:
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return await _userinfo(request, wiring, await of_form(request) if has_body else {})


async def _userinfo(request: Asked, wiring: Wiring, body: Parameters) -> Answer:
    token = await accept(wiring.access_tokens, request, path="/userinfo", scope="openid", body=body)
    client, row = token.client, token.status
    if row["citizen_id"] is None:
        raise InvalidToken
    scopes = frozenset(str(token.claims["scope"]).split())
    wanted = {name for scope in scopes for name in CLAIMS_OF_SCOPE.get(scope, ())}
    asked = msgspec.convert(row["claims_request"], ClaimsRequest)
    wanted |= set(asked.userinfo)
    withheld = frozenset({"uid"}) if client.legal_ground is None else frozenset()
    wanted -= withheld
    citizen = Citizen.of(row)
    found = as_wanted(standard_claims(citizen, wanted, asked.locales), asked.userinfo)
    if asked.verified_userinfo:
        found |= verified_claims(
            citizen,
            await verifications_of(wiring.db, citizen.citizen_id),
            asked.verified_userinfo,
            given=asked_verified(asked.userinfo) - withheld,
            locales=asked.locales,
            now=dt.datetime.now(dt.UTC),
        )
    await record(
        wiring.releases,
        family_id=row["family_id"],
        names=released_names(found),
        citizen_id=row["citizen_id"],
        client_id=client.client_id,
        consent_id=row["consent_id"],
        mandate_id=row["mandate_id"],
    )
    rendered = await render(
        {**found, "sub": token.claims["sub"], **_acting(token.claims)},
        client,
        keys=wiring.keys.current(),
        issuer=wiring.settings.issuer,
        encryption=await encryption_for(wiring.key_sets, client, "userinfo"),
    )
    return Answer(body=rendered.body, media_type=rendered.media_type, headers=(interaction_id_of(request),))


def _acting(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Who acts for the subject, as the token says (RFC 8693 §4.1)."""
    return {"act": claims["act"]} if "act" in claims else {}


ROUTES = [userinfo, userinfo_by_post]
DIRECT = {("GET", "/idp/userinfo"): answer_userinfo, ("POST", "/idp/userinfo"): answer_userinfo_by_post}
