// node-oidc-provider with the clients of the bench: state in memory or in PostgreSQL. Its own adapter in memory keeps a
// thousand entries, and loses sessions and tokens under load; ours keeps more and does less for each.
// One JSON line comes in on standard input: {port, issuer, postgres, clients, jwks}. "ready" goes out.
// Whoever comes to sign in is signed in and has consented at once: what is measured is the protocol.
import { createInterface } from "node:readline";
import { once } from "node:events";
import pg from "pg";
import { Provider } from "oidc-provider";

const [line] = await once(createInterface({ input: process.stdin }), "line");
const job = JSON.parse(line);

const grantable = new Set(["AccessToken", "AuthorizationCode", "RefreshToken", "DeviceCode", "BackchannelAuthenticationRequest"]);

function adapterIn(pool) {
  return class PostgresAdapter {
    constructor(type) { this.type = type; }
    async upsert(id, payload, expiresIn) {
      await pool.query({
        name: "upsert",
        text: `INSERT INTO peer.state (type, id, payload, grant_id, uid, expires_at)
               VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
               ON CONFLICT (type, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        values: [this.type, id, payload, grantable.has(this.type) ? payload.grantId : null, payload.uid ?? null, expiresIn ?? 3600],
      });
    }
    async find(id) {
      const { rows } = await pool.query({
        name: "find",
        text: `SELECT payload, consumed_at FROM peer.state WHERE type = $1 AND id = $2 AND expires_at > now()`,
        values: [this.type, id],
      });
      return answer(rows[0]);
    }
    async findByUid(uid) {
      const { rows } = await pool.query({
        name: "find-by-uid",
        text: `SELECT payload, consumed_at FROM peer.state WHERE type = $1 AND uid = $2 AND expires_at > now()`,
        values: [this.type, uid],
      });
      return answer(rows[0]);
    }
    async findByUserCode() { return undefined; }
    async consume(id) {
      await pool.query({
        name: "consume",
        text: `UPDATE peer.state SET consumed_at = now() WHERE type = $1 AND id = $2`,
        values: [this.type, id],
      });
    }
    async destroy(id) {
      await pool.query({ name: "destroy", text: `DELETE FROM peer.state WHERE type = $1 AND id = $2`, values: [this.type, id] });
    }
    async revokeByGrantId(grantId) {
      await pool.query({ name: "revoke", text: `DELETE FROM peer.state WHERE grant_id = $1`, values: [grantId] });
    }
  };
}

const ENTRIES_MAX = 500_000;

function adapterInMemory() {
  const entries = new Map(), sessions = new Map(), grants = new Map();
  const put = (map, key, value) => {
    map.set(key, value);
    if (map.size > ENTRIES_MAX) map.delete(map.keys().next().value);
  };
  const live = (key) => {
    const entry = entries.get(key);
    if (entry === undefined || entry.expiresAt > Date.now()) return entry;
    entries.delete(key);
    return undefined;
  };
  return class MemoryAdapter {
    constructor(type) { this.type = type; }
    key(id) { return `${this.type}:${id}`; }
    async upsert(id, payload, expiresIn) {
      const key = this.key(id);
      put(entries, key, { payload, expiresAt: Date.now() + (expiresIn ?? 3600) * 1000 });
      if (this.type === "Session") put(sessions, payload.uid, id);
      if (grantable.has(this.type) && payload.grantId) {
        const members = grants.get(payload.grantId);
        if (members) members.push(key);
        else put(grants, payload.grantId, [key]);
      }
    }
    async find(id) { return live(this.key(id))?.payload; }
    async findByUid(uid) { return this.find(sessions.get(uid)); }
    async findByUserCode() { return undefined; }
    async consume(id) {
      const entry = live(this.key(id));
      if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
    }
    async destroy(id) { entries.delete(this.key(id)); }
    async revokeByGrantId(grantId) {
      for (const key of grants.get(grantId) ?? []) entries.delete(key);
      grants.delete(grantId);
    }
  };
}

function answer(row) {
  return row && { ...row.payload, ...(row.consumed_at ? { consumed: Math.floor(row.consumed_at / 1000) } : undefined) };
}

let adapter = adapterInMemory();
if (job.postgres) {
  const pool = new pg.Pool({ ...job.postgres, max: 10 });
  await pool.query(`CREATE SCHEMA IF NOT EXISTS peer`);
  await pool.query(`CREATE TABLE IF NOT EXISTS peer.state (
    type text, id text, payload jsonb NOT NULL, grant_id text, uid text, expires_at timestamptz NOT NULL,
    consumed_at timestamptz, PRIMARY KEY (type, id))`);
  await pool.query(`CREATE INDEX IF NOT EXISTS state_uid ON peer.state (type, uid)`);
  await pool.query(`CREATE INDEX IF NOT EXISTS state_grant ON peer.state (grant_id)`);
  adapter = adapterIn(pool);
}

const provider = new Provider(job.issuer, {
  adapter,
  clients: job.clients,
  jwks: job.jwks,
  cookies: { keys: ["bench"] },
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"], clientAuthSigningAlgValues: ["ES256"], dPoPSigningAlgValues: ["ES256"] },
  scopes: ["openid", "offline_access", "profile"],
  claims: { openid: ["sub"], profile: ["name", "given_name", "family_name", "birthdate", "gender"] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    dPoP: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
  },
  responseTypes: ["code"],
  ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, RefreshToken: 86400, Session: 43200, Grant: 86400, ClientCredentials: 300, Interaction: 600 },
  // As we do with confidential clients (RFC 9700 §4.14.2), and as it does by itself.
  rotateRefreshToken: false,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
  findAccount: async (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: "Amina El Alaoui", given_name: "Amina", family_name: "El Alaoui", birthdate: "1990-03-14", gender: "female" }),
  }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
});
provider.proxy = true;

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
  const result = {};
  const accountId = session?.accountId ?? `citizen-${ctx.query.n ?? Math.random()}`;
  if (prompt.name === "login") result.login = { accountId };
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope("openid profile offline_access");
  result.consent = { grantId: await grant.save() };
  const to = await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  ctx.status = 303;
  ctx.redirect(to);
  ctx.status = 303;
});

const server = provider.listen(job.port, "127.0.0.1");
await once(server, "listening");
console.log("ready");
