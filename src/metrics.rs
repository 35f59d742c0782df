//! What is counted for Prometheus: names, meanings and labels. Anything may count, on any floor of the house; nothing is
//! kept until [`start`] was called, which only the worker does.
//!
//! Labels hold names of config.toml and words of this program, never an e-mail address, an id or free text: their
//! number must not grow with the data.

mod route;

use crate::model::call::Call;
use crate::model::view::Outcome;
use crate::model::{ConnectionName, ErrorClass, MappingName, Problem};
use ::metrics::{
    Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

/// Upper bounds of the histograms' buckets, in seconds: from a round trip to a quarter of an hour's backlog.
const BUCKETS: [f64; 14] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
];

static STARTED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Counts from now on, in this process; a second call changes nothing.
///
/// # Errors
/// Another recorder is at work in this process already.
pub fn start() -> Result<(), Problem> {
    if STARTED.get().is_some() {
        return Ok(());
    }
    let refuse = |error: String| {
        Problem::new(
            ErrorClass::Config,
            format!("nothing can be counted: {error}"),
        )
    };
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .map_err(|error| refuse(error.to_string()))?
        .build_recorder();
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).map_err(|error| refuse(error.to_string()))?;
    let _ = STARTED.set(handle);
    describe();
    Ok(())
}

/// Everything counted so far and the figures of this process, in Prometheus' text format; empty before [`start`].
pub fn text() -> String {
    let Some(handle) = STARTED.get() else {
        return String::new();
    };
    metrics_process::Collector::default().collect();
    handle.render()
}

/// Folds samples of histograms into their buckets. To be called every few seconds, whether or not anybody asks for
/// [`text`], or the samples pile up.
pub fn tidy() {
    if let Some(handle) = STARTED.get() {
        handle.run_upkeep();
    }
}

fn describe() {
    metrics_process::Collector::default().describe();
    for gauge in Gauge::ALL {
        describe_gauge!(gauge.name(), gauge.help());
    }
    describe_counter!(
        ATTEMPTS,
        "Attempts at jobs by this process, by outcome and error class."
    );
    describe_histogram!(WAIT, "Seconds from a job's being due to its attempt.");
    describe_histogram!(RUN, "Seconds that an attempt at a job took.");
    describe_counter!(
        REQUESTS,
        "Requests sent by this process, by route and HTTP status (none: no answer)."
    );
    describe_histogram!(
        REQUEST_TIME,
        "Seconds from a request's sending to its answer."
    );
    describe_counter!(THROTTLED, "Rate-limit answers received by this process.");
    describe_counter!(RESCUED, "Jobs taken over from workers whose lease ran out.");
    describe_counter!(
        LOST,
        "Leases of this process that another worker took over."
    );
    describe_counter!(WEBHOOKS, "Webhooks received by this process, by verdict.");
    describe_counter!(
        DELIVERIES,
        "Attempts of this process to deliver an alert, by result."
    );
}

const ATTEMPTS: &str = "tramline_attempts_total";
const WAIT: &str = "tramline_job_wait_seconds";
const RUN: &str = "tramline_job_run_seconds";
const REQUESTS: &str = "tramline_requests_total";
const REQUEST_TIME: &str = "tramline_request_seconds";
const THROTTLED: &str = "tramline_rate_limit_answers_total";
const RESCUED: &str = "tramline_leases_rescued_total";
const LOST: &str = "tramline_leases_lost_total";
const WEBHOOKS: &str = "tramline_webhooks_total";
const DELIVERIES: &str = "tramline_alert_deliveries_total";

/// What is looked up anew for each scrape. All but the last two are of the store, and so the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    Jobs,
    JobsWithError,
    OldestJob,
    BudgetLeft,
    BudgetSize,
    BudgetDailyLeft,
    BudgetBlocked,
    Exports,
    ExportTime,
    ExportRecords,
    AlertsFiring,
    Pauses,
    Workers,
    StoreBytes,
    CredentialGood,
    Build,
}

impl Gauge {
    const ALL: [Self; 16] = [
        Self::Jobs,
        Self::JobsWithError,
        Self::OldestJob,
        Self::BudgetLeft,
        Self::BudgetSize,
        Self::BudgetDailyLeft,
        Self::BudgetBlocked,
        Self::Exports,
        Self::ExportTime,
        Self::ExportRecords,
        Self::AlertsFiring,
        Self::Pauses,
        Self::Workers,
        Self::StoreBytes,
        Self::CredentialGood,
        Self::Build,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Jobs => "tramline_jobs",
            Self::JobsWithError => "tramline_jobs_with_error",
            Self::OldestJob => "tramline_oldest_job_age_seconds",
            Self::BudgetLeft => "tramline_budget_left",
            Self::BudgetSize => "tramline_budget_size",
            Self::BudgetDailyLeft => "tramline_budget_daily_left",
            Self::BudgetBlocked => "tramline_budget_blocked_seconds",
            Self::Exports => "tramline_exports",
            Self::ExportTime => "tramline_export_timestamp_seconds",
            Self::ExportRecords => "tramline_export_records",
            Self::AlertsFiring => "tramline_alerts_firing",
            Self::Pauses => "tramline_pauses",
            Self::Workers => "tramline_workers",
            Self::StoreBytes => "tramline_store_bytes",
            Self::CredentialGood => "tramline_credential_good",
            Self::Build => "tramline_build_info",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Jobs => "Jobs by state.",
            Self::JobsWithError => {
                "Jobs whose last attempt met an error, by state and error class."
            }
            Self::OldestJob => {
                "Seconds since the oldest job in the state came to it, or its record last changed."
            }
            Self::BudgetLeft => "Requests that the rate limit leaves free now.",
            Self::BudgetSize => "Requests in one window of the rate limit.",
            Self::BudgetDailyLeft => {
                "Requests left today, where the API or the configuration says."
            }
            Self::BudgetBlocked => "Seconds for which a rate-limit answer still closes the budget.",
            Self::Exports => "Bulk exports by state, dry runs left out.",
            Self::ExportTime => "When an export last came to the state, in seconds since 1970.",
            Self::ExportRecords => "Records of the mapping's last export, by outcome.",
            Self::AlertsFiring => "Alert conditions that hold now, by kind.",
            Self::Pauses => {
                "Pauses in force: those of persons, and breakers that a dead credential opened."
            }
            Self::Workers => "Processes at work on the store, this one included.",
            Self::StoreBytes => "Size of the store's files.",
            Self::CredentialGood => {
                "1 while the credential opens its account, 0 while it is refused."
            }
            Self::Build => "Always 1; the version is a label.",
        }
    }

    /// Shows a value under these labels.
    pub fn set(self, labels: &[(&'static str, &str)], value: f64) {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(name, value)| Label::new(*name, (*value).to_owned()))
            .collect();
        gauge!(self.name(), labels).set(value);
    }
}

/// One attempt at a job that ended.
pub struct Attempt<'a> {
    pub connection: &'a ConnectionName,
    pub mapping: &'a MappingName,
    pub outcome: Outcome,
    pub class: Option<ErrorClass>,
    /// From being due to being claimed.
    pub waited: Duration,
    /// From being claimed to being settled.
    pub took: Duration,
}

/// Counts an attempt at a job.
pub fn attempt(attempt: &Attempt<'_>) {
    let connection = attempt.connection.to_string();
    let mapping = attempt.mapping.to_string();
    let class = attempt.class.map_or("", ErrorClass::name);
    counter!(ATTEMPTS, "connection" => connection.clone(), "mapping" => mapping.clone(),
        "outcome" => attempt.outcome.name(), "class" => class)
    .increment(1);
    histogram!(WAIT, "connection" => connection.clone(), "mapping" => mapping.clone())
        .record(attempt.waited);
    histogram!(RUN, "connection" => connection, "mapping" => mapping).record(attempt.took);
}

/// Counts a call that ended, of an account of a connection.
pub fn request(connection: &ConnectionName, call: &Call) {
    let (api, route) = (call.api.name(), route::route(call.api, &call.path));
    let status = call
        .status
        .map_or_else(|| "none".into(), |status| status.to_string());
    counter!(REQUESTS, "connection" => connection.to_string(), "api" => api,
        "method" => route::method(&call.method), "route" => route, "status" => status)
    .increment(1);
    histogram!(REQUEST_TIME, "api" => api, "route" => route)
        .record(Duration::from_millis(call.millis));
    if call.class == Some(ErrorClass::Throttled) {
        counter!(THROTTLED, "connection" => connection.to_string(), "api" => api).increment(1);
    }
}

/// Counts jobs taken over from workers whose lease ran out.
pub fn leases_rescued(number: u64) {
    counter!(RESCUED).increment(number);
}

/// Counts leases that this process lost.
pub fn leases_lost(number: u64) {
    counter!(LOST).increment(number);
}

/// Shows how many webhooks came to a verdict so far: `accepted`, `duplicate`, `foreign`, `forged`, …
pub fn webhooks(verdict: &'static str, number: u64) {
    counter!(WEBHOOKS, "verdict" => verdict).absolute(number);
}

/// Counts an attempt to deliver an alert.
pub fn alert_delivery(delivered: bool) {
    let result = if delivered { "delivered" } else { "failed" };
    counter!(DELIVERIES, "result" => result).increment(1);
}
