//! No secret is in what a storage shows of itself.

use crate::s3_server::{Condition, S3Server, url};
use tidemill_store::{Options, open, open_with};

/// Everything in which a secret could be.
fn shown(url: &str, options: &Options) -> String {
    match open_with(url, options) {
        Err(error) => format!("{error} {error:?}"),
        Ok(storage) => {
            let error = storage.put_if_absent("a", b"1").unwrap_err();
            let other = storage.get("a").map(drop);
            format!("{} {storage:?} {error} {error:?} {other:?}", storage.url())
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let server = S3Server::start(Condition::Kept);
    let here = server.address;
    let dead = "endpoint=http://127.0.0.1:9&allow_http=true&deadline_seconds=0.5";
    let (none, azure) = (Options::new(), "YWNjb3VudA-CANARY==");
    let options: Options =
        [("azure_storage_account_key".into(), azure.into()), ("account_name".into(), "name".into())].into();
    for (url, options) in [
        (url(here, "x").replace("secret-key", "wrong-secret"), &none),
        (format!("s3://b/x?access_key_id=CANARY&secret_access_key=CANARY&region=eu&{dead}"), &none),
        (format!("s3://b/x?session_token=CANARY&access_key_id=CANARY&secret_access_key=CANARY&{dead}"), &none),
        ("s3://u:CANARY@b/x".into(), &none),
        ("s3://b/x?allow_http=maybe&secret_access_key=CANARY".into(), &none),
        ("s3://b/x?no_such_setting=CANARY".into(), &none),
        ("gs://b/x?service_account_key={CANARY}".into(), &none),
        (format!("az://c/x?{dead}"), &options),
        (format!("az://c/x?account_name=n&sas_token=sv=1%26sig=CANARY&{dead}"), &none),
        ("hdfs://127.0.0.1:9/x?user=me&deadline_seconds=0.5&dfs.password=CANARY".into(), &none),
    ] {
        let shown = shown(&url, options);
        assert!(!shown.contains("CANARY"), "{}: {shown}", url.split('?').next().unwrap());
    }
}

#[test]
fn what_is_no_setting_is_named() {
    let error = open("s3://b/x?regoin=eu").unwrap_err().to_string();
    assert!(error.contains("\"regoin\"") && error.contains("\"s3://b/x\""), "{error}");
    for url in ["ftp://b/x", "s3:///x", "s3://b?deadline_seconds=soon", "no url"] {
        assert_eq!(open(url).unwrap_err().kind(), tidemill::ErrorKind::Invalid, "{url}");
    }
    assert_eq!(
        open("abfss://container@account.dfs.core.windows.net/a/").unwrap().url(),
        "abfss://container@account.dfs.core.windows.net/a/"
    );
}
