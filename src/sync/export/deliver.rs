//! Delivering: the outbox goes out in imports of up to 250 contacts, side by side with reading; [`super::confirm`] learns
//! what came of them.

use super::confirm::Confirmer;
use super::losers::without_losers;
use super::ride;
use super::run::{Halt, Work, tell_failed};
use crate::activecampaign::{
    IMPORT_BYTES, IMPORT_ROWS, QueuedImport, Rides, import_row_with, sync_body_json,
};
use crate::model::{ContactWrite, Email, ErrorClass, Problem};
use crate::store::{
    Batch, BatchKind, BatchResult, BatchState, Confirmed, FailedRow, KnownContact, OutboxRow,
};
use crate::sync::import::{self, Hints, SENDINGS, WORTH_AN_IMPORT};
use crate::sync::write;
use serde::de::DeserializeOwned;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::Instrument;

/// Contacts written one by one from one batch.
const SINGLES: u32 = 25;

/// How long writes wait whose contact another export is writing to.
const BUSY: Duration = Duration::from_millis(500);

/// Empties the outbox until everything was read, sent and confirmed.
pub async fn deliver(work: &Work) -> Result<(), Halt> {
    loop {
        let open = work.store().open_batches(&work.id).await?;
        let (taken, to_send) = mpsc::channel(1);
        let (queued, awaited) = mpsc::channel(1);
        let mut confirmer = Confirmer::new(work, awaited);
        tokio::try_join!(
            take_imports(work, taken),
            send_imports(work, open, to_send, queued),
            confirmer.run()
        )?;
        // What imports left over: clears, refused rows, contacts that a read-back did not find as sent.
        let store = work.store();
        work.stand_by().await?;
        while let Some(batch) = store
            .take_batch(&work.id, BatchKind::Single, SINGLES, u32::MAX)
            .await?
        {
            if let Some(batch) = without_losers(work, batch).await? {
                send_singly(work, batch).await?;
            }
        }
        if work.halt.is_cancelled() {
            return Err(Halt::Asked);
        }
        let left = store.outbox_len(&work.id, BatchKind::Import).await?
            + store.outbox_len(&work.id, BatchKind::Single).await?;
        if left == 0 && work.is_read() {
            return Ok(());
        }
        // A newer write waits until the older one of its contact is confirmed; that may be another export's.
        tokio::select! {
            () = tokio::time::sleep(BUSY), if work.is_read() => {}
            () = work.filled.notified() => {}
            () = work.halt.cancelled() => return Err(Halt::Asked),
        }
    }
}

/// Takes imports from the outbox, the next one while the last is being sent.
async fn take_imports(work: &Work, taken: mpsc::Sender<Batch>) -> Result<(), Halt> {
    let room = (IMPORT_BYTES - 64) as u32;
    loop {
        // The other end stops only together with this one.
        let place = taken.reserve().await.map_err(|_| Halt::Asked)?;
        work.stand_by().await?;
        if work.halt.is_cancelled() {
            // What is under way is still confirmed.
            return Ok(());
        }
        // Looked at before the outbox: what was planned in between is then seen.
        let read = work.is_read();
        let rows = work.backlog.rows.load(Ordering::Acquire);
        let full = rows >= IMPORT_ROWS as u64
            || work.backlog.bytes.load(Ordering::Acquire) >= u64::from(room);
        if (full && !work.hold.load(Ordering::Acquire)) || read {
            match work
                .store()
                .take_batch(&work.id, BatchKind::Import, IMPORT_ROWS as u32, room)
                .await?
            {
                Some(batch) => {
                    work.note_taken(&batch);
                    place.send(batch);
                }
                None if read => return Ok(()),
                None => {
                    work.backlog.rows.store(0, Ordering::Release);
                    work.taken.notify_one();
                }
            }
        } else {
            tokio::select! {
                () = work.filled.notified() => {}
                () = work.halt.cancelled() => {}
            }
        }
    }
}

/// Sends imports: first those that were open when the run went on, then those that are taken.
async fn send_imports(
    work: &Work,
    open: Vec<Batch>,
    mut taken: mpsc::Receiver<Batch>,
    queued: mpsc::Sender<Batch>,
) -> Result<(), Halt> {
    for batch in open {
        match (batch.kind, batch.state) {
            // Taken anew, which drops what a newer write has overtaken meanwhile.
            (BatchKind::Single, _) => {
                let all = batch.rows.iter().map(|row| row.email.clone()).collect();
                again(work, &batch, all).await?;
            }
            // Its request may have left before the crash. Values are upserted, so it is sent again.
            (BatchKind::Import, BatchState::Sending) => {
                if let Some(batch) = without_overtaken(work, batch).await? {
                    send_import(work, batch, &queued).await?;
                }
            }
            (BatchKind::Import, BatchState::Queued | BatchState::Confirming) => {
                hand_over(&queued, batch).await?
            }
        }
    }
    while let Some(batch) = taken.recv().await {
        if work.halt.is_cancelled() || work.is_paused().await? {
            // Its contacts are free for others until the run goes on.
            work.store().untake_batch(batch.id).await?;
            work.note_waiting(&batch);
        } else if let Some(batch) = without_losers(work, batch).await? {
            send_import(work, batch, &queued).await?;
        }
    }
    Ok(())
}

/// A batch without the contacts that another sync has written since it was planned; those are taken anew one by one.
async fn without_overtaken(work: &Work, batch: Batch) -> Result<Option<Batch>, Halt> {
    let emails: Vec<Email> = batch.rows.iter().map(|row| row.email.clone()).collect();
    let store = work.store();
    let links = store.links(work.connection(), work.name(), &emails).await?;
    let overtaken: Vec<Email> = batch
        .rows
        .iter()
        .filter(|row| {
            links
                .get(&row.email)
                .is_some_and(|link| link.confirmed_at > batch.sent_at)
        })
        .map(|row| row.email.clone())
        .collect();
    if overtaken.is_empty() {
        return Ok(Some(batch));
    }
    again(work, &batch, overtaken).await?;
    Ok(store.batch(batch.id).await?)
}

async fn hand_over(queued: &mpsc::Sender<Batch>, batch: Batch) -> Result<(), Halt> {
    // The other end stops only together with this one.
    queued.send(batch).await.map_err(|_| Halt::Asked)
}

/// Sends a batch as one import. A refused import is tried without the rows it names, then in halves, until the rows
/// at fault stand alone; those go one by one, which tells the reason.
async fn send_import(work: &Work, batch: Batch, queued: &mpsc::Sender<Batch>) -> Result<(), Halt> {
    let mut parts = vec![(batch, true)];
    while let Some((mut batch, hints_wanted)) = parts.pop() {
        work.stand_by().await?;
        if work.halt.is_cancelled() {
            // Who goes on with the run sends what was being sent.
            return Ok(());
        }
        if batch.rows.len() < WORTH_AN_IMPORT
            || batch.attempts > SENDINGS
            || work.imports_refused.load(Ordering::Relaxed)
        {
            let all = batch.rows.iter().map(|row| row.email.clone()).collect();
            again(work, &batch, all).await?;
            continue;
        }
        let rows = rows_json(work, &mut batch).await?;
        let exclude = work.mapping.spec().exclude_automations;
        let sent = match send(work, &rows, exclude).await {
            Err(Halt::Failed(problem)) if work.is_of_the_call(&problem).await => {
                tracing::warn!(run = %work.id, %problem, "imports are refused; contacts are written one by one");
                work.imports_refused.store(true, Ordering::Relaxed);
                parts.push((batch, hints_wanted));
                continue;
            }
            sent => sent?,
        };
        match sent {
            Ok(QueuedImport { id, sent_at }) => {
                work.store()
                    .batch_queued(batch.id, id.as_str(), sent_at)
                    .await?;
                batch.import_id = Some(id.as_str().to_owned());
                batch.state = BatchState::Queued;
                batch.sent_at = sent_at;
                hand_over(queued, batch).await?;
            }
            Err(hints) => {
                tracing::warn!(run = %work.id, rows = batch.rows.len(), named = hints.len(), "an import was refused");
                let named = named_rows(&batch, &hints);
                if hints_wanted && !named.is_empty() && named.len() < batch.rows.len() {
                    again(work, &batch, named).await?;
                    if let Some(rest) = work.store().batch(batch.id).await? {
                        work.store().batch_sending(rest.id).await?;
                        parts.push((rest, false));
                    }
                } else {
                    let other = work
                        .store()
                        .split_batch(batch.id, batch.rows.len() / 2)
                        .await?;
                    if let Some(rest) = work.store().batch(batch.id).await? {
                        parts.push((rest, hints_wanted));
                    }
                    parts.extend(other.map(|other| (other, hints_wanted)));
                }
            }
        }
    }
    Ok(())
}

/// Sends an import; the inner error is a refusal with the row numbers it names.
pub async fn send(
    work: &Work,
    rows: &[String],
    exclude: bool,
) -> Result<Result<QueuedImport, Hints>, Halt> {
    let client = &work.account.activecampaign;
    work.persist(|| import::send(client, rows, exclude)).await
}

/// The rows that a refusal names.
fn named_rows(batch: &Batch, hints: &[usize]) -> Vec<Email> {
    let places = import::named(hints);
    batch
        .rows
        .iter()
        .enumerate()
        .filter(|(place, _)| places.contains(place))
        .map(|(_, row)| row.email.clone())
        .collect()
}

/// Contacts of a batch that go one by one instead.
async fn again(work: &Work, batch: &Batch, emails: Vec<Email>) -> Result<(), Halt> {
    let result = BatchResult {
        confirmed: Confirmed::These(Vec::new()),
        known: Vec::new(),
        failed: Vec::new(),
        again: emails,
        spent: work.spent(),
    };
    work.store().settle_batch(batch.id, &result).await?;
    Ok(())
}

/// The rows of an import: those that were planned by this process are at hand.
pub async fn rows_json(work: &Work, batch: &mut Batch) -> Result<Vec<String>, Halt> {
    let at_hand: Vec<Option<String>> = batch
        .rows
        .iter()
        .map(|row| work.at_hand.take(row))
        .collect();
    if at_hand.iter().all(Option::is_some) {
        return Ok(at_hand.into_iter().flatten().collect());
    }
    read_writes(work, batch).await?;
    batch
        .rows
        .iter()
        .map(|row| Ok(import_row_with(&write_of(row)?, &rides_of(row)?)))
        .collect()
}

/// Reads the writes of a batch that were not read with it.
pub async fn read_writes(work: &Work, batch: &mut Batch) -> Result<(), Halt> {
    if batch.rows.iter().any(|row| row.write_json.is_none()) {
        let kept = work.store().batch(batch.id).await?;
        batch.rows = kept.map(|kept| kept.rows).unwrap_or_default();
    }
    Ok(())
}

/// What goes along with a planned write, as it was kept.
fn rides_of(row: &OutboxRow) -> Result<Rides, Halt> {
    match &row.rides_json {
        None => Ok(Rides::default()),
        Some(json) => kept(json),
    }
}

/// A planned write as it was kept; see [`read_writes`].
pub fn write_of(row: &OutboxRow) -> Result<ContactWrite, Halt> {
    kept(row.write_json.as_deref().unwrap_or_default())
}

fn kept<T: DeserializeOwned>(json: &str) -> Result<T, Halt> {
    serde_json::from_str(json).map_err(|error| {
        Halt::Failed(Problem::new(
            ErrorClass::Store,
            format!("a planned write cannot be read: {error}"),
        ))
    })
}

/// Writes the contacts of a batch one by one, and does what their rules want. A row that is refused goes to the queue with the reason.
async fn send_singly(work: &Work, batch: Batch) -> Result<(), Halt> {
    let mut rows = batch.rows.iter();
    for row in rows.by_ref() {
        let write = write_of(row)?;
        let mut result = BatchResult {
            confirmed: Confirmed::These(Vec::new()),
            known: Vec::new(),
            failed: Vec::new(),
            again: Vec::new(),
            spent: work.spent(),
        };
        // The calls are about this record.
        let span = tracing::info_span!("record", record = %row.record);
        let written = write_one(work, &row.record, &write);
        match written.instrument(span.clone()).await {
            Ok((contact_id, created)) => {
                let trouble = ride::act(work, row, &contact_id).instrument(span).await?;
                result.known.push(KnownContact {
                    email: row.email.clone(),
                    contact_id,
                    created,
                });
                match trouble {
                    None => result.confirmed = Confirmed::These(vec![row.email.clone()]),
                    // The job that goes on with the effects writes the values once more, which changes nothing.
                    Some(trouble) => result.failed.push(FailedRow {
                        email: row.email.clone(),
                        problem: trouble.problem,
                        attempt: work.attempt(trouble.request, trouble.response),
                    }),
                }
            }
            Err(Halt::Asked) => return Err(Halt::Asked),
            // A dead token or a broken store is no fault of this row: the run stops and can be resumed.
            Err(Halt::Failed(problem)) if !is_the_rows(work, &problem).await => {
                return Err(Halt::Failed(problem));
            }
            Err(Halt::Failed(problem)) => {
                let attempt = work.attempt(
                    Some(format!("POST /contact/sync {}", sync_body_json(&write))),
                    Some(problem.to_string()),
                );
                result.failed.push(FailedRow {
                    email: row.email.clone(),
                    problem,
                    attempt,
                });
            }
        }
        work.store().settle_batch(batch.id, &result).await?;
        for failed in &result.failed {
            tell_failed(&row.record, &failed.problem);
        }
        work.stand_by().await?;
        if work.halt.is_cancelled() {
            break;
        }
    }
    // A halt gives the rest back to the outbox.
    let rest: Vec<Email> = rows.map(|row| row.email.clone()).collect();
    if !rest.is_empty() {
        again(work, &batch, rest).await?;
    }
    Ok(())
}

/// True if an error is about one row.
async fn is_the_rows(work: &Work, problem: &Problem) -> bool {
    match problem.class {
        ErrorClass::Config | ErrorClass::Store => false,
        ErrorClass::Auth => work.is_of_the_call(problem).await,
        _ => true,
    }
}

async fn write_one(
    work: &Work,
    record: &crate::model::RecordId,
    write: &ContactWrite,
) -> Result<(crate::model::ContactId, bool), Halt> {
    let (store, account, mapping) = (work.store(), &work.account, &work.mapping);
    let old = write::old_link(store, account, mapping, record, &write.email).await?;
    let moves_from = old.as_ref().map(|old| &old.email);
    let (synced, moved) = work
        .persist(|| write::write(account, mapping, write, moves_from))
        .await?;
    if let Some(old) = old.filter(|_| moved) {
        store
            .remove_link(&account.name, mapping.name(), &old.email)
            .await?;
    }
    Ok((synced.id, synced.created))
}
