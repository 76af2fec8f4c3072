// A signing key that is kept in a file: in production, keep it in a key store.
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }

/** `privateKey` as openid-client wants it, with its `kid`; `jwks` to register. Made at the first call. */
export async function signingKey(file) {
  let jwk
  try {
    jwk = JSON.parse(await readFile(file, 'utf8'))
  } catch {
    const pair = await crypto.subtle.generateKey(ES256, true, ['sign', 'verify'])
    const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', pair.privateKey)
    jwk = { kty, crv, x, y, d, kid: randomUUID() }
    await writeFile(file, JSON.stringify(jwk), { mode: 0o600 })
  }
  const { d, ...publicJwk } = jwk
  return {
    privateKey: { key: await crypto.subtle.importKey('jwk', jwk, ES256, false, ['sign']), kid: jwk.kid },
    jwks: { keys: [{ ...publicJwk, use: 'sig', alg: 'ES256' }] },
  }
}
