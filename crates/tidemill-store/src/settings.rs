//! What a URL, its query and the options say.

use crate::Options;
use std::{env, time::Duration};
use tidemill::{Error, Result, base::storage::redacted};
use url::Url;

const DEADLINE: &str = "deadline_seconds";
const DEFAULT_DEADLINE: Duration = Duration::from_secs(60);

/// All that is needed to open a storage. Not `Debug`: it holds keys.
pub(crate) struct Settings {
    /// Without its query.
    pub(crate) url: Url,
    /// The URL for messages.
    pub(crate) shown: String,
    /// How long one call may take.
    pub(crate) deadline: Duration,
    /// For all storages of the program: what another kind of storage reads may be among them.
    options: Options,
    /// For this storage alone.
    query: Options,
}

impl Settings {
    pub(crate) fn of(url: &str, options: &Options) -> Result<Self> {
        let bare = url.split(['?', '#']).next().unwrap_or(url);
        let shown = redacted(bare).to_string();
        let wrong = |what: &str| Error::invalid(format!("\"{shown}\" {what}; write scheme://place/folder"));
        let mut parsed = Url::parse(url).map_err(|_| wrong("is no URL"))?;
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no place"));
        }
        if parsed.password().is_some() {
            return Err(wrong("has a password in it, which belongs into the environment or the options"));
        }
        let mut query: Options =
            parsed.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        let given = query.remove(DEADLINE).or_else(|| options.get(DEADLINE).cloned());
        let deadline = given.map_or(Ok(DEFAULT_DEADLINE), |seconds| duration(&shown, &seconds))?;
        parsed.set_query(None);
        parsed.set_fragment(None);
        Ok(Self { url: parsed, shown, deadline, options: options.clone(), query })
    }

    /// The settings that `known` knows, the stronger ones last.
    ///
    /// # Errors
    /// Invalid for one in the query that it does not know.
    pub(crate) fn known<K>(&self, known: impl Fn(&str) -> Option<K>) -> Result<Vec<(K, String)>> {
        let general = self.options.iter().filter_map(|(name, value)| Some((known(name)?, value.clone())));
        let mut all: Vec<_> = general.collect();
        for (name, value) in &self.query {
            let unknown =
                || Error::invalid(format!("\"{name}\" in the query of \"{}\" is no setting of it", self.shown));
            all.push((known(name).ok_or_else(unknown)?, value.clone()));
        }
        Ok(all)
    }

    /// What must not be shown, as far as it was given here or in the environment.
    pub(crate) fn secrets(&self) -> Secrets {
        let clouds = ["AWS_", "GOOGLE_", "AZURE_"];
        let environment =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let environment = environment.filter(|(name, _)| clouds.iter().any(|cloud| name.starts_with(cloud)));
        let given = self.options.iter().chain(&self.query).map(|(name, value)| (name.clone(), value.clone()));
        let secret = environment.chain(given).filter(|(name, value)| is_secret(name) && value.len() >= 4);
        Secrets(secret.map(|(_, value)| value).collect())
    }

    /// The path below the place, without slashes at its ends.
    pub(crate) fn folder(&self) -> &str {
        self.url.path().trim_matches('/')
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "secret", "token", "sas", "password", "credential", "service_account"]
        .iter()
        .any(|part| name.contains(part))
}

/// What must not be shown.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// The text without secrets, and without the queries of URLs, which may be signed.
    pub(crate) fn removed_from(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            shown = shown.replace(secret, "***");
        }
        let words = shown.split(' ').map(|word| match (word.find("://"), word.find('?')) {
            (Some(scheme), Some(query)) if scheme < query => format!("{}?***", &word[..query]),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn duration(shown: &str, seconds: &str) -> Result<Duration> {
    let parsed = seconds.parse().ok().filter(|seconds| *seconds > 0.0).map(Duration::try_from_secs_f64);
    parsed.and_then(std::result::Result::ok).ok_or_else(|| {
        Error::invalid(format!("{DEADLINE} of \"{shown}\" is \"{seconds}\"; give a number of seconds above 0"))
    })
}
