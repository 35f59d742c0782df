//! Jobs, their failures, and runs of exports.

use super::*;

pub fn job(mood: Mood, number: u64) -> Job {
    let state = JobState::ALL[(number % 7) as usize];
    let failed = matches!(state, JobState::Failed | JobState::Unknown);
    Job {
        id: JobId::new(format!("0192f0c1-0000-7000-8000-{number:012x}")),
        mapping: "pets".into(),
        connection: "default".into(),
        object: pets(),
        record: RecordId::new(format!("66b1c0ffee{number:014x}")),
        contact: JobContact {
            id: (number.is_multiple_of(2)).then(|| "4711".into()),
            email: Email::parse(&format!("owner{number}@example.org")).ok(),
        },
        state,
        waiting: (state == JobState::Waiting).then(|| Waiting {
            reason: WaitReason::RateLimited,
            until: Some(noon() + SignedDuration::from_secs(42)),
            by: "activecampaign".into(),
        }),
        trigger: match number % 3 {
            0 => Trigger::Manual,
            1 => Trigger::Webhook,
            _ => Trigger::Export(RunId::from("0192aaaa-1111-7000-8000-000000000001")),
        },
        attempts: (number % 5) as u32,
        error: failed.then(|| Problem {
            status: Some(422),
            request_id: Some("req-9".into()),
            ..Problem::new(ErrorClass::Invalid, text(mood, "invalid e-mail")).field("email")
        }),
        // One of those that are done had nothing to send.
        ended: (number % 14 == 5).then(|| JobEnd {
            outcome: Outcome::Skipped,
            why: Some(text(mood, "the record has no address in owner_email")),
        }),
        created_at: noon() - SignedDuration::from_mins(90),
        updated_at: noon() - SignedDuration::from_secs(number as i64),
    }
}

pub(super) fn jobs(mood: Mood, query: &JobQuery, page: usize) -> JobList {
    // The failed ones of the second run were taken up again since.
    let taken_up = query
        .filter
        .contains("run:0192aaaa-1111-7000-8000-000000000002");
    let total: u64 = match mood {
        Mood::Empty => 0,
        _ if taken_up => 0,
        Mood::Million => 1_000_000,
        _ => 230,
    };
    let from = page as u64 * u64::from(query.limit);
    let to = (from + u64::from(query.limit)).min(total);
    let jobs: Vec<Job> = (from..to).map(|n| job(mood, n)).collect();
    JobList {
        next: (to < total).then(|| JobCursor {
            updated_at: jiff::Timestamp::from_microsecond(to as i64).unwrap(),
            id: JobId::new(format!("{to}")),
        }),
        total: Some(total),
        jobs,
    }
}

pub(super) fn groups(mood: Mood) -> Vec<FailureGroup> {
    let group = |number: u64, class, field: Option<&str>, message: &str, count| FailureGroup {
        group: format!("5afe{number:08x}"),
        connection: "default".into(),
        class,
        field: field.map(str::to_owned),
        message: text(mood, message),
        count,
        first_seen: noon() - SignedDuration::from_hours(30),
        last_seen: noon() - SignedDuration::from_secs(number as i64 + 19),
        sample: job(mood, 4 + 7 * number).id,
    };
    let invalid = |number, count| {
        let message = "422 Contact Email Address is not valid.";
        group(number, ErrorClass::Invalid, Some("email"), message, count)
    };
    match mood {
        Mood::Empty => vec![],
        Mood::Million => (0..200).map(|n| invalid(n, 9_999 - n)).collect(),
        _ => vec![
            invalid(0, 28),
            group(
                1,
                ErrorClass::Missing,
                None,
                "the record leads to no contact, and on_missing_email is \"fail\"",
                13,
            ),
            group(
                2,
                ErrorClass::Unknown,
                Some("%STATUS%"),
                "no answer: whether the automation was started is not known",
                1,
            ),
        ],
    }
}

pub(super) fn effects(mood: Mood) -> Vec<Effect> {
    if mood == Mood::Empty {
        return Vec::new();
    }
    let effect = |action, target: &str, state, error: Option<Problem>| Effect {
        rule: text(mood, "adopted"),
        act: Act {
            action,
            target: text(mood, target),
        },
        state,
        contact_id: Some("17".into()),
        response: error.is_none().then(|| text(mood, "201")),
        error,
        request: None,
        updated_at: noon(),
    };
    let missing = Problem::new(
        ErrorClass::Invalid,
        text(mood, "there is no automation called \"Adoption welcome\""),
    );
    vec![
        effect(Action::AddTag, "pet-adopted", EffectState::Done, None),
        effect(
            Action::StartAutomation,
            "Adoption welcome",
            EffectState::Failed,
            Some(missing),
        ),
    ]
}

pub(super) fn job_detail(mood: Mood) -> JobDetail {
    let mut job = job(mood, 3);
    job.attempts = 2;
    let attempt = |number: u32, outcome: &str| Attempt {
        number,
        started_at: noon() - SignedDuration::from_mins(10 - i64::from(number)),
        ended_at: Some(
            noon() - SignedDuration::from_mins(10 - i64::from(number))
                + SignedDuration::from_millis(312),
        ),
        worker: "host:4242".into(),
        outcome: outcome.into(),
        error: job.error.clone(),
        request: Some(text(
            mood,
            "POST /contact/sync {\"contact\":{\"email\":\"jo@\"}}",
        )),
        response: Some(text(
            mood,
            "422 {\"errors\":[{\"title\":\"Contact Email Address is not valid.\"}]}",
        )),
        edit: None,
        warning: None,
        mapping_hash: "8c1fd00dcafe0123".into(),
    };
    JobDetail {
        attempts: vec![attempt(1, "retry"), attempt(2, "failed")],
        effects: effects(mood),
        edits: Vec::new(),
        why: "it failed for good: the data is refused. Mend the record, then retry it.".into(),
        job,
    }
}

pub fn run(mood: Mood, number: u64, state: RunState) -> Run {
    Run {
        id: RunId::new(format!("0192aaaa-1111-7000-8000-{number:012}")),
        mapping: "pets".into(),
        connection: "default".into(),
        state,
        options: ExportOptions {
            dry_run: number == 3,
            ..ExportOptions::default()
        },
        counts: ExportCounts {
            read: 6400,
            unchanged: 0,
            synced: 6085,
            superseded: 15,
            skipped: 50,
            failed: 50,
        },
        total: Some(10_000),
        sent: 200,
        requests: RequestCounts {
            highlevel: 64,
            activecampaign: 52,
        },
        throttled: 0,
        checkpoint: Some("page 64".into()),
        waiting: None,
        error: (state == RunState::Failed)
            .then(|| Problem::new(ErrorClass::Transient, text(mood, "no answer"))),
        started_at: noon() - SignedDuration::from_mins(5 * number as i64),
        updated_at: noon(),
        ended_at: None,
        elapsed_ms: 310_000,
    }
}

pub(super) fn runs(mood: Mood) -> Vec<Run> {
    match mood {
        Mood::Empty => vec![],
        _ => vec![
            run(mood, 1, RunState::Running),
            run(mood, 2, RunState::Paused),
            run(mood, 3, RunState::Completed),
            run(mood, 4, RunState::Failed),
            run(mood, 5, RunState::Cancelled),
        ],
    }
}

/// An action on all failed jobs that was just begun.
pub fn bulk(action: BulkAction) -> Bulk {
    Bulk {
        id: "0192b01c".into(),
        action,
        filter: Some("state:failed".into()),
        jobs: None,
        by: "jo".into(),
        state: BulkState::Open,
        changed: 0,
        start_at: noon() + SignedDuration::from_millis(5200),
        created_at: noon() + SignedDuration::from_millis(200),
        ended_at: None,
    }
}
