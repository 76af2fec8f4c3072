from locker.seals.schema import Sealed, SealRow, VersionRow


def sealed(row: SealRow, version: VersionRow, *, locker_url: str) -> Sealed:
    assert row.level is not None
    assert row.sealed_at is not None
    return Sealed(
        seal_id=row.seal_id,
        level=version.level,
        pending=row.pending,
        version=version.version,
        indication=version.indication,
        sub_indication=version.sub_indication,
        sha256=version.stored.plaintext_sha256.hex(),
        length=version.stored.length,
        sealed_at=row.sealed_at,
        expires_at=row.expires_at,
        document=f"{locker_url}/v1/seals/{row.seal_id}/document",
    )
