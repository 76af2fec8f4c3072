"""What a verifier of a credential asks us: our keys, what the type means, and whether it still holds."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from kit.edge import address_prefix
from kit.throttle import Limit
from locker.catalogue.find_type import find_type
from locker.disclosing.find_status import find_status
from locker.disclosing.make_credential import vct
from locker.disclosing.refusals import TypeUnknown
from locker.disclosing.schema import (
    ClaimDisplay,
    ClaimMetadata,
    CredentialStatus,
    IssuerMetadata,
    TypeDisplay,
    TypeMetadata,
)
from locker.documents.fields import labels
from locker.home.frame import AnyRequest, prober
from locker.problem import problems
from locker.wiring import Wiring

_STATUS = Limit("credential-status", attempts=60, per_s=60)
_TAGS = ["credentials"]
_HOUR = {"Cache-Control": "public, max-age=3600"}


@get("/.well-known/jwt-vc-issuer", operation_id="JwtVcIssuer", tags=_TAGS)
async def issuer_metadata(wiring: NamedDependency[Wiring]) -> Response[IssuerMetadata]:
    """Where the keys are with which our credentials verify (JWT VC Issuer Metadata)."""
    base = wiring.settings.locker_url
    metadata = IssuerMetadata(issuer=base, jwks_uri=f"{base}/.well-known/jwks.json")
    return Response(metadata, media_type="application/json", headers=_HOUR)


@get("/credentials/types/{type_name:str}", operation_id="CredentialType", tags=_TAGS, responses=problems(404, 503))
async def type_metadata(type_name: FromPath[str], wiring: NamedDependency[Wiring]) -> Response[TypeMetadata]:
    """Names of a type and of its fields (SD-JWT VC Type Metadata): what ``vct`` leads to."""
    found = await find_type(wiring.db, type_name)
    if found is None:
        raise TypeUnknown
    names: dict[str, str] = msgspec.to_builtins(found.names)
    properties = found.fields.get("properties")
    metadata = TypeMetadata(
        vct=vct(wiring.settings.locker_url, found.type),
        display=[TypeDisplay(locale=tag, name=name) for tag, name in names.items()],
        claims=[
            ClaimMetadata(
                path=["fields", name],
                display=[ClaimDisplay(locale=tag, label=label) for tag, label in labels(name, described).items()],
            )
            for name, described in (properties.items() if isinstance(properties, dict) else ())
        ],
    )
    return Response(metadata, media_type="application/json", headers=_HOUR)


@get(
    "/credentials/{credential_id:str}/status",
    operation_id="CredentialStatus",
    tags=_TAGS,
    responses=problems(404, 429, 503),
)
async def credential_status(
    credential_id: FromPath[str], request: AnyRequest, wiring: NamedDependency[Wiring]
) -> CredentialStatus:
    """Whether the citizen still shares these fields, and whether the issuer stands by their document."""
    await wiring.throttle.count(wiring.db, _STATUS, address_prefix(prober(request)))
    return await find_status(wiring.db, wiring.audit, wiring.throttle, wiring.provider, credential_id)


ROUTES = [issuer_metadata, type_metadata, credential_status]
