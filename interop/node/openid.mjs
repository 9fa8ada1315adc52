// What every relying party built on openid-client begins and ends with.

import * as client from 'openid-client'

/// Runs with what the command line told, and prints what was seen, or what went wrong.
export async function report(run) {
  try {
    console.log(JSON.stringify(await run(JSON.parse(process.argv[2])), null, 2))
  } catch (error) {
    console.error(explain(error))
    process.exitCode = 1
  }
}

/// `how` has what is not the same for all: the authentication, and the client's metadata.
export async function discover(told, seen, how = {}) {
  const ways = { client_secret_basic: client.ClientSecretBasic, client_secret_jwt: client.ClientSecretJwt }
  const way = ways[told.token_endpoint_auth_method ?? 'client_secret_basic']
  const usual = told.client_secret === undefined ? client.None() : way(told.client_secret)
  const authentication = how.authentication ?? usual
  const config = await client.discovery(new URL(told.issuer), told.client_id, how.metadata, authentication, {
    execute: isHttp(told.issuer) ? [client.allowInsecureRequests] : [],
  })
  seen.issuer = config.serverMetadata().issuer
  expect(seen.issuer === told.issuer, `the issuer is ${seen.issuer}, not ${told.issuer}`)
  seen.steps.push('discovery')
  return config
}

/// A request for a code with PKCE, state and nonce, and what the library checks the answer by.
export async function codeRequest(told) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const request = {
    redirect_uri: told.redirect_uri,
    scope: told.scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }
  return { request, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } }
}

function isHttp(url) {
  return new URL(url).protocol === 'http:'
}

export function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise)
}

export function explain(error) {
  const parts = [error.message]
  if (error.error !== undefined) parts.push(`error=${error.error} ${error.error_description ?? ''}`.trim())
  if (error.cause !== undefined) parts.push(`cause: ${error.cause.message ?? JSON.stringify(error.cause)}`)
  return parts.join('; ')
}
