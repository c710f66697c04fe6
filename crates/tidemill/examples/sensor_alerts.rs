//! Monitors sensors: an alert when the mean of a sensor's last readings leaves its bounds, and one when it falls silent.

use tidemill::{Result, State, StateSpec, StreamingContext, Text, Time, seconds};

/// Reading number `n`: a sensor and its temperature. Sensor 3 overheats in time, and sensor 5 falls silent.
fn reading(n: u64) -> (u32, f64) {
    let (sensor, round) = ((n % 8) as u32, n / 8);
    let heat = if sensor == 3 { round as f64 / 40.0 } else { 0.0 };
    (if sensor == 5 && round > 100 { 4 } else { sensor }, 20.0 + heat + (round % 7) as f64 / 10.0)
}

/// Keeps a sensor's running mean, and tells when it is bad news.
fn watch(time: Time, sensor: &u32, celsius: Option<f64>, mean: &mut State<f64>) -> Option<Text> {
    let Some(celsius) = celsius else {
        return Some(Text::from(format!("{time}: sensor {sensor} has been silent for 3 seconds")));
    };
    let smooth = mean.get_option().copied().map_or(celsius, |mean| mean * 0.9 + celsius * 0.1);
    let was_good = mean.get_option().copied().is_none_or(|mean| mean < 25.0);
    mean.update(smooth);
    (was_good && smooth >= 25.0).then(|| Text::from(format!("{time}: sensor {sensor} runs hot at {smooth:.1} degrees")))
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.checkpoint(std::env::temp_dir().join("tidemill-sensors"))?;
    let spec = StateSpec::function_with_time(watch).timeout(seconds(3));
    ssc.generate_stream(800, reading).map_with_state(spec).print(20);
    ssc.start()?;
    ssc.await_termination()
}
