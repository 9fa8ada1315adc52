"""A relying party built on Authlib, which is not ours, against a real provider.

    python relying_party.py '{"issuer": …, "client_id": …, "client_secret": …, "redirect_uri": …,
                              "scope": …, "username": …, "password": …, "post_logout_redirect_uri": …}'

Prints one JSON object of what was seen and ends with 0; anything wrong goes to standard error, and it
ends with 1. Without a client_secret the client is public. Nothing listens at the redirect URIs: the walk
ends when the provider redirects there.
"""

import json
import os
import secrets
import sys
import warnings
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from authlib.deprecate import AuthlibDeprecationWarning

# Authlib's own remark on which HTTP library it prefers; standard error is for failures.
warnings.simplefilter("ignore", AuthlibDeprecationWarning)

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from person import Person

LEEWAY_SECONDS = 10


class RelyingParty:
    """One client of one provider, and what it has seen."""

    def __init__(self, told: dict) -> None:
        self.told = told
        self.seen: dict = {"library": "Authlib", "steps": []}
        self.person = Person(told["username"], told["password"])
        self.is_confidential = told.get("client_secret") is not None

    def run(self) -> dict:
        """Everything, in order."""
        self.discover()
        tokens = self.authorize()
        self.userinfo()
        current = self.refresh(tokens)
        self.introspect(current)
        self.revoke(current)
        self.logout(tokens)
        return self.seen

    def discover(self) -> None:
        """The endpoints come from the provider's metadata and from nowhere else."""
        issuer = self.told["issuer"]
        answer = httpx.get(get_well_known_url(issuer, external=True))
        answer.raise_for_status()
        self.metadata = answer.json()
        expect(self.metadata["issuer"] == issuer, f"the issuer is {self.metadata['issuer']}, not {issuer}")
        if urlsplit(issuer).scheme == "http":
            os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"
        self.client = OAuth2Client(
            client_id=self.told["client_id"],
            client_secret=self.told.get("client_secret"),
            token_endpoint_auth_method="client_secret_basic" if self.is_confidential else "none",
            redirect_uri=self.told["redirect_uri"],
            code_challenge_method="S256",
            token_endpoint=self.metadata["token_endpoint"],
        )
        self.seen["issuer"] = issuer
        self.done("discovery")

    def authorize(self) -> dict:
        """Authorization code with PKCE, state and nonce."""
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        extra = {"nonce": nonce, "scope": self.told["scope"]}
        # OpenID Connect Core §11: offline access needs consent to be asked for.
        if "offline_access" in self.told["scope"].split():
            extra["prompt"] = "consent"
        url, state = self.client.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, **extra
        )
        end, pages = self.person.walk(url, self.told["redirect_uri"])
        self.seen["pages"] = pages
        self.done(*pages, "authorization")

        self.check_issuer_of(end)
        tokens = dict(
            self.client.fetch_token(
                self.metadata["token_endpoint"],
                authorization_response=end,
                state=state,
                code_verifier=verifier,
            )
        )
        claims = self.check_id_token(tokens, nonce)
        self.seen["id_token"] = dict(claims)
        self.seen["sub"] = claims["sub"]
        self.seen["scope"] = tokens.get("scope", self.told["scope"])
        self.seen["at_hash_present"] = "at_hash" in claims
        self.done("code")
        return tokens

    def check_issuer_of(self, response_url: str) -> None:
        """RFC 9207 and errors of the response: Authlib's client leaves both to us."""
        answer = parse_qs(urlsplit(response_url).query)
        if "error" in answer:
            raise RuntimeError(f"{answer['error'][0]}: {answer.get('error_description', [''])[0]}")
        promised = self.metadata.get("authorization_response_iss_parameter_supported", False)
        expect("iss" in answer or not promised, "the authorization response has no iss")
        expect(
            answer.get("iss", [self.metadata["issuer"]]) == [self.metadata["issuer"]],
            "the authorization response names another issuer",
        )

    def check_id_token(self, tokens: dict, nonce: str) -> CodeIDToken:
        """The library checks signature, iss, aud, azp, exp, nonce and at_hash."""
        keys = httpx.get(self.metadata["jwks_uri"])
        keys.raise_for_status()
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        decoded = jwt.decode(
            tokens["id_token"],
            KeySet.import_key_set(keys.json()),
            registry=JWSRegistry(algorithms=algorithms, strict_check_header=False),
        )
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self.metadata["issuer"]},
                "aud": {"essential": True, "value": self.told["client_id"]},
            },
            {
                "nonce": nonce,
                "client_id": self.told["client_id"],
                "access_token": tokens["access_token"],
            },
        )
        claims.validate(leeway=LEEWAY_SECONDS)
        return claims

    def userinfo(self) -> None:
        """About the same person as the ID token (OpenID Connect Core §5.3.2)."""
        answer = self.client.get(self.metadata["userinfo_endpoint"])
        answer.raise_for_status()
        self.seen["userinfo"] = answer.json()
        expect(self.seen["userinfo"]["sub"] == self.seen["sub"], "userinfo is about somebody else")
        self.done("userinfo")

    def refresh(self, tokens: dict) -> dict:
        """New tokens from a refresh token, if there is one."""
        if "refresh_token" not in tokens:
            asked = "offline_access" in self.told["scope"].split()
            expect(not asked, "offline_access was asked for and accepted, but no refresh token came")
            return tokens
        renewed = dict(
            self.client.refresh_token(
                self.metadata["token_endpoint"], refresh_token=tokens["refresh_token"]
            )
        )
        expect(
            renewed["access_token"] != tokens["access_token"],
            "the refreshed access token is the old one",
        )
        self.seen["refresh_token_rotated"] = renewed["refresh_token"] != tokens["refresh_token"]
        self.done("refresh")
        return renewed

    def introspect(self, tokens: dict) -> None:
        """A public client cannot authenticate, so RFC 7662 §2.1 gives it no introspection."""
        if not self.is_confidential:
            return
        answer = self.introspection(tokens["access_token"])
        expect(answer["active"] is True, "a fresh access token is said to be inactive")
        expect(answer.get("sub", self.seen["sub"]) == self.seen["sub"], "introspection names another subject")
        self.seen["introspection"] = answer
        self.done("introspection")

    def revoke(self, tokens: dict) -> None:
        """What is revoked is inactive at once, and refreshes nothing."""
        for kind in ("access_token", "refresh_token"):
            if kind not in tokens:
                continue
            answer = self.client.revoke_token(
                self.metadata["revocation_endpoint"], token=tokens[kind], token_type_hint=kind
            )
            answer.raise_for_status()
            if self.is_confidential:
                still = self.introspection(tokens[kind])["active"]
                expect(still is False, f"the revoked {kind} is still active")
        if "refresh_token" in tokens:
            self.must_not_refresh(tokens["refresh_token"])
        self.done("revocation")
        if self.is_confidential:
            self.done("inactive")

    def must_not_refresh(self, token: str) -> None:
        """The right refusal is invalid_grant."""
        try:
            self.client.refresh_token(self.metadata["token_endpoint"], refresh_token=token)
        except OAuthError as refusal:
            expect(refusal.error == "invalid_grant", f"a revoked refresh token answers {refusal}")
            return
        raise RuntimeError("a revoked refresh token was accepted")

    def introspection(self, token: str) -> dict:
        """What the provider says about a token."""
        answer = self.client.introspect_token(self.metadata["introspection_endpoint"], token=token)
        answer.raise_for_status()
        return answer.json()

    def logout(self, tokens: dict) -> None:
        """RP-initiated logout, with the hint and back to us."""
        end = self.told.get("post_logout_redirect_uri")
        if end is None:
            return
        state = secrets.token_urlsafe(16)
        query = urlencode(
            {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": end, "state": state}
        )
        url, pages = self.person.walk(f"{self.metadata['end_session_endpoint']}?{query}", end)
        expect(parse_qs(urlsplit(url).query).get("state") == [state], "state did not come back from the logout")
        self.seen["pages"] += pages
        self.done("logout")

    def done(self, *steps: str) -> None:
        """Notes what was completed."""
        self.seen["steps"] += steps


def expect(holds: bool, otherwise: str) -> None:
    """Ends with that sentence unless the condition holds."""
    if not holds:
        raise RuntimeError(otherwise)


def main() -> int:
    """The exit status."""
    try:
        seen = RelyingParty(json.loads(sys.argv[1])).run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller needs one line and status 1
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(seen, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
