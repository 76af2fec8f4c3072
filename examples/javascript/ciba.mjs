// The back channel (CIBA, poll mode, after FAPI-CIBA): a clerk's desk asks, the citizen answers on a device of their own.
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { SignJWT } from 'jose'
import * as client from 'openid-client'
import { signingKey } from './keys.mjs'

const issuer = new URL(process.env.ISSUER ?? 'http://localhost:8000/idp')
const { privateKey, jwks } = await signingKey(process.env.KEY_FILE ?? 'ciba.key.json')

if (process.argv[2] === 'register') {
  console.log(JSON.stringify({
    profile: 'fapi2',
    sector: 'post.example',
    client_name: 'Example post office',
    purpose: 'To hand out a registered letter',
    token_endpoint_auth_method: 'private_key_jwt',
    grant_types: ['urn:openid:params:grant-type:ciba'],
    backchannel_token_delivery_mode: 'poll',
    backchannel_authentication_request_signing_alg: 'ES256',
    scope: 'openid profile',
    jwks,
  }, null, 2))
  process.exit()
}

const { client_id } = JSON.parse(await readFile(process.argv[2], 'utf8'))
const config = await client.discovery(
  issuer, client_id, { id_token_signed_response_alg: 'ES256' }, client.PrivateKeyJwt(privateKey),
  // Only for http://localhost, where you try things out.
  { execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [] },
)
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

// The whole request is signed (CIBA Core §7.1.1). login_hint: the unique identifier that the citizen told the clerk;
// binding_message: what both the clerk and the citizen see.
const request = await new SignJWT({ scope: 'openid profile', login_hint: process.argv[3], binding_message: 'Letter 4711' })
  .setProtectedHeader({ alg: 'ES256', kid: privateKey.kid })
  .setIssuer(client_id)
  .setAudience(config.serverMetadata().issuer)
  .setJti(randomUUID())
  .setIssuedAt()
  .setNotBefore('0 seconds')
  .setExpirationTime('5 minutes')
  .sign(privateKey.key)
const asked = await client.initiateBackchannelAuthentication(config, { request })
console.log(`The citizen answers at ${issuer}/account/requests; this one is\n\n  ${asked.auth_req_id}\n`)

const tokens = await client.pollBackchannelAuthenticationGrant(config, asked, undefined, { DPoP })
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, { DPoP })
console.log(JSON.stringify({ token_type: tokens.token_type, claims, userinfo }, null, 2))
