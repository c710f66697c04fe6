//! Which values are secrets, and what is shown in their place.

use std::borrow::Cow;

const HIDDEN: &str = "(redacted)";

/// A key whose name holds one of these has a secret value. Spark's own list, and the words it forgot.
const TELLTALES: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "accesskey",
    "access.key",
    "access_key",
    "apikey",
    "api.key",
    "api_key",
    "private.key",
    "privatekey",
    "credential",
    "jaas",
    "key.pem",
    "kafka.sasl.oauthbearer.config",
];

/// The value as a person may see it.
pub(super) fn shown<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    let key = key.to_ascii_lowercase();
    if TELLTALES.iter().any(|telltale| key.contains(telltale)) {
        return Cow::Borrowed(HIDDEN);
    }
    without_url_password(value)
}

/// Hides the password of the first `scheme://user:password@host`.
fn without_url_password(value: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = value.split_once("://") else { return Cow::Borrowed(value) };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else { return Cow::Borrowed(value) };
    let Some(colon) = rest[..at].find(':') else { return Cow::Borrowed(value) };
    Cow::Owned(format!("{scheme}://{}:{HIDDEN}{}", &rest[..colon], &rest[at..]))
}
