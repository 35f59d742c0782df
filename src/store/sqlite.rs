//! Everything that is SQLite's own: pragmas, the change to WAL, text search, choice of an index.

use super::error::{Result, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Marks the file as Tramline's (`TRML`), in SQLite's header.
const APPLICATION_ID: i64 = 0x5452_4d4c;

/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/migrations");

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// The connection that writes: a commit that returned is on disk.
pub(super) async fn connect_writer(path: &Path) -> Result<SqliteConnection> {
    Ok(options(path)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-32000")
        // Pages that change often are folded into the file once, not every 16 MiB; the log grows to 64 MiB.
        .pragma("wal_autocheckpoint", "32000")
        .statement_cache_capacity(200)
        .connect()
        .await?)
}

/// Begins a transaction with the write lock, of which others will hear; its commit waits for the disk. One statement, since each
/// of them costs a wake-up of SQLite's thread.
pub(super) const BEGIN: &str =
    "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; UPDATE changes SET number = number + 1";

/// As [`BEGIN`]; the commit does not wait.
pub(super) const BEGIN_HASTY: &str =
    "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE; UPDATE changes SET number = number + 1";

/// What tells other processes that something changed, in a transaction that was not begun with it.
pub(super) const TOLD: &str = "UPDATE changes SET number = number + 1";

/// As [`BEGIN_HASTY`], for what concerns nobody else.
pub(super) const BEGIN_QUIET: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";

/// Goes before a statement that is a transaction of its own, whose commit does not wait for the disk.
pub(super) const HASTY: &str = "PRAGMA synchronous = NORMAL";

/// The connections that read.
pub(super) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(3)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options(path).pragma("query_only", "ON"))
}

/// Refuses what is not this program's file or what a newer version has migrated; nothing is written. True if the file is of
/// this version's schema already.
pub(super) async fn recognise(connection: &mut SqliteConnection, path: &Path) -> Result<bool> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(false);
    }
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    if application != APPLICATION_ID {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            reason: "it is the database of another program",
        });
    }
    let found: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await?;
    let known = MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(found == known)
}

/// Brings an empty or older file to this version's schema, in one transaction that holds the write lock, so
/// that two processes starting together do not both do it. A file that is up to date is not written to: opening it waits for
/// nobody who writes.
pub(super) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    enter_wal(connection).await?;
    if recognise(connection, path).await? {
        return Ok(());
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    recognise(&mut tx, path).await?;
    MIGRATIONS
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => StoreError::from(error),
            other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
        })?;
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "PRAGMA application_id = {APPLICATION_ID}"
    )))
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The change to WAL wants an exclusive lock for which SQLite does not wait by itself.
async fn enter_wal(connection: &mut SqliteConnection) -> Result<()> {
    let start = Instant::now();
    loop {
        let mode: std::result::Result<String, StoreError> =
            sqlx::query_scalar("PRAGMA journal_mode = WAL")
                .fetch_one(&mut *connection)
                .await
                .map_err(StoreError::from);
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Err(StoreError::Locked) if start.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(_) => return Err(StoreError::ReadOnly),
            Err(error) => return Err(error),
        }
    }
}

/// SQLite's own check of the whole file.
pub(super) async fn quick_check(readers: &SqlitePool) -> Result<()> {
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(readers)
        .await?;
    if said == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(said))
    }
}

/// Folds of the write-ahead log what nobody needs there, beside those who read and write.
pub(super) async fn fold(readers: &SqlitePool) -> Result<()> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(readers)
        .await?;
    Ok(())
}

/// The write-ahead log beside a store: it changes with every write of any process.
pub(super) fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The shortest text that the search index finds.
pub const SEARCHABLE: usize = 3;

/// Rows whose text contains `$1` (see [`phrase`]), at most `$2`.
pub(super) const SEARCH_PROBE: &str =
    "SELECT count(*) FROM (SELECT rowid FROM jobs_search WHERE jobs_search MATCH $1 LIMIT $2)";

/// The condition that a job is found by a phrase, to be followed by the phrase and `)`.
pub(super) const SEARCH_IN: &str =
    "jobs.seq IN (SELECT rowid FROM jobs_search WHERE jobs_search MATCH ";

/// A text as a phrase of the search; `error` looks into errors only.
pub(super) fn phrase(text: &str, error: bool) -> String {
    let quoted = text.replace('"', "\"\"");
    if error {
        format!("search_error : \"{quoted}\"")
    } else {
        format!("\"{quoted}\"")
    }
}

/// Names the index that a list is to follow. Without statistics SQLite would often sort a million rows.
pub(super) fn follow(index: &str) -> String {
    format!(" INDEXED BY {index}")
}

/// Rows are met by their number; an index would only lead astray.
pub(super) const BY_NUMBER: &str = " NOT INDEXED";

/// The oldest ready jobs of a connection (`$1`) and class (`$2`). Without the hint SQLite may walk all jobs by age.
pub(super) const READY: &str = "SELECT seq FROM jobs INDEXED BY jobs_ready
     WHERE state = 'ready' AND connection = $1 AND priority = $2 ORDER BY seq LIMIT $3";

/// As [`READY`], of one mapping (`$4`).
pub(super) const READY_OF: &str = "SELECT seq FROM jobs INDEXED BY jobs_ready_mapping
     WHERE state = 'ready' AND connection = $1 AND mapping = $4 AND priority = $2 ORDER BY seq LIMIT $3";

/// The number of ready jobs of a connection (`$1`) and mapping (`$2`) below a class (`$3`), counted up to `$4`.
pub(super) const BACKLOG_OF: &str =
    "SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_ready_mapping
     WHERE state = 'ready' AND connection = $1 AND mapping = $2 AND priority < $3 LIMIT $4)";

/// The number of ready jobs of a connection (`$1`) that go before one of a class (`$2`) and age (`$3`), counted up to `$4`.
pub(super) const AHEAD: &str = "SELECT count(*) FROM (
     SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE state = 'ready' AND connection = $1 AND priority > $2
     UNION ALL
     SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE state = 'ready' AND connection = $1 AND priority = $2 AND seq < $3
     LIMIT $4)";

/// All rows of a query as one JSON array of arrays. Every row that crosses from SQLite's thread costs a wake-up, which
/// for hundreds of rows is more than the query itself.
pub(super) fn gathered(columns: &str, query: &str) -> String {
    format!("SELECT json_group_array(json_array({columns})) FROM ({query})")
}
