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
