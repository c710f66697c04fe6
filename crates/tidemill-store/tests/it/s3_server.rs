//! A server that speaks S3, on a port of its own: `s3s` has the protocol and the signatures, `s3s-fs` the folder behind it.
//!
//! `s3s-fs` looks whether an object is there and writes it later; between the two another may come. So puts pass one by one
//! here, as if the server were atomic. [`Condition::Ignored`] drops the condition, as some servers do.

use s3s::{
    S3, S3Request, S3Response, S3Result,
    auth::SimpleAuth,
    dto::{
        CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
        ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    },
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use std::{fs, net::SocketAddr, sync::Arc};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::Mutex};

pub(crate) const KEY: &str = "CANARY-key-id";
pub(crate) const SECRET: &str = "CANARY-secret-key";
pub(crate) const BUCKET: &str = "bucket";

/// What the server makes of `If-None-Match`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Condition {
    Kept,
    Ignored,
}

pub(crate) struct S3Server {
    pub(crate) address: SocketAddr,
    // Dropped first: the server ends with it.
    _runtime: Runtime,
    _folder: TempDir,
}

impl S3Server {
    pub(crate) fn start(condition: Condition) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let inner = FileSystem::new(folder.path()).unwrap();
        let mut builder = S3ServiceBuilder::new(OneByOne { inner, condition, puts: Arc::default() });
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("s3-server")
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::task::spawn(async move {
                    let io = hyper_util::rt::TokioIo::new(socket);
                    let connection = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                    let _ = connection.serve_connection(io, service).await;
                });
            }
        });
        Self { address, _runtime: runtime, _folder: folder }
    }
}

/// The URL of a folder in the bucket, behind `address`.
pub(crate) fn url(address: SocketAddr, folder: &str) -> String {
    format!(
        "s3://{BUCKET}/{folder}?endpoint=http://{address}&allow_http=true&region=eu&access_key_id={KEY}&secret_access_key={SECRET}&deadline_seconds=20"
    )
}

struct OneByOne {
    inner: FileSystem,
    condition: Condition,
    puts: Arc<Mutex<()>>,
}

#[async_trait::async_trait]
impl S3 for OneByOne {
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let _one = if self.condition == Condition::Kept { Some(self.puts.lock().await) } else { None };
        if self.condition == Condition::Ignored {
            request.input.if_none_match = None;
        }
        self.inner.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.inner.get_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.inner.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.inner.list_objects_v2(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.inner.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.inner.delete_objects(request).await
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.inner.create_bucket(request).await
    }
}
