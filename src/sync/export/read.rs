//! Reading: page after page is fetched, planned and put on disk with the place where reading goes on. The next page
//! is asked for only then, so that a crash costs one page read twice.

use super::pages::{PageEnd, Position, Walk, too_old};
use super::plan_page::Planner;
use super::run::{Halt, Work};
use crate::model::{ErrorClass, Problem, Record, RecordPage};
use crate::store::{PagePlan, Planned};
use std::sync::atomic::Ordering;

/// Reads to the end of the last walk.
pub async fn read(work: &Work) -> Result<(), Halt> {
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
    while position.walk != Walk::Done {
        if work.halt.is_cancelled() {
            return Err(Halt::Asked);
        }
        let page = fetch(work, &mut position).await?;
        position.look(&page.records);
        work.hold
            .store(planner.must_wait(&position), Ordering::Release);
        let end = PageEnd::of(&page);
        let wanted = wanted(work, page.records);
        let enough = position.sort && position.ordered && wanted.len() < end.ids.len();
        planner
            .plan(work, wanted, position.total.or(end.total))
            .await?;
        let limit = work
            .options
            .limit
            .is_some_and(|limit| planner.read() >= limit);
        position.advance(end, enough || limit);
        // Part of the records was asked for: their number says nothing about the whole.
        if work.options.limit.is_some() || work.options.since.is_some() {
            if position.walk != Walk::First {
                position.finish();
            }
        } else {
            position.settle(planner.read());
        }
        keep(work, &mut planner, &position).await?;
    }
    planner.release();
    keep(work, &mut planner, &position).await?;
    work.read_done.store(true, Ordering::Release);
    work.hold.store(false, Ordering::Release);
    work.filled.notify_one();
    Ok(())
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

async fn fetch(work: &Work, position: &mut Position) -> Result<RecordPage, Halt> {
    loop {
        let search = position.search();
        let result = work
            .persist(|| {
                work.account
                    .highlevel
                    .search(work.mapping.object(), &search)
            })
            .await;
        match result {
            // Sorting is documented by one source only (fact sheet §2.7): without it the plan waits for the last page.
            Err(Halt::Failed(problem))
                if position.sort && problem.field.as_deref() == Some("sort") =>
            {
                position.sort = false;
                position.ordered = false;
            }
            Err(Halt::Failed(problem))
                if problem.field.as_deref() == Some("pageLimit") && position.shorten() => {}
            // How far page mode reaches is known for the sibling search only (fact sheet §2.7).
            Err(Halt::Failed(problem))
                if problem.class == ErrorClass::Invalid && position.leave_page_mode() => {}
            result => return result,
        }
    }
}

/// The records of a page that were asked for.
fn wanted(work: &Work, records: Vec<Record>) -> Vec<Record> {
    let since = work.options.since;
    let mut wanted = records;
    wanted.retain(|record| !too_old(record, since));
    wanted
}

/// Puts what was planned on disk, with the place where reading goes on.
async fn keep(work: &Work, planner: &mut Planner, position: &Position) -> Result<(), Halt> {
    let rows = planner.take_rows();
    let (effects, states) = planner.take_effects();
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
        rows,
        effects,
        states,
        spent: work.spent(),
    };
    work.store().page_planned(&work.id, &plan).await?;
    work.backlog.rows.fetch_add(sends, Ordering::AcqRel);
    work.backlog.bytes.fetch_add(bytes, Ordering::AcqRel);
    work.filled.notify_one();
    Ok(())
}
