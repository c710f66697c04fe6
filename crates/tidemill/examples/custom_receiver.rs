//! Reads from where no connector reads yet, with a receiver of its own: here a pendulum that is asked where it is.

use tidemill::{
    Result, StreamingContext,
    io::{Ending, Receiver, ReceiverLink},
    milliseconds, seconds,
};

/// Swings once in two seconds, between -1 and 1 metres.
struct Pendulum {
    readings: u32,
}

impl Receiver for Pendulum {
    type Item = f64;

    fn run(&mut self, link: &ReceiverLink<f64>) -> Result<Ending> {
        while !link.wait(milliseconds(20)) {
            self.readings += 1;
            let turns = f64::from(self.readings) * 0.01;
            link.store((turns * std::f64::consts::TAU).sin())?;
            if self.readings.is_multiple_of(120) {
                return Ok(Ending::Restart("the pendulum wants to be wound up".into()));
            }
        }
        Ok(Ending::Stop("told to stop".into()))
    }
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    let positions = ssc.receiver_stream(Pendulum { readings: 0 });
    positions
        .map(|metres| (if metres < 0.0 { "left".to_string() } else { "right".to_string() }, 1))
        .reduce_by_key(|a, b| a + b)
        .print(10);
    ssc.start()?;
    ssc.await_termination()?;
    eprintln!("stopped after {}", ssc.progress());
    Ok(())
}
