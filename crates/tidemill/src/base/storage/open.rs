//! Storage by URL: a path is a folder of this machine, every other scheme belongs to whoever registered it.

use super::{LocalStorage, StorageRef};
use crate::base::{Error, Result};
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

type Opener = Arc<dyn Fn(&str) -> Result<StorageRef> + Send + Sync>;

static OPENERS: RwLock<BTreeMap<String, Opener>> = RwLock::new(BTreeMap::new());

/// What a crate of ours brings; named to those who forgot it.
const OF_TIDEMILL_STORE: [&str; 9] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "hdfs"];

/// Says who opens the URLs of a scheme in this process, from now on; of two who do, the later one.
///
/// The opener is called by [`open`] with the whole URL, and neither the URL nor its query may appear in errors as they are: see
/// [`redacted`].
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use tidemill::base::storage::{self, MemoryStorage};
/// storage::register("memory", |_url| Ok(Arc::new(MemoryStorage::new())));
/// assert_eq!(storage::open("memory://anything")?.url(), "memory");
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn register(scheme: impl Into<String>, opener: impl Fn(&str) -> Result<StorageRef> + Send + Sync + 'static) {
    let mut openers = OPENERS.write().unwrap_or_else(PoisonError::into_inner);
    openers.insert(scheme.into().to_ascii_lowercase(), Arc::new(opener));
}

/// Opens the storage that a URL names: a path or `file:` URL is a folder of this machine, which is made if need be; other schemes
/// are those that were [registered](register).
///
/// # Errors
/// Invalid for a scheme that nobody registered; what the opener returns.
///
/// # Examples
/// ```
/// use tidemill::base::storage::{self, Put};
/// let folder = tempfile::tempdir()?;
/// let storage = storage::open(&format!("file://{}/kept", folder.path().display()))?;
/// assert_eq!(storage.put_if_absent("a", b"1")?, Put::Stored);
/// assert!(folder.path().join("kept/a").exists());
///
/// let error = storage::open("s3://bucket/kept").unwrap_err();
/// assert!(error.to_string().contains("tidemill_store::register()"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(url: &str) -> Result<StorageRef> {
    if let Some(path) = local_path(url)? {
        return Ok(Arc::new(LocalStorage::create(path)?));
    }
    open_registered(url)
}

/// As [`open`], to look at what is there: a folder of this machine is not made, and nothing is written to try it.
///
/// # Errors
/// Unavailable, naming the folder, if there is none; otherwise as [`open`].
///
/// # Examples
/// ```
/// use tidemill::base::storage;
/// let folder = tempfile::tempdir()?;
/// let missing = folder.path().join("missing");
/// assert!(storage::open_existing(&missing.display().to_string()).is_err());
/// assert!(!missing.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_existing(url: &str) -> Result<StorageRef> {
    match local_path(url)? {
        Some(path) => Ok(Arc::new(LocalStorage::existing(path)?)),
        None => open_registered(url),
    }
}

fn open_registered(url: &str) -> Result<StorageRef> {
    let scheme = scheme(url).unwrap_or_default();
    let opener = OPENERS.read().unwrap_or_else(PoisonError::into_inner).get(&scheme).cloned();
    match opener {
        Some(open) => open(url),
        None => Err(unknown(&scheme, url)),
    }
}

fn unknown(scheme: &str, url: &str) -> Error {
    let url = redacted(url);
    if OF_TIDEMILL_STORE.contains(&scheme) {
        return Error::invalid(format!(
            "nothing in this program opens \"{url}\"; add the crate tidemill-store and call tidemill_store::register() first"
        ));
    }
    let known: Vec<_> = OPENERS.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
    let known = if known.is_empty() { "none so far".into() } else { known.join(", ") };
    Error::invalid(format!(
        "nothing in this program opens \"{url}\"; give a path, or a scheme that is registered with storage::register ({known})"
    ))
}

/// The folder that a path or `file:` URL names; `None` for other schemes.
pub(crate) fn local_path(url: &str) -> Result<Option<PathBuf>> {
    let Some(rest) = url.strip_prefix("file:") else {
        return Ok(scheme(url).is_none().then(|| PathBuf::from(url)));
    };
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").filter(|rest| rest.starts_with('/')).unwrap_or(rest),
        None => rest,
    };
    if path.starts_with('/') {
        return Ok(Some(PathBuf::from(path)));
    }
    Err(Error::invalid(format!("\"{url}\" names no absolute path of this machine; write file:///path")))
}

/// What is before `://`, in lower case.
fn scheme(url: &str) -> Option<String> {
    let (scheme, _) = url.split_once("://")?;
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_scheme = starts && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// A URL as it may appear in messages: no password, no query.
///
/// # Examples
/// ```
/// use tidemill::base::storage::redacted;
/// let url = "s3://me:secret@bucket/folder?aws_secret_access_key=secret#secret";
/// assert_eq!(redacted(url).to_string(), "s3://me:***@bucket/folder?***");
/// assert_eq!(redacted("abfs://folder@account/x").to_string(), "abfs://folder@account/x");
/// ```
pub fn redacted(url: &str) -> impl fmt::Display {
    let (place, hidden) = match url.find(['?', '#']) {
        Some(at) if scheme(url).is_some() => (&url[..at], "?***"),
        _ => (url, ""),
    };
    let Some((scheme, rest)) = place.split_once("://") else { return format!("{place}{hidden}") };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}{hidden}")
}

#[cfg(test)]
mod tests;
