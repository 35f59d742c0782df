//! Reading: page after page is fetched, planned and put on disk with the place where reading goes on. While a page is
//! planned the next one is asked for; the page is kept before that, so that a crash costs one page read twice.

use super::pages::{PageEnd, Position, Walk, too_old};
use super::plan_page::Planner;
use super::run::{Halt, Work};
use crate::highlevel::HighLevel;
use crate::model::{ErrorClass, Problem, Record, RecordPage};
use crate::store::{PageAhead, PagePlan, Planned};
use std::sync::atomic::Ordering;

/// A page, and where reading stands at it.
struct Fetched {
    position: Position,
    page: RecordPage,
    /// The page as it came.
    text: String,
}

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
    let mut next = kept(work).await?;
    while position.walk != Walk::Done {
        if work.halt.is_cancelled() {
            return Err(Halt::Asked);
        }
        let here = match next.take() {
            Some(fetched) => fetched,
            None => fetch(work, position).await?,
        };
        (position, next) = turn(work, &mut planner, here).await?;
    }
    let partly = work.options.limit.is_some() || work.options.since.is_some();
    match position.missing(planner.read()) {
        missing @ 1.. if !partly => {
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

/// Plans a page and puts it on disk, while the page behind it is asked for, if it is sure to be wanted.
async fn turn(
    work: &Work,
    planner: &mut Planner,
    here: Fetched,
) -> Result<(Position, Option<Fetched>), Halt> {
    let Fetched {
        mut position,
        page,
        text,
    } = here;
    let unread = position.clone();
    position.look(&page.records);
    work.hold
        .store(planner.must_wait(&position), Ordering::Release);
    let end = PageEnd::of(&page);
    let wanted = wanted(work, page.records);
    let enough = position.sort && position.ordered && wanted.len() < end.ids.len();
    let expected = position.total.or(end.total);
    let limit = work.options.limit.unwrap_or(u64::MAX);
    let mut behind = position.clone();
    behind.advance(end.clone(), enough);
    let goes_on = behind.walk == position.walk && planner.read() + (wanted.len() as u64) < limit;
    if !goes_on {
        planner.plan(work, wanted, expected).await?;
        position.advance(end, enough || planner.read() >= limit);
        // Part of the records was asked for: their number says nothing about the whole.
        if work.options.limit.is_some() || work.options.since.is_some() {
            if position.walk != Walk::First {
                position.finish();
            }
        } else {
            position.settle(planner.read());
        }
        keep(work, planner, &position).await?;
        return Ok((position, None));
    }
    if !work.options.dry_run {
        let page = PageAhead {
            position_json: crate::store::to_json(&unread)?,
            text,
        };
        work.store().keep_page(&work.id, &page).await?;
    }
    let planned = async {
        planner.plan(work, wanted, expected).await?;
        keep(work, planner, &behind).await
    };
    // Planning is not dropped half-way when the next page does not come.
    let (planned, next) = tokio::join!(planned, fetch(work, behind.clone()));
    planned?;
    Ok((behind, Some(next?)))
}

/// The page that the run had read when its process ended, and not planned.
async fn kept(work: &Work) -> Result<Option<Fetched>, Halt> {
    let Some(kept) = work.store().kept_page(&work.id).await? else {
        return Ok(None);
    };
    let position = serde_json::from_str(&kept.position_json);
    let page = HighLevel::page_of(work.mapping.object(), &kept.text);
    Ok(match (position, page) {
        (Ok(position), Ok(page)) => Some(Fetched {
            position,
            page,
            text: kept.text,
        }),
        // It is read once more.
        _ => None,
    })
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

async fn fetch(work: &Work, mut position: Position) -> Result<Fetched, Halt> {
    loop {
        work.stand_by().await?;
        if work.halt.is_cancelled() {
            return Err(Halt::Asked);
        }
        let search = position.search();
        let result = work
            .persist(|| {
                work.account
                    .highlevel
                    .search_text(work.mapping.object(), &search)
            })
            .await;
        match result {
            Ok((page, text)) => {
                return Ok(Fetched {
                    position,
                    page,
                    text,
                });
            }
            Err(Halt::Failed(problem))
                if position.give_way(problem.class, problem.field.as_deref()) => {}
            Err(halt) => return Err(halt),
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
    let (rows, met) = planner.take_rows();
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
        met,
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
