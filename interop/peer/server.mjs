// The provider that benchmarks compare with: `node server.mjs PORT KEYS.json`, where KEYS.json is a private
// JWKS with a key for each of ES256, EdDSA and RS256. Prints `ready` once it accepts requests.

import { readFileSync } from 'node:fs';
import Provider, { errors } from 'oidc-provider';

const [port, keys] = process.argv.slice(2);
const SECRET = 'cs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

// What the maker's own in-memory store does, without its two limits: that one holds 1000 records and forgets
// live ones beyond them, and at each token it walks through all the tokens of that token's grant, so that ten
// thousand refreshes one after the other cost more and more each, and at some hundred thousand it fails.
const records = new Map();
const grants = new Map();
const sessions = new Map();

class Store {
    #model;

    constructor(model) {
        this.#model = model;
    }

    async upsert(id, payload, expiresIn) {
        const key = `${this.#model}:${id}`;
        records.set(key, { payload, until: Date.now() + expiresIn * 1000 });
        if (this.#model === 'Session') sessions.set(payload.uid, id);
        if (payload.grantId === undefined) return;
        const members = grants.get(payload.grantId);
        if (members === undefined) grants.set(payload.grantId, new Set([key]));
        else members.add(key);
    }

    async find(id) {
        const record = records.get(`${this.#model}:${id}`);
        if (record === undefined || record.until > Date.now()) return record?.payload;
        await this.destroy(id);
        return undefined;
    }

    async findByUid(uid) {
        return this.find(sessions.get(uid));
    }

    async consume(id) {
        records.get(`${this.#model}:${id}`).payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id) {
        const key = `${this.#model}:${id}`;
        const payload = records.get(key)?.payload;
        records.delete(key);
        if (sessions.get(payload?.uid) === id) sessions.delete(payload.uid);
        const members = grants.get(payload?.grantId);
        if (members?.delete(key) && members.size === 0) grants.delete(payload.grantId);
    }

    async revokeByGrantId(grantId) {
        for (const key of grants.get(grantId) ?? []) records.delete(key);
        grants.delete(grantId);
    }
}

// Which algorithm signs the access tokens for a resource; without a resource they are opaque.
const resources = new Map(
    ['ES256', 'EdDSA', 'RS256'].map((alg) => [
        `https://api.example/${alg.toLowerCase()}`,
        { scope: 'api', accessTokenTTL: 15 * MINUTE, accessTokenFormat: 'jwt', jwt: { sign: { alg } } },
    ]),
);

const off = { enabled: false };

const configuration = {
    adapter: Store,
    jwks: JSON.parse(readFileSync(keys, 'utf8')),
    clients: [
        {
            client_id: 'svc',
            client_secret: SECRET,
            token_endpoint_auth_method: 'client_secret_basic',
            grant_types: ['client_credentials'],
            response_types: [],
            redirect_uris: [],
            scope: 'api',
        },
        {
            client_id: 'web',
            client_secret: SECRET,
            token_endpoint_auth_method: 'client_secret_basic',
            grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'],
            redirect_uris: ['https://app.example/cb'],
            id_token_signed_response_alg: 'ES256',
            scope: 'openid offline_access profile',
        },
    ],
    clientAuthMethods: ['client_secret_basic'],
    responseTypes: ['code'],
    scopes: ['openid', 'offline_access', 'profile', 'api'],
    cookies: { keys: ['a key that signs the cookies of a benchmark'] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    ttl: {
        AccessToken: 15 * MINUTE,
        AuthorizationCode: MINUTE,
        ClientCredentials: 15 * MINUTE,
        Grant: 30 * DAY,
        IdToken: 60 * MINUTE,
        Interaction: 60 * MINUTE,
        RefreshToken: 30 * DAY,
        Session: 14 * DAY,
    },
    features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: true },
        introspection: {
            enabled: true,
            allowedPolicy: (ctx, client, token) =>
                client.clientId === 'svc' || client.clientId === token.clientId,
        },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo(ctx, resource) {
                if (!resources.has(resource)) throw new errors.InvalidTarget();
                return resources.get(resource);
            },
        },
        dPoP: off,
        pushedAuthorizationRequests: off,
        rpInitiatedLogout: off,
        userinfo: off,
    },
};

// The constructor warns of the interactions being for development only, which is known.
const { warn } = console;
console.warn = () => {};
const provider = new Provider(`http://127.0.0.1:${port}`, configuration);
console.warn = warn;

provider.on('server_error', (ctx, error) => console.error(error));
const server = provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
// A driver may pause between two operations without losing its connections.
server.keepAliveTimeout = 60_000;
