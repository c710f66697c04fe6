//! Needs a Kafka (`make kafka`): watches payments for stolen cards, with a state for each card. Reads JSON payments as
//! `tidemill gen payments --kafka BROKERS IN_TOPIC` makes them, and writes an alert, exactly once, for the third large
//! payment of a card within a minute. Arguments: BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;
use tidemill::{Error, Result, State, StateSpec, StreamingContext, seconds};
use tidemill_kafka::{Json, KafkaSettings, KafkaSource, KafkaStreamExt as _, ProducerRecord, StartingOffsets};

const LARGE: f64 = 400.0;
const WITHIN_MS: u64 = 60_000;
const SUSPICIOUS: usize = 3;

#[derive(Clone, Serialize, Deserialize)]
struct Payment {
    id: u64,
    card: String,
    amount: f64,
    merchant: String,
    /// In ms since 1970.
    time: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Alert {
    card: String,
    amount: f64,
    payments: Vec<u64>,
}

/// The large payments of a card within the last minute are its state; an alert, once they are too many.
fn check(_card: &String, payment: Option<Payment>, recent: &mut State<Vec<(u64, u64, f64)>>) -> Option<Alert> {
    let payment = payment.filter(|payment| payment.amount >= LARGE)?;
    let mut large = recent.get_option().cloned().unwrap_or_default();
    large.retain(|(_, time, _)| payment.time.saturating_sub(*time) < WITHIN_MS);
    large.push((payment.id, payment.time, payment.amount));
    let alert = (large.len() >= SUSPICIOUS).then(|| Alert {
        card: payment.card,
        amount: large.iter().map(|(_, _, amount)| amount).sum(),
        payments: large.iter().map(|(id, _, _)| *id).collect(),
    });
    recent.update(if alert.is_some() { Vec::new() } else { large });
    alert
}

fn program([brokers, input, output, _]: &[String; 4]) -> Result<StreamingContext> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    let settings = KafkaSettings::new(brokers);
    let source = KafkaSource::new(settings.clone()).topics([input]).starting(StartingOffsets::Earliest);
    let payments = source.stream::<(), Json<Payment>>(&ssc)?.values();
    let checked = payments.map(|Json(payment)| (payment.card.clone(), payment));
    let alerts = checked.map_with_state(StateSpec::function(check)).uid("cards").flat_map(|alert| alert);
    let lines = alerts.try_map(|alert| {
        let line =
            serde_json::to_string(&alert).map_err(|error| Error::data("an alert is no JSON").with_source(error))?;
        Ok::<_, Error>((alert.card, line))
    });
    lines.to_kafka(&settings, output, |(card, line)| ProducerRecord::new(line).key(card));
    lines.map(|(_, line)| line).print(10);
    Ok(ssc)
}

fn main() -> ExitCode {
    let usage = |_| Error::invalid("give four arguments: BROKERS IN_TOPIC OUT_TOPIC CHECKPOINT");
    let arguments = <[String; 4]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()).map_err(usage);
    tidemill::exit(arguments.and_then(|arguments| {
        let ssc = StreamingContext::get_or_create(&arguments[3], || program(&arguments))?;
        ssc.start()?;
        ssc.await_termination()
    }))
}
