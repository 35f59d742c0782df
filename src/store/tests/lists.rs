use super::*;
use crate::model::Job;
use crate::model::group::FailureGroup;

/// A mapping of one connection, and the whole of another.
const SCOPES_PAUSED: [(&str, Option<&str>); 2] = [("default", Some("pets")), ("other", None)];

/// Many jobs that differ in everything a filter asks about, made by way of raw rows: states that take a long
/// story to reach are reached at once.
async fn random_jobs(store: &Store, clock: &TestClock, number: usize, rng: &mut fastrand::Rng) {
    let mut writer = store.writer().await;
    let mut tx = writer.begin().await.unwrap();
    for n in 0..number {
        if rng.bool() {
            clock.advance(rng.i64(0..120));
        }
        let now = store.now_micros();
        let mut one = |values: &[&'static str]| values[rng.usize(..values.len())];
        let mut job = new_job(
            &format!("rec{n:04}"),
            Trigger::from(
                one(&["webhook", "poll", "export run1", "export run2", "manual"]).to_owned(),
            ),
        );
        job.mapping = one(&["pets", "toys"]).into();
        job.connection = one(&["default", "default", "other"]).into();
        job.object = one(&["custom_objects.pets", "business"]).into();
        let id = enqueue::upsert(&mut tx, &job, now).await.unwrap();
        let state = one(&[
            "ready",
            "waiting",
            "running",
            "done",
            "failed",
            "failed",
            "unknown",
            "discarded",
        ]);
        let mut problem = Problem::new(
            ErrorClass::from_name(one(&["invalid", "transient", "auth"])).unwrap(),
            format!(
                "{} {} of rec{n}",
                one(&["Über", "100%", "a_b", "\"quoted\""]),
                one(&["too old", "NO SUCH Option", "gone"])
            ),
        );
        problem.field = (n % 3 == 0).then(|| one(&["%AGE%", "%NAME%"]).to_owned());
        let email = address(one(&[
            "jo@example.org",
            "mia@example.org",
            "ärni@example.org",
        ]));
        let contact = one(&["7", "12"]);
        let with_error = matches!(state, "failed" | "unknown");
        sqlx::query(
            "UPDATE jobs SET state = $1, wait_reason = $2, wait_by = $2, error_class = $3, error_field = $4, error_message = $5,
                 error_group = $6, search_error = $7, attempts = $8, updated_at = $9, email = $10, contact_id = $11,
                 search_ids = $12 WHERE id = $13",
        )
        .bind(state)
        .bind((state == "waiting").then(|| one(&["scheduled", "contact_busy"])))
        .bind(with_error.then(|| problem.class.name()))
        .bind(problem.field.clone().filter(|_| with_error))
        .bind(with_error.then(|| problem.message.clone()))
        .bind(with_error.then(|| crate::model::group::group(&problem)))
        .bind(if with_error { crate::model::filter::searched_error(&problem) } else { String::new() })
        .bind(rng.i64(0..6))
        .bind(now + rng.i64(0..600) * 1_000_000)
        .bind((n % 2 == 0).then(|| email.as_str().to_owned()))
        .bind((n % 5 == 0).then_some(contact))
        .bind(crate::model::filter::searched_parts(
            &format!("rec{n:04}"),
            (n % 5 == 0).then_some(contact),
            (n % 2 == 0).then_some(email.as_str()),
        ))
        .bind(id.as_str())
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    store.commit(tx).await.unwrap();
}

async fn all(store: &Store, filter: &Filter, sort: Sort, page: u32) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut after = None;
    loop {
        let next = store
            .list(filter, sort, after.as_ref(), page)
            .await
            .unwrap();
        let Some(last) = next.last() else {
            return jobs;
        };
        after = Some(Cursor::behind(last, sort));
        jobs.extend(next);
    }
}

fn random_filter(rng: &mut fastrand::Rng, groups: &[FailureGroup]) -> Filter {
    let terms = [
        "state:failed",
        "state:ready,waiting,failed",
        "state:waiting",
        "state:ready",
        "reason:paused",
        "-state:done,discarded",
        "reason:contact_busy",
        "-reason:scheduled",
        "mapping:pets",
        "-mapping:pets",
        "mapping:none",
        "connection:other",
        "object:pets",
        "-object:business,toys",
        "record:rec0007,rec0011,nothing",
        "contact:7",
        "contact:JO@example.org,12",
        "-contact:12",
        "class:invalid",
        "class:invalid,auth",
        "-class:auth",
        "error:\"too OLD\"",
        "error:100%,a_b",
        "-error:gone",
        "error:\"\\\"quoted\\\"\"",
        "trigger:export",
        "-trigger:webhook,poll",
        "run:run1",
        "run:run1,run2",
        "age>1h",
        "age<=30m",
        "updated>20m",
        "attempts>=3",
        "attempts:1,2",
        "über",
        "ärni",
        "rec00",
        "%a",
        "-mia",
        "7",
    ];
    let mut text = String::new();
    for _ in 0..rng.usize(0..4) {
        text.push_str(terms[rng.usize(..terms.len())]);
        text.push(' ');
    }
    if rng.u8(..8) == 0 {
        text.push_str(&format!(
            "group:{}",
            groups[rng.usize(..groups.len())].group
        ));
    }
    Filter::parse(&text).unwrap()
}

#[tokio::test]
async fn lists_and_counts_agree_with_the_filter_itself() {
    let (store, clock) = store().await;
    let mut rng = fastrand::Rng::with_seed(7);
    random_jobs(&store, &clock, 300, &mut rng).await;
    let groups = store.groups(50).await.unwrap();
    assert!(groups.len() > 3);
    lists_agree(&store, &mut rng, &groups).await;
    // What is due under a pause is shown, found and counted as waiting.
    for (connection, mapping) in SCOPES_PAUSED {
        let pause = NewPause {
            connection: connection.into(),
            mapping: mapping.map(Into::into),
            reason: "a test".into(),
            by: "jo".into(),
            until: None,
        };
        store.pause(&pause).await.unwrap();
    }
    lists_agree(&store, &mut rng, &groups).await;
}

async fn lists_agree(store: &Store, rng: &mut fastrand::Rng, groups: &[FailureGroup]) {
    let now = store.now();
    let everything = all(store, &Filter::default(), Sort::NEWEST, 1000).await;
    assert_eq!(everything.len(), 300);
    let mut hits = 0;
    for _ in 0..400 {
        let filter = random_filter(rng, groups);
        let by = if rng.bool() {
            SortBy::Created
        } else {
            SortBy::Updated
        };
        let sort = Sort {
            by,
            ascending: rng.bool(),
        };
        let mut expected: Vec<&Job> = everything
            .iter()
            .filter(|job| filter.matches(job, now))
            .collect();
        expected.reverse();
        expected.sort_by_key(|job| match by {
            SortBy::Created => job.created_at,
            SortBy::Updated => job.updated_at,
        });
        if !sort.ascending {
            expected.reverse();
        }
        let found = all(store, &filter, sort, rng.u32(1..60)).await;
        let ids = |jobs: &[&Job]| {
            jobs.iter()
                .map(|job| job.record.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&found.iter().collect::<Vec<_>>()),
            ids(&expected),
            "{filter} {sort:?}"
        );
        let count = store.count(&filter).await.unwrap();
        assert_eq!(
            (count.number, count.exact),
            (expected.len() as u64, true),
            "{filter}"
        );
        hits += usize::from(!expected.is_empty());
    }
    assert!(hits > 100, "the filters found too little: {hits}");
}

#[tokio::test]
async fn kept_counts_are_those_of_the_rows() {
    let (store, clock) = store().await;
    let mut rng = fastrand::Rng::with_seed(11);
    random_jobs(&store, &clock, 200, &mut rng).await;
    store
        .apply(
            BulkAction::Retry,
            &Selection::Filter(Filter::default()),
            "jo",
        )
        .await
        .unwrap();
    store.claim("test", &[connection()], 20).await.unwrap();
    let jobs = all(&store, &Filter::default(), Sort::LATEST, 64).await;
    let counts = store.counts().await.unwrap();
    for state in JobState::ALL {
        let listed = jobs.iter().filter(|job| job.state == state).count();
        assert_eq!(counts.of(state), listed as u64, "{state:?}");
    }
}

#[tokio::test]
async fn a_job_is_found_by_the_beginning_of_its_id_and_by_its_record() {
    let (store, _) = store().await;
    let id = store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    let found = store.find_jobs(&id.as_str()[..20], 5).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, id);
    assert!(store.find_jobs("zzz", 5).await.unwrap().is_empty());
    let record = Filter::parse("record:r1").unwrap();
    assert_eq!(all(&store, &record, Sort::LATEST, 5).await, found);
}

/// What a list goes by and what it finds are of one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_changes_its_state_while_a_list_is_read_is_found_in_one_of_them() {
    let (store, _) = store().await;
    // One that no filter here asks for: otherwise the whole table is read, whatever the kept counts say.
    store
        .enqueue(&new_job("r0", Trigger::Manual))
        .await
        .unwrap();
    let other = claim_one(&store).await;
    let failed = settlement(&store, Outcome::Failed, JobState::Failed);
    store
        .settle(&other.job, other.epoch, &failed)
        .await
        .unwrap();
    store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    let moving = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                let claim = claim_one(&store).await;
                let back = settlement(&store, Outcome::Waiting, JobState::Ready);
                store.settle(&claim.job, claim.epoch, &back).await.unwrap();
            }
        }
    });
    // A count of states alone is one reading.
    let open = Filter::parse("state:ready,running trigger:manual").unwrap();
    let sort = Sort {
        by: SortBy::Created,
        ascending: true,
    };
    for _ in 0..500 {
        let found = store.list(&open, sort, None, 9).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(store.count(&open).await.unwrap().number, 1);
    }
    assert!(!moving.is_finished(), "it changed its state all the time");
    moving.abort();
}

/// As above, of the jobs that a retry is to be about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_changes_its_state_while_a_choice_is_read_is_chosen() {
    let (store, _) = store().await;
    for record in ["r0", "r1"] {
        let job = new_job(record, Trigger::Manual);
        store.enqueue(&job).await.unwrap();
    }
    store
        .sabotage("UPDATE jobs SET state = 'failed' WHERE record_id = 'r1'")
        .await;
    let moving = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                let other = "UPDATE jobs SET state = CASE state WHEN 'failed' THEN 'unknown' ELSE 'failed' END
                     WHERE record_id = 'r1'";
                store.sabotage(other).await;
            }
        }
    });
    let chosen = Selection::Filter(Filter::parse("trigger:manual").unwrap());
    for _ in 0..500 {
        assert_eq!(store.retriable(&chosen).await.unwrap().len(), 1);
    }
    assert!(!moving.is_finished(), "it changed its state all the time");
    moving.abort();
}
