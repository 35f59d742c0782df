//! A disk that is full, and one that fails.

use super::*;
use std::path::Path;

/// Lets the writing connection's file grow no further, or again.
async fn limit_pages(store: &Store, pages: &str) {
    let mut writer = store.writer().await;
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    sqlx::query(limit)
        .execute(writer.connection().unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn after_a_full_disk_the_store_writes_again_by_itself() {
    let (store, _) = store().await;
    // As many as there are: no further page is to be had.
    limit_pages(&store, "1").await;
    let mut full = None;
    for number in 0..2_000 {
        let job = new_job(&format!("record{number}"), Trigger::Manual);
        if let Err(error) = store.enqueue(&job).await {
            full = Some(error);
            break;
        }
    }
    assert!(matches!(full, Some(StoreError::DiskFull)), "{full:?}");
    let before = store.counts().await.unwrap().ready;
    limit_pages(&store, "1000000").await;
    store
        .enqueue(&new_job("after", Trigger::Manual))
        .await
        .unwrap();
    assert_eq!(store.counts().await.unwrap().ready, before + 1);
    // Budgets go through the same connection, and without waiting for the disk.
    store
        .ledger_update("ac", |row| row.push('x'))
        .await
        .unwrap();
}

/// What is answered with "kept", and what leaves for ActiveCampaign, has reached the disk: where that cannot be told, it is an error.
#[tokio::test]
async fn what_did_not_surely_reach_the_disk_is_neither_kept_nor_taken() {
    let (store, _) = store().await;
    let event = |key: &str| NewEvent {
        connection: connection(),
        key: key.to_owned(),
        kind: "RecordUpdate".to_owned(),
        happened_at: None,
        body: "{}".to_owned(),
    };
    let run = export::started(&store).await;
    let page = export::page(vec![export::send(1, 5), export::send(2, 5)]);
    store.page_planned(&run.id, &page).await.unwrap();
    assert_eq!(store.keep_events(&[event("a")]).await.unwrap(), [true]);
    // SQLite has its file open; whoever looks for it by its name finds a link to itself.
    let wal = sqlite::wal_path(&store.inner.path);
    let aside = wal.with_extension("aside");
    std::fs::rename(&wal, &aside).unwrap();
    std::os::unix::fs::symlink(&wal, &wal).unwrap();
    let kept = store.keep_events(&[event("b")]).await;
    assert!(matches!(kept, Err(StoreError::Io { .. })), "{kept:?}");
    let taken = store
        .take_batch(&run.id, BatchKind::Import, 1, u32::MAX)
        .await;
    assert!(matches!(taken, Err(StoreError::Io { .. })), "{taken:?}");
    std::fs::remove_file(&wal).unwrap();
    std::fs::rename(&aside, &wal).unwrap();
    assert_eq!(store.keep_events(&[event("c")]).await.unwrap(), [true]);
}

#[test]
fn a_disk_that_fails_is_named_and_a_full_one_is_told_from_it() {
    let failing = || StoreError::DiskFails("(code: 4874) disk I/O error".into());
    let problem = Problem::from(failing());
    assert!(problem.message.contains("4874"), "{problem}");
    assert!(problem.remedy.is_some());
    let here = std::env::temp_dir().join("tramline.db");
    assert!(matches!(failing().at(&here), StoreError::DiskFails(_)));
    // The kernel's own file systems have no room at all.
    let full = Path::new("/proc/tramline.db");
    if full.parent().is_some_and(Path::is_dir) {
        assert!(matches!(failing().at(full), StoreError::DiskFull));
    }
}

/// What fails behind `BEGIN` leaves a transaction of which the driver knows nothing.
#[tokio::test]
async fn a_transaction_that_could_not_be_begun_leaves_nothing_behind() {
    let (store, _) = store().await;
    {
        let mut writer = store.writer().await;
        let broken = "BEGIN IMMEDIATE; UPDATE changes SET number = -7; SELECT no_such_column";
        assert!(writer.lock(broken).await.is_err());
    }
    store
        .enqueue(&new_job("after", Trigger::Manual))
        .await
        .unwrap();
    assert_eq!(store.counts().await.unwrap().ready, 1);
    let number: i64 = sqlx::query_scalar("SELECT number FROM changes")
        .fetch_one(store.readers())
        .await
        .unwrap();
    assert!(number > 0, "{number}");
}
