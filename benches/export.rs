//! The bulk export as a whole: the release binary against a sandbox in another process (issue 2, Figures).
//!
//! `cargo bench --bench export`, or one part: `-- limits`, `-- lifted`, `-- baseline`. The parts share two cores with the
//! sandbox, so records/s is what both manage together; processor time a record is the steadier figure.
#![expect(
    clippy::expect_used,
    reason = "a bench that cannot go on has nothing to measure"
)]

#[path = "export/baseline.rs"]
mod baseline;
mod support;

use serde_json::Value;
use support::process::{Took, cpu_of, measured};
use support::sandbox::Sandbox;
use support::{Against, figure, left_out};

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // reqwest wants one even where no connection is encrypted; nobody was here before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("a client");
    if !left_out("lifted") {
        let rate = (!left_out("baseline")).then(|| runtime.block_on(baseline::rate(&http)));
        lifted(&runtime, &http, rate);
    }
    if !left_out("limits") {
        limits(&runtime, &http);
    }
}

/// 10,000 new records under the real limits, against the time that the limits alone dictate.
fn limits(runtime: &tokio::runtime::Runtime, http: &reqwest::Client) {
    const RECORDS: usize = 10_000;
    let sandbox = Sandbox::start(RECORDS, true, 600);
    let (took, summary) = export(&sandbox);
    let requests = Requests::of(&runtime.block_on(sandbox.log(http)));
    let imports = requests.activecampaign("POST /api/3/import/bulk_import");
    let infos = requests.activecampaign("GET /api/3/import/info");
    let all = requests.all("activecampaign");
    // One info each is needed; a look too soon is not what the limits dictate.
    let needed = all - infos.saturating_sub(imports);
    let rest = needed - imports - imports;
    let highlevel = requests.all("highlevel");
    let by_activecampaign = (needed as f64 - 5.0) / 5.0;
    let by_highlevel = (highlevel.saturating_sub(1) / 100 * 10) as f64;
    let t = by_activecampaign.max(by_highlevel);
    println!(
        "  T = max(({imports} imports + {imports} infos + {rest} start-up and read-back - 5) / 5 = {by_activecampaign:.1} s, \
         windows of {highlevel} HighLevel requests = {by_highlevel:.0} s) = {t:.1} s; infos asked {infos}"
    );
    let elapsed = summary["elapsed_ms"].as_f64().unwrap_or(f64::NAN) / 1000.0;
    figure(
        "export of 10,000 new records, real limits",
        elapsed / t,
        "x T",
        Against::Most(1.15),
        "the time that the limits alone dictate",
    );
    figure(
        "  elapsed",
        took.elapsed.as_secs_f64(),
        "s",
        Against::Most(1.15 * t),
        "1.15 x T, the start of the process included",
    );
    figure(
        "  rate-limit answers",
        requests.violations("rate") as f64,
        "answers",
        Against::Most(0.0),
        "none",
    );
    figure(
        "  malformed requests",
        requests.malformed() as f64,
        "requests",
        Against::Most(0.0),
        "none",
    );
    again(runtime, http, &sandbox, "10,000", "real limits");
}

/// 100,000 records with all limits lifted.
fn lifted(runtime: &tokio::runtime::Runtime, http: &reqwest::Client, baseline: Option<f64>) {
    const RECORDS: usize = 100_000;
    let sandbox = Sandbox::start(RECORDS, false, 100);
    let before = cpu_of(&sandbox.child);
    let (took, summary) = export(&sandbox);
    let theirs = cpu_of(&sandbox.child) - before;
    let seconds = summary["elapsed_ms"].as_f64().unwrap_or(f64::NAN) / 1000.0;
    let rate = RECORDS as f64 / seconds;
    figure(
        "export of 100,000 records, limits lifted",
        rate,
        "records/s",
        Against::Least(10_000.0),
        "the budget on 2 cores, sandbox included",
    );
    if let Some(baseline) = baseline {
        figure(
            "  against one call a contact, in this run",
            rate / baseline,
            "x",
            Against::Least(1.0),
            &format!("a script that does {baseline:.0} records/s"),
        );
    }
    figure(
        "  processor time of the exporting process",
        took.cpu * 1e6 / RECORDS as f64,
        "us/record",
        Against::Most(100.0),
        "one of two cores at 10,000 records/s",
    );
    figure(
        "  processor time of the sandbox",
        theirs * 1e6 / RECORDS as f64,
        "us/record",
        Against::Nothing,
        "what is left for the export on two cores is the rest",
    );
    figure(
        "  peak resident memory",
        took.peak_mib,
        "MiB",
        Against::Most(120.0),
        "the budget",
    );
    again(runtime, http, &sandbox, "100,000", "limits lifted");
}

/// The same once more with nothing changed.
fn again(
    runtime: &tokio::runtime::Runtime,
    http: &reqwest::Client,
    sandbox: &Sandbox,
    records: &str,
    how: &str,
) {
    runtime.block_on(sandbox.clear_log(http));
    let (_, summary) = export(sandbox);
    let requests = Requests::of(&runtime.block_on(sandbox.log(http)));
    figure(
        &format!("second export of {records}, {how}: writes"),
        requests.writes() as f64,
        "writes",
        Against::Most(0.0),
        "nothing changed",
    );
    let elapsed = summary["elapsed_ms"].as_f64().unwrap_or(f64::NAN) / 1000.0;
    let windows = (requests.all("highlevel").saturating_sub(1) / 100 * 10) as f64;
    let (against, what) = if how == "real limits" {
        (
            Against::Most(windows * 1.15),
            "1.15 x the HighLevel windows",
        )
    } else {
        (Against::Nothing, "")
    };
    figure("  elapsed", elapsed, "s", against, what);
}

fn export(sandbox: &Sandbox) -> (Took, Value) {
    let took = measured(&mut sandbox.tramline(&["export", "pets", "--json"]));
    let summary: Value = took
        .stdout
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| panic!("no summary: {}, {:?}", took.stdout, took.status));
    // 3: some of the sandbox's records are bad on purpose.
    assert!(
        matches!(took.status.code(), Some(0 | 3)) && summary["state"] == "completed",
        "the export did not complete: {summary}"
    );
    (took, summary)
}

/// What the sandbox saw.
struct Requests(Vec<Request>);

struct Request {
    api: String,
    line: String,
    violation: Option<String>,
}

impl Requests {
    fn of(log: &[Value]) -> Self {
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        Self(
            log.iter()
                .map(|entry| Request {
                    api: text(entry, "api"),
                    line: format!("{} {}", text(entry, "method"), text(entry, "path")),
                    violation: entry["violation"].as_str().map(str::to_owned),
                })
                .collect(),
        )
    }

    fn all(&self, api: &str) -> usize {
        self.0.iter().filter(|request| request.api == api).count()
    }

    fn activecampaign(&self, line: &str) -> usize {
        let is_meant = |request: &&Request| request.line.starts_with(line);
        self.0.iter().filter(is_meant).count()
    }

    fn writes(&self) -> usize {
        let is_write = |request: &&Request| {
            request.api == "activecampaign" && !request.line.starts_with("GET ")
        };
        self.0.iter().filter(is_write).count()
    }

    fn violations(&self, kind: &str) -> usize {
        let is_meant = |request: &&Request| request.violation.as_deref() == Some(kind);
        self.0.iter().filter(is_meant).count()
    }

    fn malformed(&self) -> usize {
        let is_meant = |request: &&Request| {
            request
                .violation
                .as_deref()
                .is_some_and(|kind| kind != "rate")
        };
        self.0.iter().filter(is_meant).count()
    }
}
