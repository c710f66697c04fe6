//! Tables and properties of the configuration.

use super::*;
use crate::{ErrorKind, milliseconds, seconds};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn times_are_read_as_spark_reads_them() {
    let ms = |value: &str| Duration::parse(value, Unit::Milliseconds);
    let table = [
        ("200ms", Some(200_000)),
        ("200", Some(200_000)),
        ("10s", Some(10_000_000)),
        ("1min", Some(60_000_000)),
        ("2m", Some(120_000_000)),
        ("1h", Some(3_600_000_000)),
        ("1D", Some(86_400_000_000)),
        ("500us", Some(500)),
        ("0", Some(0)),
        ("-1s", None),
        ("1.5s", None),
        ("1 s", None),
        ("s", None),
        ("", None),
        ("1week", None),
        ("999999999999999999d", None),
        ("99999999999999999999999", None),
    ];
    for (value, expected_us) in table {
        assert_eq!(ms(value), expected_us.map(Duration::from_micros), "{value}");
    }
    assert_eq!(Duration::parse("60", Unit::Seconds), Some(seconds(60)));
    assert_eq!(Duration::parse("60ms", Unit::Seconds), Some(milliseconds(60)));
}

#[test]
fn sizes_are_powers_of_1024() {
    let table = [
        ("7", Some(7)),
        ("7b", Some(7)),
        ("64k", Some(65_536)),
        ("64kb", Some(65_536)),
        ("64KiB", Some(65_536)),
        ("16m", Some(16 << 20)),
        ("1g", Some(1 << 30)),
        ("2TiB", Some(2 << 40)),
        ("1p", Some(1 << 50)),
        ("1.5g", None),
        ("-1", None),
        ("k", None),
        ("99999999p", None),
    ];
    for (value, expected) in table {
        assert_eq!(u64::parse(value, Unit::Bytes), expected, "{value}");
    }
    assert_eq!(u64::parse("64k", Unit::Count), None, "a count has no suffix");
}

#[test]
fn masters() {
    let master = |value: &str| Master::parse(value, Unit::Text).map(|master| master.to_string());
    let table = [
        ("local", Some("local[1]")),
        ("local[3]", Some("local[3]")),
        ("local[*]", Some("local[*]")),
        ("local[3,2]", Some("local[3,2]")),
        ("local[*, 5]", Some("local[*,5]")),
        ("local[0]", None),
        ("local[]", None),
        ("local[2", None),
        ("local[2,0]", None),
        ("spark://host:7077", None),
        ("yarn", None),
        ("local-cluster[2,1,1024]", None),
    ];
    for (value, expected) in table {
        assert_eq!(master(value).as_deref(), expected, "{value}");
    }
}

#[test]
fn every_key_is_named_once_has_a_meaning_and_a_default_that_it_accepts() {
    let mut names = BTreeSet::new();
    for key in keys::TABLE {
        for name in std::iter::once(key.name()).chain(key.aliases().iter().copied()) {
            assert!(names.insert(name), "{name} is in the table twice");
            assert!(inert::find(name).is_none(), "{name} is said to have no effect");
        }
        assert!(key.doc().ends_with('.'), "{} has no sentence", key.name());
        let (default, is_value) = key.default_words();
        assert!(!is_value || key.check(key.name(), default).is_ok(), "{} = {default}", key.name());
    }
    for row in inert::TABLE {
        assert!(names.insert(row.name), "{} is in the table twice", row.name);
    }
}

/// All rows of section 7.1 of the surface: nothing that Spark Streaming reads is unknown here.
#[test]
fn every_key_of_spark_streaming_is_known() {
    let rest = "backpressure.enabled backpressure.initialRate backpressure.rateEstimator backpressure.pid.proportional \
        backpressure.pid.integral backpressure.pid.derived backpressure.pid.minRate receiver.maxRate \
        receiver.writeAheadLog.enable receiver.writeAheadLog.class receiver.writeAheadLog.rollingIntervalSecs \
        receiver.writeAheadLog.maxFailures receiver.writeAheadLog.closeFileAfterWrite receiver.blockStoreTimeout \
        receiverRestartDelay driver.writeAheadLog.class driver.writeAheadLog.rollingIntervalSecs \
        driver.writeAheadLog.maxFailures driver.writeAheadLog.closeFileAfterWrite driver.writeAheadLog.allowBatching \
        driver.writeAheadLog.batchingTimeout blockInterval blockQueueSize unpersist stopGracefullyOnShutdown \
        stopSparkContextByDefault gracefulStopTimeout concurrentJobs ui.retainedBatches \
        sessionByKey.deltaChainThreshold checkpoint.directory fileStream.minRememberDuration minRememberDuration clock \
        manualClock.jump dynamicAllocation.enabled dynamicAllocation.testing dynamicAllocation.minExecutors \
        dynamicAllocation.maxExecutors dynamicAllocation.scalingInterval dynamicAllocation.scalingUpRatio \
        dynamicAllocation.scalingDownRatio kafka.maxRatePerPartition kafka.minRatePerPartition \
        kafka.consumer.cache.enabled kafka.consumer.cache.initialCapacity kafka.consumer.cache.maxCapacity \
        kafka.consumer.cache.loadFactor kafka.consumer.poll.ms kafka.allowNonConsecutiveOffsets \
        kinesis.retry.waitTime kinesis.retry.maxAttempts internal.batchTime internal.outputOpId";
    for name in rest.split_whitespace().map(|rest| format!("spark.streaming.{rest}")) {
        assert!(keys::find(&name).is_some() || inert::find(&name).is_some(), "{name}");
    }
}

#[test]
fn defaults_are_those_of_spark() -> Result<()> {
    let config = Config::new();
    assert_eq!(config.get(&keys::BLOCK_INTERVAL)?, milliseconds(200));
    assert_eq!(config.get(&keys::RECEIVER_RESTART_DELAY)?, milliseconds(2_000));
    assert_eq!(config.get(&keys::FILE_MIN_REMEMBER)?, seconds(60));
    assert_eq!(config.get(&keys::PID_PROPORTIONAL)?, 1.0);
    assert_eq!(config.get(&keys::PID_INTEGRAL)?, 0.2);
    assert_eq!(config.get(&keys::PID_DERIVED)?, 0.0);
    assert_eq!(config.get(&keys::PID_MIN_RATE)?, 100.0);
    assert_eq!(config.get(&keys::RECEIVER_MAX_RATE)?, None);
    assert_eq!(config.get(&keys::GRACEFUL_STOP_TIMEOUT)?, None);
    assert!(config.get(&keys::STOP_SPARK_CONTEXT)?);
    Ok(())
}

#[test]
fn values_out_of_bounds_are_refused_with_key_value_and_what_was_expected() {
    let table = [
        ("spark.streaming.backpressure.pid.proportional", "-0.1", "a number that is not negative"),
        ("spark.streaming.backpressure.pid.integral", "NaN", "a number such as"),
        ("spark.streaming.backpressure.pid.minRate", "0", "a number that is more than 0"),
        ("spark.streaming.backpressure.rateEstimator", "fuzzy", "\"pid\""),
        ("spark.streaming.concurrentJobs", "0", "at least 1"),
        ("spark.streaming.blockInterval", "0ms", "a time that is longer than 0"),
        ("spark.streaming.blockInterval", "fast", "a time such as"),
        ("spark.streaming.receiver.maxRate", "1.5", "records per second"),
        ("spark.streaming.stopGracefullyOnShutdown", "yes", "true or false"),
        ("spark.streaming.minRememberDuration", "never", "a time such as"),
        ("spark.master", "yarn", "\"local[*]\""),
        ("spark.default.parallelism", "0", "at least 1"),
        ("spark.app.name", "", "some text"),
        ("tidemill.lines.maxBytes", "0", "more than 0 bytes"),
        ("tidemill.lines.maxBytes", "long", "a size such as"),
        ("tidemill.fileStream.rule", "newest", "\"seen-set\" or \"spark\""),
        ("tidemill.worker.threads", "-1", "a whole number"),
    ];
    for (key, value, expected) in table {
        let error = Config::new().set(key, value).check().expect_err(key);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        for part in [key, &format!("\"{value}\""), expected] {
            assert!(error.to_string().contains(part), "\"{error}\" does not say {part}");
        }
    }
}

#[test]
fn a_rate_of_zero_or_less_is_no_limit() -> Result<()> {
    for (value, expected) in [("0", None), ("-5", None), ("5", Some(5))] {
        assert_eq!(Config::new().set(keys::RECEIVER_MAX_RATE, value).get(&keys::RECEIVER_MAX_RATE)?, expected);
    }
    Ok(())
}

#[test]
fn unknown_keys_are_an_error_a_notice_or_nobodys_business() -> Result<()> {
    let error = Config::new().set("tidemill.receiver.poolbytes", 1).check().expect_err("no such key");
    assert!(error.to_string().contains("did you mean \"tidemill.receiver.poolBytes\""), "{error}");

    let notices = Config::new().set("spark.streaming.blockIntervall", "1s").check()?;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NoticeKind::Unknown);
    assert!(notices[0].to_string().contains("did you mean \"spark.streaming.blockInterval\""), "{}", notices[0]);

    let notices = Config::new().set("spark.streaming.dynamicAllocation.testing", true).check()?;
    assert_eq!(notices[0].kind, NoticeKind::NoEffect);

    assert_eq!(Config::new().set("spark.sql.shuffle.partitions", 7).set("shop.name", "x").check()?, []);
    Ok(())
}

#[test]
fn an_older_name_works_until_the_newer_is_set() -> Result<()> {
    let config = Config::new().set("spark.streaming.minRememberDuration", "5min");
    assert_eq!(config.get(&keys::FILE_MIN_REMEMBER)?, seconds(300));
    assert_eq!(config.check()?[0].kind, NoticeKind::OldName);

    let config = config.set(keys::FILE_MIN_REMEMBER, "30");
    assert_eq!(config.get(&keys::FILE_MIN_REMEMBER)?, seconds(30));
    assert!(config.check()?.iter().any(|notice| notice.to_string().contains("is ignored")));
    Ok(())
}

#[test]
fn a_higher_layer_wins_whatever_the_name_it_used() -> Result<()> {
    let file = Config::new().set(keys::FILE_MIN_REMEMBER, "30").set("shop.name", "file");
    let code = Config::new().set("spark.streaming.minRememberDuration", "90");
    let config = code.with_defaults(&file);
    assert_eq!(config.get(&keys::FILE_MIN_REMEMBER)?, seconds(90));
    assert_eq!(config.get_raw("shop.name"), Some("file"));
    assert_eq!(config.set_if_missing(keys::FILE_MIN_REMEMBER, "1").get(&keys::FILE_MIN_REMEMBER)?, seconds(90));
    Ok(())
}

#[test]
fn blocks_must_fit_into_the_pool() {
    let config = Config::new().set(keys::RECEIVER_POOL_BYTES, "32k");
    assert!(config.check().expect_err("64k into 32k").to_string().contains("tidemill.receiver.poolBytes"));
}

#[test]
fn workers_partitions_and_tries_follow_the_master_unless_they_are_set() -> Result<()> {
    let figures = |config: &Config| -> Result<_> {
        Ok((config.worker_threads()?, config.default_parallelism()?, config.task_max_failures()?))
    };
    let config = Config::new().set(keys::MASTER, "local[3]");
    assert_eq!(figures(&config)?, (3, 3, 1));
    let config = config.set(keys::WORKER_THREADS, 2).set(keys::TASK_MAX_FAILURES, 4);
    assert_eq!(figures(&config)?, (2, 2, 4));
    let config = config.set(keys::DEFAULT_PARALLELISM, 8).set(keys::MASTER, "local[5,6]");
    assert_eq!(figures(&config)?, (2, 8, 6));
    assert!(figures(&Config::new())?.0 >= 1);
    Ok(())
}

#[test]
fn secrets_are_not_shown() {
    let config = Config::new()
        .set("kafka.sasl.password", "canary")
        .set("spark.hadoop.fs.s3a.Secret.key", "canary")
        .set("shop.apiKey", "canary")
        .set("shop.url", "postgres://shop:canary@db:5432/orders")
        .set("spark.app.name", "shown");
    for text in [format!("{config:?}"), format!("{config:#?}"), config.to_debug_string()] {
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("shown") && text.contains("@db:5432/orders"), "{text}");
    }
    assert_eq!(config.get_raw("kafka.sasl.password"), Some("canary"));
}

#[test]
fn config_page_is_the_one_that_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    if std::env::var_os("TIDEMILL_BLESS").is_some() {
        std::fs::write(path, config_page()).expect("docs/ can be written to");
    }
    let checked_in = std::fs::read_to_string(path).expect("docs/configuration.md is there");
    assert!(
        checked_in == config_page(),
        "docs/configuration.md differs from the tables; run TIDEMILL_BLESS=1 cargo test -p tidemill config_page"
    );
}
