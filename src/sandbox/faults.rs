//! Faults on request: what goes wrong, on which route, how often.

use super::wire::Api;
use serde::Deserialize;

/// One order for trouble. It strikes requests whose `METHOD /path` contains `route`, after letting `skip`
/// of them pass, `times` times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// `highlevel`, `activecampaign`, or empty for both.
    #[serde(default)]
    pub api: String,
    /// Part of `METHOD /path`; empty strikes every request.
    #[serde(default)]
    pub route: String,
    /// How many requests it strikes.
    #[serde(default = "once")]
    pub times: usize,
    /// How many matching requests pass first.
    #[serde(default)]
    pub skip: usize,
    /// What happens; see [`Kind`] for the names.
    #[serde(deserialize_with = "kind")]
    pub kind: Kind,
    /// Seconds in `Retry-After`, where the kind is a status.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// Milliseconds that `slow` and `late_answer` wait.
    #[serde(default)]
    pub ms: Option<u64>,
}

fn once() -> usize {
    1
}

fn kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    let name = String::deserialize(deserializer)?;
    Kind::from_name(&name)
        .ok_or_else(|| serde::de::Error::custom(format!("unknown kind of fault {name:?}")))
}

/// What goes wrong. Kinds up to [`Kind::StallBody`] say whether the request still takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `"429"`, `"503"`, `"500"`, `"511"`, `"401"`, `"403"`, …: that status; no effect.
    Status(u16),
    /// `html`: 200 with an HTML page, `html_404`: that status with one; no effect.
    Html(u16),
    /// `empty_200`: 200 without a body; no effect.
    Empty200,
    /// `reset`: the connection is reset unanswered; no effect.
    Reset,
    /// `stall`: never answered; no effect.
    Stall,
    /// `slow`: answered after `ms` milliseconds (default 1000).
    Slow,
    /// `late_answer`: takes effect at once, and is answered after `ms` milliseconds (default 1000).
    LateAnswer,
    /// `lost_ack`: takes effect, then the connection is reset unanswered.
    LostAck,
    /// `truncated_json`: takes effect, answered with the first half of the body as a whole one.
    TruncatedJson,
    /// `half_body`: takes effect, the connection drops in the middle of the body.
    HalfBody,
    /// `stall_body`: takes effect, the body stops in the middle and the connection stays open.
    StallBody,
    /// `import_limit`: the HTTP-400 rate limit of imports; no effect.
    ImportLimit,
    /// `import_failed`: the import is queued, then ends `failed` with no contact written.
    ImportFailed,
    /// `import_interrupted`: the import is queued, then ends `interrupted` with half of its contacts written.
    ImportInterrupted,
}

/// A status that says that something went wrong.
fn status_of(text: &str) -> Option<u16> {
    let status = text.parse().ok()?;
    (400..600).contains(&status).then_some(status)
}

impl Kind {
    /// The kind of a name as the control route takes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "html" => Self::Html(200),
            "empty_200" => Self::Empty200,
            "reset" => Self::Reset,
            "stall" => Self::Stall,
            "slow" => Self::Slow,
            "late_answer" => Self::LateAnswer,
            "lost_ack" => Self::LostAck,
            "truncated_json" => Self::TruncatedJson,
            "half_body" => Self::HalfBody,
            "stall_body" => Self::StallBody,
            "import_limit" => Self::ImportLimit,
            "import_failed" => Self::ImportFailed,
            "import_interrupted" => Self::ImportInterrupted,
            other => match other.strip_prefix("html_") {
                Some(status) => Self::Html(status_of(status)?),
                None => Self::Status(status_of(other)?),
            },
        })
    }

    /// The name as the log shows it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Status(status) => return status.to_string(),
            Self::Html(200) => "html",
            Self::Html(status) => return format!("html_{status}"),
            Self::Empty200 => "empty_200",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::Slow => "slow",
            Self::LateAnswer => "late_answer",
            Self::LostAck => "lost_ack",
            Self::TruncatedJson => "truncated_json",
            Self::HalfBody => "half_body",
            Self::StallBody => "stall_body",
            Self::ImportLimit => "import_limit",
            Self::ImportFailed => "import_failed",
            Self::ImportInterrupted => "import_interrupted",
        }
        .to_owned()
    }
}

impl Fault {
    /// A fault that strikes `route` once.
    #[must_use]
    pub fn once(kind: Kind, route: &str) -> Self {
        Self {
            api: String::new(),
            route: route.to_owned(),
            times: 1,
            skip: 0,
            kind,
            retry_after: None,
            ms: None,
        }
    }

    /// The same, `times` times.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, api: Api, route: &str) -> bool {
        (self.api.is_empty() || self.api == api.name()) && route.contains(&self.route)
    }
}

/// The faults that are still to strike.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.0.push(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fault that strikes this request, used up by it.
    pub(super) fn strike(&mut self, api: Api, route: &str) -> Option<Fault> {
        let mut struck = None;
        for fault in self.0.iter_mut().filter(|fault| fault.matches(api, route)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if struck.is_none() {
                fault.times -= 1;
                struck = Some(fault.clone());
            }
        }
        if struck.is_some() {
            self.0.retain(|fault| fault.times > 0);
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_then_strikes_then_is_gone() {
        let mut faults = Faults::default();
        faults.add(Fault {
            skip: 1,
            ..Fault::once(Kind::Reset, "POST /x").times(2)
        });
        let mut strike = |route| faults.strike(Api::HighLevel, route).map(|fault| fault.kind);
        assert_eq!(strike("GET /x"), None);
        assert_eq!(strike("POST /x/1"), None);
        assert_eq!(strike("POST /x/1"), Some(Kind::Reset));
        assert_eq!(strike("POST /x/1"), Some(Kind::Reset));
        assert_eq!(strike("POST /x/1"), None);
    }

    #[test]
    fn names_and_kinds_agree() {
        for name in [
            "429",
            "511",
            "html",
            "html_404",
            "late_answer",
            "lost_ack",
            "stall_body",
            "import_interrupted",
        ] {
            assert_eq!(Kind::from_name(name).unwrap().name(), name);
        }
        assert_eq!(Kind::from_name("200"), None);
        assert_eq!(Kind::from_name("html_200"), None);
    }
}
