from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from locker.access.bearer import ClientCaller
from locker.batches.hand_over import hand_over
from locker.batches.heard_out import heard_out
from locker.batches.openapi import PartOperation, RegisterOperation
from locker.batches.register import register
from locker.batches.schema import BatchRegistered, BatchShown
from locker.batches.show import missing, results, show
from locker.deposits.body import frames, idempotency_key
from locker.problem import problems
from locker.wiring import Wiring

_OPT = {"scope": "documents:deposit"}
_TAGS = ["administrations"]
_NDJSON = "application/x-ndjson"
_PROBLEMS = (400, 401, 403, 408, 409, 413, 415, 422, 429, 503)


@post(
    "/v1/deposits/batches",
    operation_id="RegisterBatch",
    operation_class=RegisterOperation,
    status_code=201,
    responses=problems(*_PROBLEMS),
    opt=_OPT,
    tags=_TAGS,
    # Counted line by line as it streams.
    request_max_body_size=None,
)
async def register_batch(
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
    dry_run: FromQuery[bool] = False,
) -> Response[BatchRegistered]:
    """Register a manifest: one JSON object a line, for up to 100,000 documents, which follow in parts.

    A line that cannot be used refuses itself alone. ``Idempotency-Key`` is required; the same manifest under the same
    key is the same batch. With ``dry_run`` its documents are checked as in a deposit, and none is kept.
    """
    limits, body = wiring.batches.limits, frames(request)
    async with heard_out(body, bytes_max=limits.manifest_max_bytes, wait_max_s=limits.frame_max_s):
        registered = await register(
            wiring.batches,
            body,
            client_id=client.client_id,
            idempotency_key=idempotency_key(request.headers.get("idempotency-key")),
            dry_run=dry_run,
        )
    return Response(
        registered,
        headers={"Location": f"{wiring.settings.locker_url}/v1/deposits/batches/{registered.batch_id}"},
    )


@post(
    "/v1/deposits/batches/{batch_id:str}/parts",
    operation_id="HandOverPart",
    operation_class=PartOperation,
    status_code=200,
    responses={
        200: ResponseSpec(
            str,
            description="NDJSON: a PartLine for each item, and for each entry that is of none; and a PartEnd.",
            media_type=_NDJSON,
            generate_examples=False,
        ),
        **problems(*_PROBLEMS, 404),
    },
    opt=_OPT,
    tags=_TAGS,
    request_max_body_size=None,
)
async def hand_over_part(
    batch_id: FromPath[str],
    request: Request[Any, Any, Any],
    wiring: NamedDependency[Wiring],
    client: NamedDependency[ClientCaller],
) -> Response[bytes]:
    """Hand over some documents of a batch: a ZIP file, or multipart/form-data, with the manifest's file names.

    In any order, and again after any failure: what was deposited keeps its first answer. Each is accepted or refused by
    itself, as in a deposit. The files of one item stand in one part, side by side.
    """
    limits, body = wiring.batches.limits, frames(request)
    async with heard_out(body, bytes_max=limits.part_max_bytes, wait_max_s=limits.frame_max_s):
        lines, end = await hand_over(
            wiring.batches,
            body,
            request.headers.get("content-type", ""),
            batch_id=batch_id,
            client_id=client.client_id,
        )
    return Response(msgspec.json.Encoder().encode_lines([*lines, end]), media_type=_NDJSON)


@get(
    "/v1/deposits/batches/{batch_id:str}",
    operation_id="ReadBatch",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def read_batch(
    batch_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> BatchShown:
    """How many items of your batch are in which state."""
    return await show(wiring.batches, batch_id, client_id=client.client_id)


@get(
    "/v1/deposits/batches/{batch_id:str}/results",
    operation_id="ReadBatchResults",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def read_results(
    batch_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Stream:
    """NDJSON: an ItemShown for each line of the manifest, with the receipt of what was deposited."""
    return Stream(await results(wiring.batches, batch_id, client_id=client.client_id), media_type=_NDJSON)


@get(
    "/v1/deposits/batches/{batch_id:str}/missing",
    operation_id="ReadBatchMissing",
    responses=problems(401, 403, 404, 503),
    opt=_OPT,
    tags=_TAGS,
)
async def read_missing(
    batch_id: FromPath[str], wiring: NamedDependency[Wiring], client: NamedDependency[ClientCaller]
) -> Stream:
    """NDJSON: an ItemMissing for each document that is still to come."""
    return Stream(await missing(wiring.batches, batch_id, client_id=client.client_id), media_type=_NDJSON)


ROUTES: list[Any] = [register_batch, hand_over_part, read_batch, read_results, read_missing]
