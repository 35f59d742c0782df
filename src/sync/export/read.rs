//! Reading: what [`super::ahead`] has read is planned and put on disk, with the place where reading goes on. A backlog of pages is
//! planned together.

use super::ahead::{Kept, read_ahead};
use super::pages::{Position, Walk};
use super::plan_page::Planner;
use super::run::{Halt, Work, joined};
use crate::activecampaign::IMPORT_ROWS;
use crate::model::{ErrorClass, Problem};
use crate::store::{PagePlan, Planned};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tracing::Instrument;

/// Pages that are read ahead, and the most that are planned together.
const PAGES: usize = 4;

/// Rows of imports that are planned and not taken, at most.
const AHEAD: u64 = 4 * IMPORT_ROWS as u64;

/// Reads to the end of the last walk.
pub async fn read(work: &Arc<Work>) -> Result<(), Halt> {
    let mut position = position(work).await?;
    let mut planner = Planner::open(work).await?;
    // Before what waits in the outbox is made known: some of it may have to wait for the last page.
    work.hold
        .store(planner.must_wait(&position), Ordering::Release);
    work.backlog.rows.fetch_add(
        work.store()
            .outbox_len(&work.id, crate::store::BatchKind::Import)
            .await?,
        Ordering::AcqRel,
    );
    work.filled.notify_one();
    let mut kept = Kept::of(work, &position).await;
    while position.walk != Walk::Done {
        position = stretch(work, &mut planner, position, std::mem::take(&mut kept)).await?;
    }
    match position.missing(planner.read()) {
        missing @ 1.. if !work.reads_part() => {
            tracing::warn!(run = %work.id, read = planner.read(), missing, "HighLevel counts more records than two walks met");
        }
        _ => {}
    }
    planner.release();
    keep(work, &mut planner, &position).await?;
    work.read_done.store(true, Ordering::Release);
    work.hold.store(false, Ordering::Release);
    work.filled.notify_one();
    Ok(())
}

/// Plans pages as they come, as far as reading can go on without asking what planning made of them. Answers where it goes on.
async fn stretch(
    work: &Arc<Work>,
    planner: &mut Planner,
    position: Position,
    kept: Kept,
) -> Result<Position, Halt> {
    let (sender, mut pages) = mpsc::channel(PAGES - 1);
    let limit = work.options.limit.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(planner.read());
    let ahead = read_ahead(Arc::clone(work), position, kept, room, sender);
    let ahead = work.engine.inner.tracker.spawn(ahead.in_current_span());
    while let Some(first) = pages.recv().await {
        if work.halt.is_cancelled() {
            return Err(Halt::Asked);
        }
        let (mut page, drafts) = first;
        let mut drafts = joined(drafts.await)?;
        while page.behind.is_some()
            && drafts.len() < PAGES * super::pages::PAGE as usize
            && let Ok(next) = pages.try_recv()
        {
            let (next, more) = next;
            drafts.extend(joined(more.await)?);
            page = next;
        }
        let mut position = page.position;
        work.hold
            .store(planner.must_wait(&position), Ordering::Release);
        let expected = position.total.or(page.end.total);
        planner.plan(work, drafts, expected).await?;
        if let Some(behind) = page.behind {
            keep(work, planner, &behind).await?;
            continue;
        }
        position.advance(page.end, page.enough || planner.read() >= limit);
        // Part of the records was asked for: their number says nothing about the whole.
        if work.reads_part() {
            if position.walk != Walk::First {
                position.finish();
            }
        } else {
            position.settle(planner.read());
        }
        keep(work, planner, &position).await?;
        return Ok(position);
    }
    // Reading stopped before its end.
    joined(ahead.await)?;
    Err(Halt::Asked)
}

/// Where the run stood when its process ended; a new run begins at the first page.
async fn position(work: &Work) -> Result<Position, Halt> {
    let Some(context) = work.store().run_context(&work.id).await? else {
        return Err(Halt::Failed(Problem::new(
            ErrorClass::Store,
            format!("run {} is gone from the store", work.id),
        )));
    };
    match context.cursor_json {
        None => Ok(Position::default()),
        Some(text) => serde_json::from_str(&text).map_err(|error| {
            Halt::Failed(
                Problem::new(
                    ErrorClass::Store,
                    format!(
                        "run {} has a checkpoint that cannot be read: {error}",
                        work.id
                    ),
                )
                .remedy(format!(
                    "cancel it (tramline exports cancel {}) and start a new one",
                    work.id
                )),
            )
        }),
    }
}

/// Puts what was planned on disk, with the place where reading goes on.
async fn keep(work: &Work, planner: &mut Planner, position: &Position) -> Result<(), Halt> {
    let (rows, met) = planner.take_rows();
    let (effects, states) = planner.take_effects();
    let (leaves, heir) = planner.take_leaves();
    let (mut sends, mut bytes) = (0, 0);
    for row in &rows {
        if let Planned::Send {
            size,
            single: false,
            ..
        } = row.plan
        {
            sends += 1;
            bytes += u64::from(size);
        }
    }
    let plan = PagePlan {
        cursor_json: Some(crate::store::to_json(position)?),
        checkpoint: Some(position.checkpoint()),
        total: position.total,
        place: position.place,
        rows,
        met,
        effects,
        states,
        leaves,
        heir,
        spent: work.spent(),
    };
    work.store().page_planned(&work.id, &plan).await?;
    planner.tell(work, &plan.rows).await;
    work.at_hand.put(planner.take_at_hand());
    work.backlog.rows.fetch_add(sends, Ordering::AcqRel);
    work.backlog.bytes.fetch_add(bytes, Ordering::AcqRel);
    work.filled.notify_one();
    stay_near(work).await;
    Ok(())
}

/// Waits until no more than the next imports are planned: what is planned long before it is sent makes the outbox slow.
async fn stay_near(work: &Work) {
    let far = || work.backlog.rows.load(Ordering::Acquire) > AHEAD;
    while far() && !work.options.dry_run && !work.hold.load(Ordering::Acquire) {
        tokio::select! {
            () = work.taken.notified() => {}
            () = work.halt.cancelled() => return,
        }
    }
}
