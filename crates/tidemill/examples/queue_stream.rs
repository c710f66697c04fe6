//! Makes a stream of datasets that the program itself pushes into a queue: counts the last digits of 1 to 1000.

use tidemill::{Result, StreamingContext, seconds};

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    let (numbers, queue) = ssc.queue_stream::<i64>(true);
    numbers.map(|n| (n % 10, 1)).reduce_by_key(|a, b| a + b).print(10);
    ssc.start()?;
    for _ in 0..30 {
        queue.push(ssc.context().range(1, 1_001, 1, 10));
        if ssc.await_termination_or_timeout(seconds(1))? {
            break;
        }
    }
    ssc.stop_gracefully()
}
