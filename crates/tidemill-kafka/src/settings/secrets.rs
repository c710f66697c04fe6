//! Which values are secrets, and texts without them.

use std::{borrow::Cow, collections::BTreeMap};

const HIDDEN: &str = "(redacted)";

/// A key whose name holds one of these has a secret value.
const TELLTALES: &[&str] =
    &["password", "secret", "token", "credential", "passphrase", "jaas", ".pem", "private", "assertion", "keytab"];

/// Of the keys of SASL, those with values that anybody may see; what is in the others is not known to be harmless.
const HARMLESS: &[&str] = &["sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.oauthbearer.method"];

/// Shorter texts are too common to be taken out of messages.
const LEAST_BYTES: usize = 4;

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    if HARMLESS.contains(&key.as_str()) {
        return false;
    }
    key.starts_with("sasl.") || TELLTALES.iter().any(|telltale| key.contains(telltale))
}

/// The value of `key` as a person may see it.
pub(super) fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if is_secret(key) { HIDDEN } else { value }
}

/// The values that must not be shown. Not `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of(properties: &BTreeMap<String, String>) -> Self {
        let values = properties.iter().filter(|(key, _)| is_secret(key)).map(|(_, value)| value);
        // A key in PEM has several lines, each of them a part of the secret.
        let parts = values.flat_map(|value| std::iter::once(value.as_str()).chain(value.lines()));
        let parts = parts.map(str::trim).filter(|part| part.len() >= LEAST_BYTES && !part.starts_with("-----"));
        let mut parts: Vec<_> = parts.map(str::to_owned).collect();
        // One may be a part of another.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.dedup();
        Self(parts)
    }

    /// The text with each of them hidden.
    pub(crate) fn removed_from<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(secret) { Cow::Owned(text.replace(secret, HIDDEN)) } else { text }
        })
    }
}
