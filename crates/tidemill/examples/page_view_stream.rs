//! Statistics of a web site's page views, five ways. Argument: the statistic, or nothing for the page counts.

use serde::{Deserialize, Serialize};
use tidemill::{DStream, Error, Result, StreamingContext, Text, seconds};

/// Somebody looked at a page.
#[derive(Clone, Serialize, Deserialize)]
struct PageView {
    url: Text,
    status: u16,
    zip_code: u32,
    user: u32,
}

/// View number `n`, always the same one.
fn view(n: u64) -> PageView {
    let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let url = ["/", "/news", "/contact", "/mill"][(dice % 10 / 3) as usize];
    let status = if dice.is_multiple_of(if dice.is_multiple_of(3) { 9 } else { 31 }) { 404 } else { 200 };
    PageView {
        url: Text::from(url),
        status,
        zip_code: [94_709, 94_117][(dice % 3 / 2) as usize],
        user: dice as u32 % 100,
    }
}

fn report(ssc: &StreamingContext, views: &DStream<PageView>, statistic: &str) -> Result<()> {
    let pages = views.map(|view| view.url);
    match statistic {
        "page-counts" => pages.count_by_value().print(10),
        "sliding-page-counts" => pages.count_by_value_and_window(seconds(10), seconds(2)).print(10),
        "error-rate" => views
            .map(|view| (view.zip_code, (u32::from(view.status != 200), 1u32)))
            .reduce_by_key_and_window(|a, b| (a.0 + b.0, a.1 + b.1), seconds(30), seconds(2))
            .filter(|(_, (errors, all))| errors * 20 > *all)
            .map(|(zip_code, (errors, all))| (zip_code, f64::from(errors) / f64::from(all)))
            .print(10),
        "active-users" => views
            .map(|view| (view.user, ()))
            .reduce_by_key_and_window(|(), ()| (), seconds(15), seconds(2))
            .count()
            .map(|users| format!("{users} users were active in the last 15 seconds"))
            .print(1),
        "popular-users" => {
            let names = ssc
                .context()
                .parallelize((0..100u32).map(|user| (user, Text::from(format!("reader {user}")))).collect(), 2);
            views.map(|view| (view.user, 1)).reduce_by_key(|a, b| a + b).foreach_rdd(move |counts, time| {
                let top = counts.join(&names).map(|(_, (views, name))| (views, name)).top(3)?;
                println!("{time}: {top:?}");
                Ok::<_, Error>(())
            });
        }
        other => {
            return Err(Error::invalid(format!(
                "\"{other}\" is no statistic; give page-counts, sliding-page-counts, error-rate, active-users or popular-users"
            )));
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let ssc = StreamingContext::local(2, seconds(1))?;
    ssc.checkpoint(std::env::temp_dir().join("tidemill-page-views"))?;
    let statistic = std::env::args().nth(1);
    report(&ssc, &ssc.generate_stream(2_000, view), statistic.as_deref().unwrap_or("page-counts"))?;
    ssc.start()?;
    ssc.await_termination()
}
