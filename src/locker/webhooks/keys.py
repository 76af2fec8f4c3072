from kit.db import Tx
from kit.ids import new_public_id
from locker.webhooks import sign, store
from locker.webhooks.schema import Key, Scheme, SealedKey
from locker.webhooks.sealed_keys import SealedKeys


async def make_key(tx: Tx, sealed: SealedKeys, *, webhook_id: str, scheme: Scheme) -> Key:
    key, key_id = sign.new_key(scheme), new_public_id(40)
    kept = SealedKey(key_id=key_id, scheme=scheme, sealed=sealed.seal(key, webhook_id=webhook_id, key_id=key_id))
    await store.insert_key(tx, webhook_id=webhook_id, key=kept)
    return Key(key_id=key_id, scheme=scheme, verify_with=sign.verify_with(scheme, key))
