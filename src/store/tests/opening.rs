use super::*;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn clock() -> Arc<dyn Clock> {
    TestClock::at_start()
}

#[cfg(unix)]
#[tokio::test]
async fn file_and_folder_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/tramline.db");
    let store = Store::open(&path, clock()).await.unwrap();
    store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&sqlite::wal_path(&path)), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    store.quick_check().await.unwrap();
    assert!(store.file_size().unwrap() > 0);
}

#[tokio::test]
async fn what_was_written_survives_a_store_that_was_not_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tramline.db");
    let store = Store::open(&path, clock()).await.unwrap();
    let id = store
        .enqueue(&new_job("r1", Trigger::Manual))
        .await
        .unwrap();
    // The files as a crash would leave them: database and log, copied while the store is open.
    let crashed = folder.path().join("crashed.db");
    fs::copy(&path, &crashed).unwrap();
    fs::copy(sqlite::wal_path(&path), sqlite::wal_path(&crashed)).unwrap();
    let after = Store::open(&crashed, clock()).await.unwrap();
    assert_eq!(state_of(&after, &id).await, JobState::Ready);
    drop(store);
    let again = Store::open(&path, clock()).await.unwrap();
    assert_eq!(again.counts().await.unwrap().ready, 1);
    again.close().await.unwrap();
    assert!(matches!(
        again.enqueue(&new_job("r2", Trigger::Manual)).await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(again.counts().await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "these are notes, not a database").unwrap();
    let refused = Store::open(&text, clock()).await;
    assert!(matches!(refused, Err(StoreError::Foreign { .. })));
    assert_eq!(
        fs::read_to_string(&text).unwrap(),
        "these are notes, not a database"
    );

    let newer = folder.path().join("newer.db");
    let store = Store::open(&newer, clock()).await.unwrap();
    {
        let mut writer = store.writer().await;
        let mut tx = writer.begin().await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = 999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    store.close().await.unwrap();
    let before = fs::read(&newer).unwrap();
    let Err(error) = Store::open(&newer, clock()).await else {
        panic!("a newer store was opened");
    };
    assert!(matches!(error, StoreError::Newer { found: 999, .. }));
    assert!(
        Problem::from(error)
            .remedy
            .unwrap()
            .contains("update Tramline")
    );
    assert_eq!(fs::read(&newer).unwrap(), before);

    let other = folder.path().join("other.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&other)
        .create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("CREATE TABLE recipes (name TEXT)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let before = fs::read(&other).unwrap();
    let refused = Store::open(&other, clock()).await;
    assert!(matches!(refused, Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[tokio::test]
async fn damage_is_met_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tramline.db");
    let store = Store::open(&path, clock()).await.unwrap();
    let jobs: Vec<NewJob> = (0..300)
        .map(|n| new_job(&format!("record{n}"), Trigger::Poll))
        .collect();
    store.enqueue_many(&jobs).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4096 * 5).take(4096 * 20) {
        *byte = 0xa5;
    }
    fs::write(&path, bytes).unwrap();
    let met = match Store::open(&path, clock()).await {
        Err(error) => Err(error),
        Ok(store) => store.quick_check().await,
    };
    assert!(matches!(met, Err(StoreError::Damaged(_))), "{met:?}");
}

#[tokio::test]
async fn stores_opened_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tramline.db");
    let opened = futures_util::future::join_all((0..4).map(|_| Store::open(&path, clock()))).await;
    let stores: Vec<Store> = opened.into_iter().map(Result::unwrap).collect();
    for (n, store) in stores.iter().enumerate() {
        store
            .enqueue(&new_job(&format!("r{n}"), Trigger::Manual))
            .await
            .unwrap();
    }
    assert_eq!(stores[0].counts().await.unwrap().ready, 4);
}

#[tokio::test]
async fn what_another_store_wrote_is_told_and_signs_of_life_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tramline.db");
    let other = Store::open(&path, clock()).await.unwrap();
    let store = Store::open(&path, clock()).await.unwrap();
    let mut elsewhere = store.changes_elsewhere();
    for n in 0..10 {
        let job = new_job(&format!("r{n}"), Trigger::Manual);
        other.enqueue(&job).await.unwrap();
        // Each alone: what is told does not hang on a write that follows.
        let told = tokio::time::timeout(Duration::from_secs(3), elsewhere.changed());
        told.await.expect("it is told").unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    elsewhere.mark_unchanged();
    for n in 10..13 {
        other.worker_beats("other").await.unwrap();
        let budget = other.ledger_update("key", |text| text.push('1'));
        budget.await.unwrap();
        // What it wrote itself it knows.
        let job = new_job(&format!("r{n}"), Trigger::Manual);
        store.enqueue(&job).await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(!elsewhere.has_changed().unwrap());
    // Nor does the watch outlive the store.
    store.close().await.unwrap();
    drop(store);
    let told = tokio::time::timeout(Duration::from_secs(20), elsewhere.changed());
    assert!(told.await.expect("the watch ends").is_err());
}

#[tokio::test]
async fn changes_are_told_and_budgets_are_not() {
    let (store, _) = store().await;
    let mut changes = store.changes();
    let before = *changes.borrow_and_update();
    let used = store
        .ledger_update("ac", |row| {
            row.push_str("{\"used\":1}");
            row.len()
        })
        .await
        .unwrap();
    assert_eq!(used, 10);
    assert!(!changes.has_changed().unwrap());
    store
        .ledger_update("ac", |row| assert_eq!(row, "{\"used\":1}"))
        .await
        .unwrap();
    store
        .set(&connection(), "screen", Some("queue"))
        .await
        .unwrap();
    assert!(changes.has_changed().unwrap());
    assert!(*changes.borrow_and_update() > before);
    let kept = store.get(&connection(), "screen").await.unwrap();
    assert_eq!(kept.as_deref(), Some("queue"));
    store.set(&connection(), "screen", None).await.unwrap();
    assert_eq!(store.get(&connection(), "screen").await.unwrap(), None);
}
