//! How things stand: budgets, pauses, pace, connections, configuration.

use super::*;

pub(super) fn budget(name: &str, left: u32, size: u32, window_ms: u64) -> BudgetView {
    BudgetView {
        name: name.into(),
        left,
        size,
        window_ms,
        daily_left: (name == "highlevel").then_some(198_204),
        blocked_until: None,
    }
}

/// A mapping that a person paused for an hour, and the account's breaker.
pub fn pauses() -> Vec<Pause> {
    let pause = Pause {
        connection: "default".into(),
        mapping: Some("pets".into()),
        kind: PauseKind::Person,
        reason: "the campaign of the shelters is being rewritten".into(),
        by: "jo from 192.0.2.7".into(),
        since: noon() - SignedDuration::from_mins(17),
        until: Some(noon() + SignedDuration::from_mins(60)),
    };
    let breaker = Pause {
        mapping: None,
        kind: PauseKind::Breaker,
        // What an API says is anybody's text.
        reason: format!("401 the token is refused {NASTY}"),
        by: "host:4242".into(),
        until: None,
        ..pause.clone()
    };
    vec![pause, breaker]
}

pub(super) fn status(mood: Mood) -> Status {
    if mood == Mood::Empty {
        return Status::default();
    }
    Status {
        highlevel: Some(budget("highlevel", 81, 100, 10_000)),
        activecampaign: Some(budget("activecampaign", 2, 5, 1000)),
        imports: Some(budget("import", 96, 100, 60_000)),
        counts: JobCounts {
            ready: 1200,
            waiting: 3,
            running: 4,
            failed: 41,
            unknown: 1,
            done: 9959,
            discarded: 0,
        },
        workers: 2,
        pauses: match mood {
            Mood::Paused => pauses(),
            _ => Vec::new(),
        },
        outdated: Vec::new(),
        exports: vec![run(mood, 1, RunState::Running)],
        at_work: Vec::new(),
        bulks: Vec::new(),
        last_error: Some(LastError {
            at: "2026-11-23T14:02:11Z".parse().unwrap(),
            problem: Problem {
                status: Some(422),
                ..Problem::new(
                    ErrorClass::Invalid,
                    text(mood, "422 invalid  \"e-mail\" state:bad"),
                )
            },
            count: 17,
        }),
    }
}

/// Imports settle some hundreds every ten seconds, jobs of their own a few a second; before that there was a rest.
pub(super) fn pace(mood: Mood, since: Timestamp) -> Pace {
    let to_go = match mood {
        Mood::Empty => return Pace::default(),
        Mood::Million => 734_000,
        _ => 1204,
    };
    let second = |back: i64| {
        let at = noon() - SignedDuration::from_secs(back);
        let number = match back {
            1..=170 if back % 10 == 3 => 150 + (back as u64 * 7) % 200,
            1..=170 => back as u64 % 4,
            _ => 0,
        };
        (at, number)
    };
    let settled = (0..300).rev().map(second);
    Pace {
        settled: settled.filter(|(at, n)| *n > 0 && *at >= since).collect(),
        to_go,
    }
}

/// Two connections, of which the second is paused.
pub(super) fn connections(mood: Mood) -> Vec<ConnectionSummary> {
    let connection = |name: &str, host: &str, location: &str| ConnectionSummary {
        name: name.into(),
        account: name.into(),
        host: text(mood, host),
        location: location.to_owned(),
        pauses: Vec::new(),
    };
    let mut eu = connection("eu", "acme-eu.api-us1.com", "eu7Kq2mR8h8vShlRW1KT");
    eu.pauses = pauses().into_iter().take(1).collect();
    vec![
        connection("default", "acme.api-us1.com", "ve9EPM428h8vShlRW1KT"),
        eu,
    ]
}

/// What a person has saved.
pub(super) fn saved_filters(mood: Mood, of: FilterOf) -> Vec<SavedFilter> {
    let filter = |name: &str, part: Option<&str>, filter: &str| SavedFilter {
        of,
        name: text(mood, name),
        part: part.map(str::to_owned),
        filter: filter.to_owned(),
    };
    match (mood, of) {
        (Mood::Empty, _) => Vec::new(),
        (_, FilterOf::Queue) => vec![
            filter("bad addresses", Some("failed"), "error:\"invalid e-mail\""),
            filter("pets of today", None, "mapping:pets age<1d"),
        ],
        (_, FilterOf::Activity) => vec![filter("refused calls", Some("calls"), "status:4xx")],
    }
}

/// config.toml, read again and found as it was.
pub fn configured(mood: Mood) -> Configured {
    let Reply::Mappings(mappings) = answer(mood, Request::Mappings) else {
        unreachable!("mappings answer mappings")
    };
    Configured {
        reloaded: Reloaded::default(),
        problems: vec![],
        options: Options::of(&Tui::default(), &Overrides::default(), "default".into()),
        account: "acme".into(),
        environment: "sandbox".into(),
        production: false,
        mappings,
        connections: vec!["default".into()],
        connected: true,
    }
}
