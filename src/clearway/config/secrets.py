"""Fetches a secret from where the configuration says that it is.

Nothing else in Clearway reads one. The value goes into a `core.secret.Secret`
at once and never into a message. Used by compose and `clearway doctor`.
"""

from collections.abc import Mapping
from pathlib import Path

from clearway.config.model import SecretSource
from clearway.config.problems import ConfigError, Problem
from clearway.core.secret import Secret

_MAX_FILE_BYTES = 65_536
_SERVICE = "clearway"


def resolve(source: SecretSource, environ: Mapping[str, str], *, setting: str) -> Secret:
    """The secret.

    Args:
        source: Where it is.
        environ: The environment; only the one name that `source` gives is looked at.
        setting: The setting that needs it, for the messages: `upstreams[0].api_key`.

    Raises:
        ConfigError: It is not there, or cannot be one; says what to do.
    """
    if source.env:
        where, value = f"environment {source.env}", _from_environment(source.env, environ, setting)
    elif source.file:
        where, value = source.file, _from_file(Path(source.file), setting)
    elif source.keyring:
        where, value = f"keyring entry {source.keyring}", _from_keyring(source.keyring, setting)
    else:
        raise ConfigError(Problem("", setting, "names no place", 'write { env = "NAME" }'))
    value = value.strip()
    if not value:
        raise ConfigError(Problem(where, setting, "is empty", "put the secret there"))
    if not value.isascii() or not value.isprintable() or " " in value:
        # It could not be sent in a header.
        raise ConfigError(Problem(where, setting, "holds more than one word of printable ASCII"))
    return Secret(value)


def _from_environment(name: str, environ: Mapping[str, str], setting: str) -> str:
    value = environ.get(name)
    if value is None:
        raise ConfigError(Problem(f"environment {name}", setting, "is not set", f"set {name}, or name another place"))
    return value


def _from_file(path: Path, setting: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(Problem(str(path), setting, reason, "write the secret into that file (mode 0600)")) from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(Problem(str(path), setting, "is too large for a secret"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(path), setting, "is not text")) from None


def _from_keyring(entry: str, setting: str) -> str:
    where = f"keyring entry {entry}"
    try:
        import keyring  # noqa: PLC0415  # an optional extra
        import keyring.errors  # noqa: PLC0415
    except ImportError:
        hint = "install it with: pip install 'clearway[keyring]'"
        raise ConfigError(Problem(where, setting, "needs the keyring package", hint)) from None
    try:
        value: str | None = keyring.get_password(_SERVICE, entry)
    except keyring.errors.KeyringError as error:
        message = f"the keyring does not answer: {type(error).__name__}"
        raise ConfigError(Problem(where, setting, message, "unlock it, or use { file = … }")) from error
    if value is None:
        raise ConfigError(Problem(where, setting, "does not exist", f"make it with: keyring set {_SERVICE} {entry}"))
    return value
