## Sign in

login-title = Sign in
login-lead = to continue to { $client }
login-continue = Continue as { $account }
login-other = or use another account
login-identifier = Email or username
login-password = Password
login-remember = Keep me signed in
login-submit = Sign in
login-cancel = Cancel
login-problem-credentials = That username or password isn’t right. Check both and try again.
login-problem-attempts = Too many attempts. Wait a few minutes, then try again.
login-problem-other = Signing in didn’t work. Please try again.

## Consent

consent-title = Allow access?
consent-lead = { $client } would like to use your account.
consent-scopes = If you allow it, the app can
consent-optional = Optional
consent-remember = Don’t ask me again for this app
consent-accept = Allow
consent-deny = Don’t allow
consent-return = Either way, you’ll go back to { $host }.

scope-openid = Confirm who you are
    .detail = The identifier of your account here
scope-profile = See your profile
    .detail = Your name, picture and other basic details
scope-email = See your email address
    .detail = And whether it has been confirmed
scope-address = See your postal address
scope-phone = See your phone number
    .detail = And whether it has been confirmed
scope-offline_access = Keep access when you’re away
    .detail = Until you withdraw it

## Sign out

logout-title = Sign out?
logout-lead = { $client } is asking to sign you out.
logout-accept = Sign out
logout-deny = Stay signed in
logged-out-title = You’re signed out
logged-out-text = You can close this page now.
logged-out-continue-text = Taking you back to the app.
logged-out-continue = Continue
logged-out-stayed-title = You’re still signed in
logged-out-stayed-text = Nothing has changed. You can close this page now.

## Errors

error-title = This request can’t be completed
error-text = The app that sent you here asked for something we can’t do. Go back to it, or pass the details below on to the people who run it.
error-server-title = Something went wrong on our side
error-server-text = Please try again in a little while. If it keeps happening, tell us the request ID below.
error-start-again-title = This page is no longer valid
error-start-again-text = It was open for too long or has already been used. Go back to the app and start again.
error-cookies-title = Please allow cookies
error-cookies-text = Your browser didn’t send the cookie that keeps signing in safe. Allow cookies for this site, then go back to the app and start again.
error-later-title = Please wait a moment
error-later-text = We can’t take your request right now. Wait a few minutes, then try again.
error-code = Code
error-description = Details
error-rule = Rule
error-parameter = Parameter
error-value = Sent
error-request = Request ID

## Going back to the app

form-post-title = One moment…
form-post-text = We’re taking you back to the app.
form-post-noscript = JavaScript is turned off in your browser. Choose “Continue” to go on.
form-post-submit = Continue

## In several places

account-label = Signed in as
client-website = Website
client-policy = Privacy policy
client-terms = Terms of service
link-new-tab = (opens in a new tab)
