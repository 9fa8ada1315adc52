"use strict";
// OpenID Connect Session Management 1.0 §3.2. A message is "client_id session_state"; the answer "unchanged", "changed" or "error".
const name = document.documentElement.dataset.cookie;
const cookie = (name) => document.cookie.split("; ").find((it) => it.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
const browserState = () => {
  const until = cookie(`${name}_until`);
  // A session that has ended by itself is none.
  return until && Date.now() >= until * 1000 ? "" : cookie(name);
};
const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const check = async (origin, data) => {
  const [clientId, sessionState, ...rest] = typeof data === "string" ? data.split(" ") : [];
  const salt = sessionState?.split(".")[1];
  if (!clientId || !salt || rest.length > 0) return "error";
  const text = [clientId, origin, browserState(), salt].join(" ");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return sessionState === `${base64url(digest)}.${salt}` ? "unchanged" : "changed";
};
addEventListener("message", async ({ data, origin, source }) => {
  // A sandboxed page has no origin to be answered at.
  if (source && origin !== "null") source.postMessage(await check(origin, data), origin);
});
