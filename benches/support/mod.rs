//! What the whole-program benches share: the release binary, a sandbox in a process of its own, and one printed line a
//! figure.
#![allow(dead_code)] // each bench uses a part

pub mod process;
pub mod room;
pub mod sandbox;
pub mod worker;

use sqlx::{ConnectOptions, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use tramline::store::{Store, SystemClock};

/// The store of this file.
pub async fn open_store(path: &Path) -> Store {
    let store = Store::open(path, Arc::new(SystemClock)).await;
    store.expect("a store")
}

/// A connection past the store, to fill its file fast.
pub async fn past_store(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .pragma("synchronous", "OFF")
        .pragma("cache_size", "-200000")
        .disable_statement_logging();
    options.connect().await.expect("a connection")
}

/// How a figure stands against what it is compared with.
pub enum Against {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// Nothing: it is told for orientation.
    Nothing,
}

/// Prints a figure: name, value with unit, what it is compared with, ok or over.
pub fn figure(name: &str, value: f64, unit: &str, against: Against, what: &str) {
    let (bound, verdict) = match against {
        Against::Most(bound) => (
            format!("at most {}", short(bound)),
            if value <= bound { "ok" } else { "OVER" },
        ),
        Against::Least(bound) => (
            format!("at least {}", short(bound)),
            if value >= bound { "ok" } else { "UNDER" },
        ),
        Against::Nothing => (String::new(), ""),
    };
    let compared = [bound.as_str(), what]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ");
    println!(
        "{name:<58} {:>12} {unit:<10} {verdict:<6} {compared}",
        short(value)
    );
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v == v.trunc() && v < 1e15 => format!("{value}"),
        v if v >= 1000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The value below which the share `p` of the measured ones lies.
pub fn percentile(measured: &mut [f64], p: f64) -> f64 {
    measured.sort_by(f64::total_cmp);
    let place = ((measured.len() as f64 * p).ceil() as usize).clamp(1, measured.len());
    measured[place - 1]
}

/// True if only some benches were asked for (`cargo bench --bench export -- limits`) and `part` is none of them.
pub fn left_out(part: &str) -> bool {
    let mut wanted = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    wanted.peek().is_some() && !wanted.any(|wanted| part.contains(&wanted))
}
