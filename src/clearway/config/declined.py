"""Settings of other tools that ask for what Clearway declines, and why.

Design, section 2 (the lines that it does not cross). A setting that merely does
not exist gets a suggestion instead (config/convert).
"""

_DISGUISE = (
    "Clearway never pretends to be another client: it adds no other product's prompt, strips no "
    "fingerprint and hides no word"
)
_LOGIN = (
    "Clearway never signs in with another product's client id, and never stores, reads or refreshes a "
    "token that another program owns; let the client send its own login through an upstream of kind "
    '"passthrough", or use an API key with kind "anthropic"'
)
_POOL = (
    "a personal subscription serves its owner alone: Clearway pools and rotates none; give everybody a "
    "key on an upstream with an API key instead"
)
_VERIFY = (
    "Clearway never turns TLS verification off; name the authority that signed the certificate in the "
    'upstream\'s "ca" instead'
)
_WRITTEN_DOWN = 'secrets are not written in the configuration; say where it is: api_key = { env = "NAME" }'

_REASONS = {
    _DISGUISE: (
        "cloak cloaking disguise fingerprint fake_user_agent impersonate masquerade obfuscate obfuscation "
        "sensitive_words spoof spoofing stealth inject_system_prompt claude_code_prompt user_agent"
    ),
    _LOGIN: (
        "access_token client_id client_secret claude_login credentials_file login oauth oauth2 oauth_client_id "
        "oauth_client_secret oauth_token redirect_uri refresh_token session_key session_token setup_token"
    ),
    _POOL: "account_pool account_rotation accounts auth_dir load_balance_accounts oauth_accounts subscriptions",
    _VERIFY: (
        "disable_ssl_verify disable_tls_verify insecure insecure_skip_verify no_verify skip_tls_verify "
        "ssl_verify tls_verify verify verify_ssl verify_tls"
    ),
    _WRITTEN_DOWN: "key keys master_key password secret token",
}
_BY_NAME = {name: reason for reason, names in _REASONS.items() for name in names.split()}


def why_declined(name: str) -> str | None:
    """Why there is no setting of that name on purpose; None where it is only unknown."""
    return _BY_NAME.get(name.lower().replace("-", "_"))
