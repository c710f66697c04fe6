//! Object stores: S3 and its like, Google's and Azure's.
//!
//! Nothing is written that is there: every put is conditional. Who is told "exists" may have been the winner himself, whose
//! first answer was lost, and after a conflict there may be nobody who won; so every object carries the name of the attempt that stored it.

use crate::{
    attempt,
    call::{self, TimeLeft},
    settings::{Secrets, Settings},
};
use futures_util::TryStreamExt;
use object_store::{
    Attribute, Attributes, Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, RetryConfig, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder,
    path::Path,
};
use std::{error::Error as _, fmt, future::Future, io, str::FromStr, sync::Arc, time::Duration};
use tidemill::{
    Error, Result,
    base::storage::{Put, Storage, StoredFile},
};

/// Metadata with the name of the attempt; Azure takes only letters.
const ATTEMPT: &str = "tidemillattempt";
const MAX_REQUEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

/// A folder of a bucket.
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    url: String,
    deadline: Duration,
    secrets: Secrets,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Objects {
    pub(crate) fn open(settings: Settings) -> Result<Self> {
        // Whoever installed another one before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secrets = settings.secrets();
        let wrong = |error: StoreError| {
            let error = secrets.removed_from(&chain(&error));
            Error::invalid(format!("\"{}\" cannot be opened: {error}", settings.shown))
        };
        let folder = Path::from_url_path(settings.folder()).map_err(|error| wrong(error.into()))?;
        let store = store(&settings)?.map_err(wrong)?;
        Ok(Self { store, folder, url: settings.shown, deadline: settings.deadline, secrets })
    }

    fn path(&self, name: &str) -> Result<Path> {
        let whole = if name.is_empty() { self.folder.to_string() } else { format!("{}/{name}", self.folder) };
        Path::parse(&whole).map_err(|error| Error::invalid(format!("\"{name}\" cannot be a file's name: {error}")))
    }

    fn call<R: Send + 'static, F>(&self, what: &str, name: &str, call: F) -> Result<R>
    where
        F: Future<Output = object_store::Result<R>> + Send + 'static,
    {
        let named = |error: Error| error.context(format!("cannot {what} \"{}/{name}\"", self.url));
        // The outer result is the deadline's.
        let answer = call::call(self.deadline, async move { Ok(call.await) });
        answer.and_then(|answer| answer.map_err(|error| self.failed(error))).map_err(named)
    }

    fn failed(&self, error: StoreError) -> Error {
        let message = self.secrets.removed_from(&chain(&error));
        match &error {
            StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => Error::invalid(message),
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                Error::unavailable(message).with_source(io::Error::from(io::ErrorKind::PermissionDenied))
            }
            StoreError::NotFound { .. } => {
                Error::unavailable(message).with_source(io::Error::from(io::ErrorKind::NotFound))
            }
            _ => Error::unavailable(message),
        }
    }
}

/// The store that the scheme stands for, with what the environment, the options, and the query say.
fn store(settings: &Settings) -> Result<object_store::Result<Arc<dyn ObjectStore>>> {
    macro_rules! build {
        ($builder:ty) => {{
            let builder = <$builder>::from_env().with_url(settings.url.as_str()).with_retry(retries(settings.deadline));
            let configured =
                all(settings)?.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value));
            Ok(configured.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>))
        }};
    }
    match settings.url.scheme() {
        "s3" | "s3a" => build!(AmazonS3Builder),
        "gs" => build!(GoogleCloudStorageBuilder),
        _ => build!(MicrosoftAzureBuilder),
    }
}

/// Our own limits first, so that the user's settings win.
fn all<K: FromStr>(settings: &Settings) -> Result<Vec<(K, String)>> {
    let known = |name: &str| name.to_ascii_lowercase().parse().ok();
    let limits = [("timeout", settings.deadline.min(MAX_REQUEST)), ("connect_timeout", CONNECT)];
    let limits =
        limits.into_iter().filter_map(|(name, limit)| Some((known(name)?, format!("{} ms", limit.as_millis()))));
    Ok(limits.chain(settings.known(known)?).collect())
}

/// With jitter, and over before our own deadline is.
fn retries(deadline: Duration) -> RetryConfig {
    RetryConfig { max_retries: 8, retry_timeout: deadline / 2, ..RetryConfig::default() }
}

/// What is at a name after an answer that does not tell.
enum Found {
    Ours,
    Foreign,
    Nothing,
}

async fn look(store: &dyn ObjectStore, path: &Path, attempt: &str) -> object_store::Result<Found> {
    match store.get_opts(path, GetOptions::new().with_head(true)).await {
        Ok(found) => {
            let stored_by = found.attributes.get(&Attribute::Metadata(ATTEMPT.into()));
            Ok(if stored_by.is_some_and(|by| by.as_ref() == attempt) { Found::Ours } else { Found::Foreign })
        }
        Err(StoreError::NotFound { .. }) => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

/// Puts until it is known what became of it.
async fn put(
    store: Arc<dyn ObjectStore>,
    path: Path,
    payload: PutPayload,
    time_left: TimeLeft,
) -> object_store::Result<Put> {
    let attempt = attempt::unique();
    loop {
        let attributes = Attributes::from_iter([(Attribute::Metadata(ATTEMPT.into()), attempt.clone())]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let unclear = match store.put_opts(&path, payload.clone(), options).await {
            Ok(_) => return Ok(Put::Stored),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => error,
        };
        let unclear = match look(store.as_ref(), &path, &attempt).await {
            Ok(Found::Ours) => return Ok(Put::Stored),
            Ok(Found::Foreign) => return Ok(Put::Exists),
            // A conflict that nobody won, or a request that never arrived.
            Ok(Found::Nothing) => unclear,
            Err(error) => error,
        };
        if time_left.is_over() {
            return Err(unclear);
        }
        tracing::debug!(%path, "a put whose outcome was unclear is tried again");
        tokio::time::sleep(pause()).await;
    }
}

/// Whether the store said no, and nothing was stored.
fn is_final(error: &StoreError) -> bool {
    use StoreError::{
        InvalidPath, NotFound, NotImplemented, NotSupported, PermissionDenied, Unauthenticated, UnknownConfigurationKey,
    };
    matches!(
        error,
        InvalidPath { .. }
            | NotFound { .. }
            | NotImplemented { .. }
            | NotSupported { .. }
            | PermissionDenied { .. }
            | Unauthenticated { .. }
            | UnknownConfigurationKey { .. }
    )
}

/// With jitter, so that those who met once do not meet again.
fn pause() -> Duration {
    let jitter = attempt::unique().bytes().fold(0u64, |sum, byte| (sum * 31 + u64::from(byte)) % 300);
    Duration::from_millis(50 + jitter)
}

/// The error and its causes in one line, as far as they say something new.
fn chain(error: &StoreError) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        source = error.source();
    }
    said
}

impl Storage for Objects {
    fn url(&self) -> &str {
        &self.url
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let (store, path) = (self.store.clone(), self.path(name)?);
        let payload = PutPayload::from(bytes.to_vec());
        self.call("store", name, put(store, path, payload, TimeLeft::of(self.deadline * 9 / 10)))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let (store, path) = (self.store.clone(), self.path(name)?);
        self.call("read", name, async move {
            match store.get(&path).await {
                Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        let (store, path) = (self.store.clone(), self.path(prefix)?);
        let listed = self.call("list", prefix, async move { store.list(Some(&path)).try_collect::<Vec<_>>().await })?;
        let root = if self.folder.as_ref().is_empty() { String::new() } else { format!("{}/", self.folder) };
        let files = listed.into_iter().filter_map(|object| {
            let name = object.location.as_ref().strip_prefix(&root)?.to_owned();
            Some(StoredFile { name, bytes: object.size })
        });
        let mut files: Vec<_> = files.collect();
        files.sort();
        Ok(files)
    }

    fn delete(&self, name: &str) -> Result<()> {
        let (store, path) = (self.store.clone(), self.path(name)?);
        self.call("delete", name, async move {
            match store.delete(&path).await {
                Err(StoreError::NotFound { .. }) => Ok(()),
                result => result,
            }
        })
    }
}
