//! Counts the words that a server sends, each second. Arguments: HOST PORT, or nothing to feed itself.

use tidemill::{Result, StreamingContext, seconds, testing::TextServer};

fn main() -> Result<()> {
    let (host, port) = TextServer::address_from_args()?;
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.socket_text_stream(host, port)
        .flat_map(|line| line.split(' '))
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .print(10);
    ssc.start()?;
    ssc.await_termination()?;
    eprintln!("stopped after {}", ssc.progress());
    Ok(())
}
