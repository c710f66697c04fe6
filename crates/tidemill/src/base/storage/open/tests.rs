//! What a URL names.

use super::*;
use crate::{ErrorKind, base::storage::MemoryStorage};

#[test]
fn paths_and_file_urls_are_folders_of_this_machine() {
    let named = |url| local_path(url).unwrap().map(|path| path.display().to_string());
    for (url, path) in [
        ("a/b", "a/b"),
        ("/a/b", "/a/b"),
        ("file:/a", "/a"),
        ("file:///a", "/a"),
        ("file://localhost/a", "/a"),
        ("a:b", "a:b"),
        ("1x://a", "1x://a"),
    ] {
        assert_eq!(named(url).as_deref(), Some(path), "{url}");
    }
    for url in ["s3://bucket/a", "hdfs://host:9000/a", "x+y.z-1://a"] {
        assert_eq!(named(url), None, "{url}");
    }
    for url in ["file:a", "file://a/b", "file://", "file:"] {
        assert_eq!(local_path(url).unwrap_err().kind(), ErrorKind::Invalid, "{url}");
    }
}

#[test]
fn an_unknown_scheme_is_named_without_its_secrets() {
    for scheme in OF_TIDEMILL_STORE {
        let error = open(&format!("{scheme}://u:CANARY@place/x?key=CANARY")).unwrap_err();
        let text = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(text.contains(&format!("{scheme}://u:***@place/x?***")), "{text}");
        assert!(text.contains("tidemill_store::register()") && !text.contains("CANARY"), "{text}");
    }
    let error = open("ftp://a/b#CANARY").unwrap_err().to_string();
    assert!(error.contains("ftp://a/b") && error.contains("storage::register") && !error.contains("CANARY"), "{error}");
}

#[test]
fn a_registered_scheme_is_opened_by_the_latest_who_registered_it() {
    register("Trial-Scheme", |_| Err(Error::unavailable("first")));
    assert_eq!(open("trial-scheme://a").unwrap_err().to_string(), "first");
    register("trial-scheme", |url| {
        assert_eq!(url, "TRIAL-scheme://a?b");
        Ok(Arc::new(MemoryStorage::new()))
    });
    assert_eq!(open("TRIAL-scheme://a?b").unwrap().url(), "memory");
}
