"""Test how the script finds out who is signed in, where the save itself does not say it."""

from __future__ import annotations

import pytest

from tests.engines.case_table import Case, Row, check
from tests.engines.visit import Visit

_USER: tuple[Row, ...] = ({"user_email": "USER", "transaction_id": "T-1"},)
_NOBODY: tuple[Row, ...] = ()


def _signed_in(before: str, **more: str) -> Case:
    """Return a case whose page pays after these statements, and names nobody."""
    return Case("await pay();", _USER, before, **more)  # type: ignore[arg-type]


SUPABASE = {
    "cookie in chunks": _signed_in("""
        chunked('sb-abcd-auth-token', 'base64-' + base64Url(supabase(USER)))"""),
    "cookie in chunks, the second one first": _signed_in("""
        const value = 'base64-' + base64Url(supabase(USER));
        cookie('sb-abcd-auth-token.1', value.slice(3180));
        cookie('sb-abcd-auth-token.0', value.slice(0, 3180))"""),
    "cookie in eleven chunks": _signed_in("""
        const value = 'base64-' + base64Url(supabase(USER));
        chunked('sb-abcd-auth-token', value, Math.ceil(value.length / 11))"""),
    "cookie in one piece": _signed_in("""
        const { user, ...session } = supabase(USER);
        const short = { ...session, user: { id: 'u', email: USER } };
        cookie('sb-abcd-auth-token', 'base64-' + base64Url(short))"""),
    "cookie with JSON": _signed_in("""
        const session = { access_token: 'a.b.c', user: { id: 'u', email: USER } };
        cookie('sb-abcd-auth-token', encodeURIComponent(JSON.stringify(session)))"""),
    "cookie with JSON in chunks": _signed_in("""
        const value = encodeURIComponent(JSON.stringify(supabase(USER)));
        chunked('sb-abcd-auth-token', value)"""),
    "cookie with the array of tokens of the auth helpers": _signed_in("""
        const { access_token: token } = supabase(USER);
        const tokens = [token, 'secret-refresh-token', null, null, null];
        cookie('sb-abcd-auth-token', encodeURIComponent(JSON.stringify(tokens)))"""),
    "localStorage": _signed_in("local('sb-abcd-auth-token', supabase(USER))"),
    "localStorage, of version 1": _signed_in("""
        const currentSession = supabase(USER);
        const { expires_at: expiresAt } = currentSession;
        local('supabase.auth.token', { currentSession, expiresAt })"""),
    "an expired session first": _signed_in("""
        local('sb-aaaa-auth-token', supabase(OTHER, -86400));
        local('sb-zzzz-auth-token', supabase(USER))"""),
    "an expired session last": _signed_in("""
        local('sb-aaaa-auth-token', supabase(USER));
        local('sb-zzzz-auth-token', supabase(OTHER, -86400))"""),
    "an expired session in localStorage, a valid one in a cookie": _signed_in("""
        local('sb-aaaa-auth-token', supabase(OTHER, -60));
        chunked('sb-zzzz-auth-token', 'base64-' + base64Url(supabase(USER)))"""),
}

LIBRARIES = {
    "zustand": _signed_in("""
        const user = { id: 'u', email: USER, name: 'Example User' };
        local('auth-storage', { state: { user, token: 'secret-token' }, version: 0 })"""),
    "zustand in sessionStorage": _signed_in("""
        temporary('auth-storage', { state: { user: { email: USER } }, version: 3 })"""),
    "zustand, with the session's user": _signed_in("""
        const session = { access_token: 'secret-token', user: { id: 'u', email: USER } };
        local('auth-storage', { state: { session, isLoading: false }, version: 0 })"""),
    "Firebase": _signed_in("""
        local('firebase:authUser:AIzaSyA-abc_123:[DEFAULT]', {
          uid: 'Kq3xY', email: USER, emailVerified: true, displayName: 'Example User',
          isAnonymous: false, providerData: [{ providerId: 'password', uid: USER, email: USER }],
          stsTokenManager: { refreshToken: 'secret-token', accessToken: 'a.b.c' },
          apiKey: 'AIzaSyA-abc_123', appName: '[DEFAULT]',
        })"""),
    "Firebase in sessionStorage, of a named app": _signed_in("""
        temporary('firebase:authUser:AIzaSyA:shop', { uid: 'Kq3xY', email: USER })"""),
    "Auth0": _signed_in("""
        const user = { name: 'Example User', email: USER, sub: 'auth0|abc' };
        local('@@auth0spajs@@::c1i3nt::@@user@@', {
          id_token: jwt({ email: USER, sub: 'auth0|abc' }),
          decodedToken: { encoded: {}, header: { alg: 'RS256' }, claims: { ...user }, user },
        })"""),
    "Auth0 of older versions": _signed_in("""
        const user = { name: 'Example User', email: USER, sub: 'auth0|abc' };
        local('@@auth0spajs@@::c1i3nt::default::openid profile email', {
          body: {
            access_token: 'secret-token', scope: 'openid profile email', client_id: 'c1i3nt',
            decodedToken: { header: { alg: 'RS256' }, claims: { ...user }, user },
          },
          expiresAt: inSeconds(3600),
        })"""),
    "Clerk": _signed_in("""
        const primaryEmailAddress = { id: 'idn_1', emailAddress: USER };
        window.Clerk = { user: { id: 'user_2abc', fullName: 'Example User', primaryEmailAddress } }
        """),
    "NextAuth": _signed_in(
        "",
        html="""<script id="__NEXT_DATA__" type="application/json">{"props": {"pageProps": {
            "session": {"user": {"name": "Example User", "email": "USER_EMAIL"},
            "expires": "2099-01-01T00:00:00.000Z"}}}, "page": "/", "query": {}}</script>
            <script>__NEXT_DATA__ = JSON.parse(document.scripts.__NEXT_DATA__.text)</script>""",
    ),
}

_KEYS = ("user", "auth", "session", "profile", "currentUser", "userInfo", "current_user")

KEYS = {
    **{
        f"{key} in {area}Storage": _signed_in(
            f"{area}Storage.setItem('{key}', JSON.stringify({{ id: 7, email: USER, name: 'N' }}))"
        )
        for key in _KEYS
        for area in ("local", "session")
        if (key, area) != ("current_user", "session")
    },
    "auth with a user": _signed_in("""
        local('auth', { isAuthenticated: true, token: 'secret-token', user: { email: USER } })"""),
    "session with a user": _signed_in("""
        local('session', { user: { email: USER }, expires: '2099-01-01T00:00:00.000Z' })"""),
    "JSON string": _signed_in("local('user', JSON.stringify(USER))"),
    "JSON string under current_user": _signed_in("local('current_user', JSON.stringify(USER))"),
    "bare address": _signed_in("local('user', USER)"),
    "address in another case, with spaces": _signed_in("local('user', ` ${USER.toUpperCase()} `)"),
    "sign-in after the page has loaded": Case(
        "await wait(300); local('user', { email: USER }); await pay();", _USER
    ),
    "sign-in after the save": Case("await pay(); await wait(300); local('user', USER);", _USER),
}

NOBODY = {
    name: Case(f"{steps}; await pay();", _NOBODY, attributes=attributes)
    for name, (steps, attributes) in {
        "store after a sign-out": (
            "local('auth-storage', { state: { user: null }, version: 0 })", ""),
        "words under the usual keys": (
            "local('user', 'true'); local('auth', '1'); local('profile', 'dark')", ""),
        "session of an analytics tool": (
            "local('session', { id: 'abc', started: Date.now(), page: 'a@b' })", ""),
        "broken JSON": ("local('user', '{\"email\": \"' + USER); local('auth', '[')", ""),
        "placeholder": ("local('user', { email: 'unknown@example.com' })", ""),
        "address that a page made up": ("local('user', { email: 'user_1795950058949@x.com' })", ""),
        "placeholder of the site": (
            "local('user', { email: GUEST })", 'data-placeholders="/^guest/"'),
        "placeholders of the site": (
            "local('user', { email: GUEST })",
            'data-placeholders="nobody@example.com /^guest-.*@example/ x@example.com"'),
        "verifier of a sign-in that is not over": (
            "cookie('sb-abcd-auth-token-code-verifier', 'base64-' + base64Url(USER))", ""),
        "cookie that is no base64": ("cookie('sb-abcd-auth-token', 'base64-%%%')", ""),
        "cookie without its first chunk": (
            "cookie('sb-abcd-auth-token.1', base64Url(supabase(USER)).slice(3180))", ""),
    }.items()
}  # fmt: skip

# Each page saves once while the user is signed in, and once after the sign-out.
SIGNED_OUT = {
    f"signed out: {name}": Case(
        f"{signs_in}; await pay(); await wait(1500); {signs_out}; await wait(1500);"
        " await pay({ transaction_id: number(2), plan_name: 'Elite', final_price: 99 });",
        _USER,
    )
    for name, (signs_in, signs_out) in {
        "current_user, with a copy": (
            "local('current_user', { email: USER }); local('user_data', { email: USER })",
            "localStorage.removeItem('current_user')"),
        "Supabase, with a copy under user": (
            "local('sb-abcd-auth-token', supabase(USER)); local('user', { email: USER })",
            "localStorage.removeItem('sb-abcd-auth-token')"),
        "Supabase's cookie, with a profile": (
            "cookie('sb-a-auth-token.0', 'base64-' + base64Url({ user: { email: USER } }));"
            "local('profile', { email: USER })",
            "removeCookie('sb-a-auth-token.0')"),
        "zustand": (
            "local('auth-storage', { state: { user: { email: USER } }, version: 0 })",
            "local('auth-storage', { state: { user: null }, version: 0 })"),
        "zustand, with a copy": (
            "local('auth-storage', { state: { user: { email: USER } }, version: 0 });"
            "temporary('userData', { email: USER })",
            "local('auth-storage', { state: { user: null }, version: 0 })"),
        "Firebase, with a copy": (
            "local('firebase:authUser:k:[DEFAULT]', { email: USER });"
            "local('userInfo', { email: USER })",
            "localStorage.removeItem('firebase:authUser:k:[DEFAULT]')"),
        "Clerk": ("window.Clerk = { user: { primaryEmailAddress: { emailAddress: USER } } }",
                  "window.Clerk.user = null"),
        "everything cleared": ("local('user', { email: USER })", "localStorage.clear()"),
    }.items()
}  # fmt: skip

SITES_OWN = {
    "key": ("local('shop-member', { email: USER })", "shop-member"),
    "key with a bare address": ("local('shop-member', USER)", "shop-member"),
    "key in sessionStorage": ("temporary('shop.member', { user: { email: USER } })", "shop.member"),
    "cookie": ("cookie('member', encodeURIComponent(USER))", "member"),
    "cookie with JSON": (
        "cookie('member', encodeURIComponent(JSON.stringify({ id: 7, email: USER })))", "member"),
    "path of a global": ("window.app = { state: { me: { email: USER } } }", "app.state.me"),
    "path of an address": ("window.app = { me: { login: USER } }", "app.me.login"),
    "global": ("window.me = { email: USER }", "me"),
    "global, besides the copy of another user": (
        "local('user_data', { email: OTHER }); window.app = { me: { email: USER } }", "app.me"),
}  # fmt: skip


SITES_OWN_PLACES = {
    f"data-person: {name}": _signed_in(before, attributes=f'data-person="{place}"')
    for name, (before, place) in SITES_OWN.items()
}


@pytest.mark.quick
@pytest.mark.slow
def test_payment_belongs_to_whom_the_page_keeps_as_signed_in_and_else_waits(visit: Visit) -> None:
    known = {**SUPABASE, **LIBRARIES, **KEYS, **SITES_OWN_PLACES}
    check(visit, known, NOBODY, SIGNED_OUT)
    assert not [sent for sent in visit.proxy.received_bytes if b"secret-" in sent]
