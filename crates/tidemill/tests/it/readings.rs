//! Defects that a reading of the code found; each test shows one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tidemill::{
    Config, Context, Error, ErrorKind, Misuse, StateSpec, StreamingContext, Text, Time, base::text::LineBlock, keys,
    milliseconds, seconds, testing::TestContext,
};

#[test]
fn a_slice_does_not_take_batches_that_are_to_come() {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![1], vec![2], vec![3]]);
    let seen = test.collect(&numbers);
    test.run(1).unwrap();
    assert_eq!(numbers.slice(Time::from_ms(1_000), Time::from_ms(2_500)).unwrap().len(), 1);
    test.run(2).unwrap();
    assert_eq!(seen.batches(), [[1], [2], [3]]);
}

#[test]
fn a_window_refuses_concurrent_jobs() {
    let test = TestContext::with_config(Config::new().set(keys::CONCURRENT_JOBS, 2));
    let _ = test.collect(&test.stream(vec![vec![1]]).window(seconds(2), None));
    let error = test.run(1).unwrap_err();
    assert!(matches!(error.misuse(), Some(Misuse::ConcurrentStateful { jobs: 2, .. })), "{error}");
}

#[test]
fn an_initial_state_that_fails_once_loses_no_timeout() {
    let test = TestContext::with_config(Config::new().set(keys::MASTER, "local[2,2]"));
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let initial = test.ssc().context().parallelize(vec![(1, 5)], 1).partition_by(1).map_values(move |value| {
        assert!(counted.fetch_add(1, Ordering::Relaxed) > 0, "the first time fails");
        value
    });
    let spec = StateSpec::function(|key: &i32, _: Option<i32>, state: &mut tidemill::State<i32>| {
        (*key, state.is_timing_out())
    });
    let spec = spec.initial_state(&initial).num_partitions(1).timeout(seconds(2));
    let seen = test.collect(&test.stream(vec![Vec::<(i32, i32)>::new()]).map_with_state(spec));
    test.run(6).unwrap();
    assert_eq!(seen.batches().concat(), [(1, true)]);
}

#[test]
fn a_graceful_stop_drains_a_queue_of_datasets() {
    let ssc = StreamingContext::local(1, milliseconds(20)).unwrap();
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    (0..5).for_each(|n| queue.push(ssc.context().range(n, n + 1, 1, 1)));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    numbers.for_each_batch(move |batch, _| {
        counted.fetch_add(batch.len(), Ordering::Relaxed);
        Ok::<_, Error>(())
    });
    ssc.start().unwrap();
    ssc.stop_gracefully().unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 5);
}

#[test]
fn state_that_no_output_reads_is_not_kept() {
    let test = TestContext::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let pairs = test.stream(vec![vec![(1, 1)]]);
    let _unused = pairs.update_state_by_key(move |_: &[i32], _: Option<i32>| {
        counted.fetch_add(1, Ordering::Relaxed);
        Some(0)
    });
    let _ = test.collect(&pairs);
    test.run(2).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn a_log_of_received_data_needs_a_checkpoint_and_says_so() {
    let config = Config::new().set(keys::RECEIVER_LOG_ENABLED, true).set(keys::SHUTDOWN_SIGNALS, false);
    let ssc = StreamingContext::new(&Context::new(config).unwrap(), seconds(1)).unwrap();
    ssc.socket_text_stream("127.0.0.1", 9).print(1);
    let error = ssc.start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for key in [keys::RECEIVER_LOG_ENABLED.name(), keys::CHECKPOINT_DIRECTORY.name()] {
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn white_space_is_found_beside_text_that_is_not_ascii() {
    let block = LineBlock::from_text("aaaaaaaaaaaaaaaaaaaaaaaaaaaa bb\n".to_owned() + &"é".repeat(36) + "\n");
    let words: Vec<Text> = block.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bb"]);
}

#[test]
fn a_range_may_span_all_numbers() {
    let sc = Context::local(1);
    let numbers = sc.range(i64::MIN, i64::MAX, 1 << 60, 2).collect().unwrap();
    assert_eq!((numbers.len(), numbers[15]), (16, (i128::from(i64::MIN) + 15 * (1i128 << 60)) as i64));
}
