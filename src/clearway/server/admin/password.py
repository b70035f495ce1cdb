"""The password that signs in: whether there is one, set, removed.

What `clearway password` does, over HTTP. Owns no rule: keys/password says what is one,
the ledger ends the sessions. Used by server/admin/routes.
"""

from clearway.server.admin.answers import PasswordAnswer
from clearway.server.admin.asks import NewPassword
from clearway.server.admin.failures import Refused
from clearway.server.admin.parts import Asked, Parts, Told, expect
from clearway.server.admin.sign_in import ONE_AT_A_TIME, signed_out


def tell(parts: Parts, asked: Asked) -> PasswordAnswer:  # noqa: ARG001  # the form of handlers
    """Whether there is one."""
    return PasswordAnswer(is_set=parts.desk.password() is not None)


def change(parts: Parts, asked: Asked) -> Told:
    """Set it. The session that asks ends, too: the next one begins with the new password."""
    wanted = expect(asked.body, NewPassword).password
    try:
        from clearway.keys.password import PasswordError, encode  # noqa: PLC0415  # an extra (`password`)
    except ImportError:
        hint = "install it where the gateway runs: pip install 'clearway[password]'; links sign in without"
        raise Refused("not_installed", "passwords need argon2-cffi, which is not installed", hint=hint) from None
    try:
        with ONE_AT_A_TIME:
            encoded = encode(wanted)
    except PasswordError as error:
        raise Refused("invalid_value", f"password: {error}") from error
    parts.ledger.set_password(encoded, by=asked.visitor.actor)
    return _over(parts, asked)


def remove(parts: Parts, asked: Asked) -> Told:
    """Remove it, if there is one."""
    if parts.ledger.set_password(None, by=asked.visitor.actor):
        return _over(parts, asked)
    return Told(None)


def _over(parts: Parts, asked: Asked) -> Told:
    return Told(None) if asked.visitor.session is None else signed_out(parts)
