//! What the environment may say.

use super::super::{ClusterConfig, Secret};
use crate::base::{ErrorKind, Result};

fn parse(variables: &[(&str, &str)]) -> Result<Option<ClusterConfig>> {
    ClusterConfig::from_vars(|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_string())
    })
}

#[test]
fn no_variables_mean_no_cluster() {
    assert!(parse(&[]).unwrap().is_none());
    assert!(parse(&[("TIDEMILL_PROCESSES", ""), ("TIDEMILL_WORKERS", "2")]).unwrap().is_none());
}

#[test]
fn all_variables_are_read() {
    let config = parse(&[
        ("TIDEMILL_PROCESSES", "one.example:4001, [::1]:4002"),
        ("TIDEMILL_PROCESS_INDEX", "1"),
        ("TIDEMILL_CLUSTER_SECRET", "0123456789abcdef"),
        ("TIDEMILL_CLUSTER_ID", "blue"),
        ("TIDEMILL_WORKERS", "3"),
    ])
    .unwrap()
    .unwrap();
    assert_eq!(config.addresses(), ["one.example:4001", "[::1]:4002"]);
    assert_eq!((config.index(), config.address(), config.workers()), (1, "[::1]:4002", 3));
    assert_eq!(config.id(), "blue");
    assert!(!format!("{config:?}").contains("0123456789"));
}

#[test]
fn what_is_written_is_read_back() {
    let config = ClusterConfig::loopback(vec!["localhost:1".into(), "localhost:2".into()], 0).unwrap();
    let config = config.with_secret(Secret::new("0123456789abcdef")).unwrap().with_workers(2).unwrap();
    let variables = config.with_id("blue").unwrap().to_vars(1).unwrap();
    let read = ClusterConfig::from_vars(|name| variables.iter().find(|v| v.0 == name).map(|v| v.1.clone()));
    let read = read.unwrap().unwrap();
    assert_eq!((read.id(), read.index(), read.workers()), ("blue", 1, 2));
    assert!(read.secret().matches(&Secret::new("0123456789abcdef")));
}

#[test]
fn mistakes_are_named() {
    let two = ("TIDEMILL_PROCESSES", "127.0.0.1:1,127.0.0.1:2");
    let zero = ("TIDEMILL_PROCESS_INDEX", "0");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[two], "TIDEMILL_PROCESS_INDEX is not"),
        (&[zero], "TIDEMILL_PROCESSES is not"),
        (&[("TIDEMILL_CLUSTER_SECRET", "s")], "TIDEMILL_PROCESSES is not"),
        (&[("TIDEMILL_CLUSTER_ID", "s")], "TIDEMILL_PROCESSES is not"),
        (&[two, ("TIDEMILL_PROCESS_INDEX", "2")], "\"2\" but TIDEMILL_PROCESSES names 2 processes; use 0 to 1"),
        (&[two, ("TIDEMILL_PROCESS_INDEX", "-1")], "\"-1\"; set it to a whole number"),
        (&[two, zero, ("TIDEMILL_WORKERS", "0")], "at least 1 worker"),
        (&[two, zero, ("TIDEMILL_CLUSTER_SECRET", "short")], "has 5 bytes"),
        (&[("TIDEMILL_PROCESSES", "localhost:1,127.0.0.1"), zero], "\"127.0.0.1\" in TIDEMILL_PROCESSES"),
        (&[("TIDEMILL_PROCESSES", "localhost:1,:2"), zero], "\":2\""),
        (&[("TIDEMILL_PROCESSES", "localhost:1,127.0.0.1:0"), zero], "\"127.0.0.1:0\""),
        (&[("TIDEMILL_PROCESSES", "localhost:1,localhost:1"), zero], "twice"),
        (
            &[("TIDEMILL_PROCESSES", "localhost:1,10.0.0.2:1"), zero],
            "\"10.0.0.2:1\" in TIDEMILL_PROCESSES is not a loop",
        ),
    ];
    for (variables, expected) in cases {
        let error = parse(variables).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(expected), "{variables:?}: {error}");
    }
}

#[test]
fn a_secret_is_compared_and_never_shown() {
    let secret = Secret::new("0123456789abcdef");
    assert!(secret.matches(&secret.clone()));
    for other in ["0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", ""] {
        assert!(!secret.matches(&Secret::new(other)), "{other}");
    }
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}
