//! What is promised of outputs, by their sources and their sinks.

use crate::{
    Config, Context, Error, Result, StreamingContext, Time,
    io::{Sink, SinkContract},
    keys, seconds,
    testing::{MemorySink, TestContext},
};

/// Takes what it is given as it comes.
struct Careless;

impl Sink<i32> for Careless {
    type Receipt = ();

    fn contract(&self) -> SinkContract {
        SinkContract::AtLeastOnce
    }

    fn write(&self, _time: Time, _partition: usize, _records: &mut dyn Iterator<Item = i32>) -> Result<()> {
        Ok(())
    }

    fn commit(&self, _time: Time, _receipts: Vec<()>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_sink_and_the_source_decide() {
    let test = TestContext::new();
    let numbers = test.stream(vec![vec![1]]);
    numbers.save_to(MemorySink::new());
    numbers.save_to(Careless);
    numbers.save_as_text_files("unused", "");
    numbers.foreach_rdd(|_, _| Ok::<(), Error>(()));
    let sockets = test.ssc().socket_text_stream("localhost", 1);
    sockets.print(1);
    sockets.map(|line| line.len() as i32).union(&numbers).save_to(MemorySink::new());
    let expected = [
        "scripted_stream -> save_to: exactly once",
        "scripted_stream -> save_to: at least once",
        "scripted_stream -> save_as_text_files: exactly once",
        "scripted_stream -> foreach_rdd: at least once",
        "socket_text_stream -> print: at most once",
        "scripted_stream + socket_text_stream -> save_to: at most once",
    ];
    assert_eq!(test.ssc().guarantees(), expected);
}

#[test]
fn without_a_checkpoint_nothing_is_promised() {
    let context = Context::new(Config::new().set(keys::MASTER, "local[1]")).unwrap();
    let ssc = StreamingContext::new(&context, seconds(1)).unwrap();
    ssc.text_file_stream(std::env::temp_dir().display().to_string()).save_as_text_files("unused", "");
    assert_eq!(ssc.guarantees(), ["text_file_stream -> save_as_text_files: at most once (no checkpoint)"]);
}
