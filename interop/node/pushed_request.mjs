// A relying party built on openid-client that pushes its authorization request (RFC 9126).
//
//   node pushed_request.mjs '{"issuer": …, "client_id": …, "client_secret": …, "redirect_uri": …,
//                             "scope": …, "username": …, "password": …}'
//
// With "token_endpoint_auth_method": "client_secret_jwt" it authenticates by that.

import * as client from 'openid-client'

import { codeRequest, discover, expect, report } from './openid.mjs'
import { Person } from './person.mjs'

await report(run)

async function run(told) {
  const seen = { library: 'openid-client', steps: [] }
  const config = await discover(told, seen)
  const { request, checks } = await codeRequest(told)
  const url = await client.buildAuthorizationUrlWithPAR(config, request)
  const sent = [...url.searchParams.keys()].sort().join(' ')
  expect(sent === 'client_id request_uri', `the browser is sent with ${sent}`)
  seen.steps.push('pushed')
  const walked = await new Person(told.username, told.password).walk(url, told.redirect_uri)
  const tokens = await client.authorizationCodeGrant(config, walked.url, checks)
  seen.sub = tokens.claims().sub
  seen.steps.push('code')
  return seen
}
