//! Checkpoints in object stores and HDFS: what tidemill's [`storage::open`] needs for `s3://`, `gs://`, `az://`, `hdfs://` and their like.
//!
//! Register once, then a checkpoint may be a URL:
//!
//! ```no_run
//! use tidemill::{StreamingContext, seconds};
//! tidemill_store::register();
//! let ssc = StreamingContext::local(2, seconds(1))?;
//! ssc.checkpoint("s3://bucket/checkpoints/program?region=eu-central-1")?;
//! # Ok::<(), tidemill::Error>(())
//! ```
//!
//! Settings are, the later the stronger: the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`, for HDFS `HADOOP_CONF_DIR` and
//! `HADOOP_USER_NAME`), the options of [`open_with`] or [`register_with`], the URL's query. Their names are those of `object_store`
//! (`region`, `endpoint`, `allow_http`, `access_key_id`, ...) or Hadoop's (`dfs.client.socket-timeout`, ...), and one of our own:
//! `deadline_seconds`, how long one call may take in all, its retries among it (60).
//!
//! Keys belong into the environment. Wherever they are, no message, URL or `Debug` of ours shows them.

mod attempt;
mod call;
mod hdfs;
mod objects;
mod settings;

use settings::Settings;
use std::{collections::BTreeMap, sync::Arc};
use tidemill::{
    Error, Result,
    base::storage::{self, StorageRef},
};

/// The schemes of [`register`].
const OBJECT_STORES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];
const HDFS: &str = "hdfs";

/// Settings by name, as an URL's query has them.
pub type Options = BTreeMap<String, String>;

/// From now on, [`storage::open`] and so `StreamingContext::checkpoint` take the URLs of object stores and HDFS.
///
/// # Examples
/// ```
/// tidemill_store::register();
/// // Nobody is asked before it is used.
/// let storage = tidemill::base::storage::open("s3://bucket/kept?region=eu-central-1&access_key_id=me&secret_access_key=secret")?;
/// assert_eq!(storage.url(), "s3://bucket/kept");
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn register() {
    register_with(Options::new());
}

/// As [`register`], with settings for all URLs.
///
/// # Examples
/// ```
/// tidemill_store::register_with([("deadline_seconds".into(), "20".into())].into());
/// ```
pub fn register_with(options: Options) {
    let options = Arc::new(options);
    for scheme in OBJECT_STORES.into_iter().chain([HDFS]) {
        let options = options.clone();
        storage::register(scheme, move |url| open_with(url, &options));
    }
}

/// Opens one storage, registered or not.
///
/// # Errors
/// Invalid if the URL or its settings are wrong. That the place can be reached is only found out when it is used.
///
/// # Examples
/// ```
/// let storage = tidemill_store::open("hdfs://namenode:9000/kept?dfs.client.socket-timeout=10000")?;
/// assert_eq!(storage.url(), "hdfs://namenode:9000/kept");
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn open(url: &str) -> Result<StorageRef> {
    open_with(url, &Options::new())
}

/// As [`open`], with settings that are weaker than the URL's query and stronger than the environment.
///
/// # Errors
/// As [`open`].
///
/// # Examples
/// ```
/// let options = [("region".into(), "eu-central-1".into()), ("skip_signature".into(), "true".into())].into();
/// assert_eq!(tidemill_store::open_with("s3://bucket", &options)?.url(), "s3://bucket");
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn open_with(url: &str, options: &Options) -> Result<StorageRef> {
    let settings = Settings::of(url, options)?;
    match settings.url.scheme() {
        HDFS => Ok(Arc::new(hdfs::Hdfs::open(settings)?)),
        scheme if OBJECT_STORES.contains(&scheme) => Ok(Arc::new(objects::Objects::open(settings)?)),
        scheme => Err(Error::invalid(format!(
            "\"{scheme}\" of \"{}\" is no scheme of tidemill-store; it knows {} and {HDFS}",
            settings.shown,
            OBJECT_STORES.join(", ")
        ))),
    }
}
