//! HDFS. A name there exists from its creation on, before its content does; so a file is written under a name that nobody
//! looks at, made durable, and renamed, which fails where the name is taken.

use crate::{
    attempt,
    call::{self, TimeLeft},
    settings::{Secrets, Settings},
};
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use std::{
    collections::BTreeSet,
    fmt, io,
    sync::Arc,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tidemill::{
    Clock, Error, Result, SystemClock,
    base::storage::{Put, Storage, StoredFile},
};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Where files are written before they have their names. Never listed: it starts with a dot.
const INCOMPLETE: &str = ".incomplete";
/// What is older was left by a process that died: no call takes nearly as long.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);
const PAUSE: Duration = Duration::from_millis(200);

type HdfsResult<T> = std::result::Result<T, HdfsError>;

/// A folder of HDFS.
pub(crate) struct Hdfs {
    tree: Arc<Tree>,
    url: String,
    deadline: Duration,
    secrets: Secrets,
}

impl fmt::Debug for Hdfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hdfs").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Hdfs {
    pub(crate) fn open(settings: Settings) -> Result<Self> {
        let secrets = settings.secrets();
        let (hadoop, ours): (Vec<_>, Vec<_>) = settings
            .known(|name| (name == "user" || name.contains('.')).then(|| name.to_owned()))?
            .into_iter()
            .partition(|(name, _)| name.contains('.'));
        let mut url = settings.url.clone();
        url.set_path("");
        let mut builder =
            ClientBuilder::new().with_url(url.as_str()).with_config(hadoop).with_io_runtime(call::runtime()?);
        if let Some((_, user)) = ours.into_iter().next_back() {
            builder = builder.with_user(user);
        }
        let wrong = |error: HdfsError| {
            let error = secrets.removed_from(&first_line(&error));
            Error::invalid(format!("\"{}\" cannot be opened: {error}", settings.shown))
        };
        let client = builder.build().map_err(wrong)?;
        let root = format!("/{}", settings.folder());
        let tree = Tree { client, root, made: Mutex::default(), swept: AtomicBool::new(false) };
        Ok(Self { tree: Arc::new(tree), url: settings.shown, deadline: settings.deadline, secrets })
    }

    fn call<R: Send + 'static, F>(&self, what: &str, name: &str, call: impl FnOnce(Arc<Tree>) -> F) -> Result<R>
    where
        F: Future<Output = HdfsResult<R>> + Send + 'static,
    {
        let future = call(self.tree.clone());
        let answer = call::call(self.deadline, async move { Ok(future.await) });
        let answer = answer.and_then(|answer| answer.map_err(|error| self.failed(&error)));
        answer.map_err(|error| error.context(format!("cannot {what} \"{}/{name}\"", self.url)))
    }

    fn failed(&self, error: &HdfsError) -> Error {
        let message = self.secrets.removed_from(&first_line(error));
        let is_denied = matches!(error, HdfsError::RPCError(class, _) if class.ends_with("AccessControlException"));
        let failed = Error::unavailable(message);
        if is_denied { failed.with_source(io::Error::from(io::ErrorKind::PermissionDenied)) } else { failed }
    }
}

/// What a NameNode says goes on with its stack.
fn first_line(error: &HdfsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The client finds some of it out itself, and hands on what the NameNode says of the rest.
fn is_absent(error: &HdfsError) -> bool {
    match error {
        HdfsError::FileNotFound(_) => true,
        HdfsError::RPCError(class, _) => class == "java.io.FileNotFoundException",
        _ => false,
    }
}

/// The client and what is below the root.
struct Tree {
    client: Client,
    root: String,
    /// Folders that are known to be there.
    made: Mutex<BTreeSet<String>>,
    swept: AtomicBool,
}

impl Tree {
    fn path(&self, name: &str) -> String {
        let root = self.root.trim_end_matches('/');
        if name.is_empty() { self.root.clone() } else { format!("{root}/{name}") }
    }

    /// Makes the folders of a file one by one: those that HDFS makes itself on the way have the mode of their parent.
    async fn make_folders_of(&self, name: &str) -> HdfsResult<()> {
        let ends = name.match_indices('/').map(|(at, _)| &name[..at]);
        for folder in std::iter::once("").chain(ends) {
            if self.made().contains(folder) {
                continue;
            }
            let path = self.path(folder);
            // One that was there keeps its mode.
            if !self.exists(&path).await? {
                self.client.mkdirs(&path, FOLDER_MODE, true).await?;
            }
            self.made().insert(folder.to_owned());
        }
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exists(&self, path: &str) -> HdfsResult<bool> {
        match self.client.get_file_info(path).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, path: &str, bytes: Vec<u8>) -> HdfsResult<()> {
        let options = WriteOptions::default().permission(FILE_MODE).create_parent(false);
        let mut writer = self.client.create(path, options).await?;
        if !bytes.is_empty() {
            writer.write_bytes(bytes.into()).await?;
            // On the disks of the DataNodes, not only in their memory.
            match writer.hsync().await {
                Err(HdfsError::OperationFailed(why)) if why.contains("erasure") => {
                    tracing::debug!(path, "an erasure-coded file cannot be synced, it is only closed");
                }
                synced => synced?,
            }
        }
        writer.close().await
    }

    async fn put(&self, name: &str, bytes: Vec<u8>, time_left: TimeLeft) -> HdfsResult<Put> {
        let target = self.path(name);
        if self.exists(&target).await? {
            return Ok(Put::Exists);
        }
        let temporary_name = format!("{INCOMPLETE}/{}", attempt::unique());
        let temporary = self.path(&temporary_name);
        self.make_folders_of(name).await?;
        self.make_folders_of(&temporary_name).await?;
        self.sweep().await;
        let written = self.write(&temporary, bytes).await;
        let put = match written {
            Ok(()) => self.publish(&temporary, &target, time_left).await,
            Err(error) => Err(error),
        };
        if put.is_err() {
            self.made().clear();
            let _ = self.client.delete(&temporary, false).await;
        }
        put
    }

    /// Gives the file its name. Only this takes it away from where it is; so where it is no longer, it has its name, whatever was answered.
    async fn publish(&self, temporary: &str, target: &str, time_left: TimeLeft) -> HdfsResult<Put> {
        loop {
            let unclear = match self.client.rename(temporary, target, false).await {
                Ok(()) => return Ok(Put::Stored),
                Err(HdfsError::AlreadyExists(_)) => {
                    let was_there = self.client.delete(temporary, false).await?;
                    return Ok(if was_there { Put::Exists } else { Put::Stored });
                }
                Err(error) => error,
            };
            match self.exists(temporary).await {
                Ok(false) if self.exists(target).await? => return Ok(Put::Stored),
                Ok(false) => return Err(unclear),
                _ if time_left.is_over() => return Err(unclear),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Deletes what processes that died left half written, once and as far as it can.
    async fn sweep(&self) {
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let oldest = SystemClock::new().now().as_ms().saturating_sub(LEFT_OVER.as_millis() as u64);
        for left in self.client.list_status(&self.path(INCOMPLETE), false).await.unwrap_or_default() {
            if left.modification_time < oldest {
                let _ = self.client.delete(&left.path, false).await;
            }
        }
    }

    async fn get(&self, name: &str) -> HdfsResult<Option<Vec<u8>>> {
        match self.client.read(&self.path(name)).await {
            Ok(mut reader) => {
                let bytes = reader.read_bytes(reader.remaining()).await?;
                Ok(Some(bytes.to_vec()))
            }
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self, prefix: &str) -> HdfsResult<Vec<StoredFile>> {
        let listed = match self.client.list_status(&self.path(prefix), true).await {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            listed => listed?,
        };
        let root = self.path("");
        let files = listed.into_iter().filter(|file| !file.isdir).filter_map(|file| {
            let name = file.path.strip_prefix(&root)?.trim_start_matches('/').to_owned();
            let is_hidden = name.split('/').any(|part| part.starts_with('.'));
            (!is_hidden && name != prefix).then_some(StoredFile { name, bytes: file.length as u64 })
        });
        let mut files: Vec<_> = files.collect();
        files.sort();
        Ok(files)
    }
}

impl Storage for Hdfs {
    fn url(&self) -> &str {
        &self.url
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put> {
        let (owned_name, bytes, time_left) = (name.to_owned(), bytes.to_vec(), TimeLeft::of(self.deadline * 9 / 10));
        self.call("store", name, |tree| async move { tree.put(&owned_name, bytes, time_left).await })
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let owned_name = name.to_owned();
        self.call("read", name, |tree| async move { tree.get(&owned_name).await })
    }

    fn list(&self, prefix: &str) -> Result<Vec<StoredFile>> {
        let owned_prefix = prefix.to_owned();
        self.call("list", prefix, |tree| async move { tree.list(&owned_prefix).await })
    }

    fn delete(&self, name: &str) -> Result<()> {
        let path = self.tree.path(name);
        self.call("delete", name, |tree| async move { tree.client.delete(&path, false).await.map(drop) })
    }
}
