//! Reading ahead: while pages are planned the ones behind them are asked for, and those between are mapped. Each page is kept on
//! disk before the next one is asked for, so that a crash costs one page read twice.

use super::draft::Draft;
use super::pages::{PageEnd, Position, too_old};
use super::run::{Halt, Work};
use crate::highlevel::HighLevel;
use crate::model::RecordPage;
use crate::store::{PageAhead, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A page to be planned.
pub struct Page {
    /// Where reading stands at it.
    pub position: Position,
    pub end: PageEnd,
    /// Nothing behind it is wanted.
    pub enough: bool,
    /// Where reading goes on; `None` where only planning can tell.
    pub behind: Option<Position>,
}

/// Those records of a page that were asked for, mapped while others are read.
type Drafts = JoinHandle<Result<Vec<Draft>, StoreError>>;

/// A page as it was read.
struct Fetched {
    position: Position,
    page: RecordPage,
    /// The page as it came; `None` if it is kept already.
    text: Option<String>,
}

/// What a run has read and not planned.
#[derive(Default)]
pub struct Kept(VecDeque<Fetched>);

impl Kept {
    /// What the run had read when its process ended. A page that cannot be understood any more is read once more, and what
    /// is behind it.
    pub async fn of(work: &Work, at: &Position) -> Self {
        let mut kept = VecDeque::new();
        for page in work.store().kept_pages(&work.id, at.place).await {
            let position = serde_json::from_str(&page.position_json);
            let records = HighLevel::page_of(work.mapping.object(), &page.text);
            let (Ok(position), Ok(records)) = (position, records) else {
                break;
            };
            kept.push_back(Fetched {
                position,
                page: records,
                text: None,
            });
        }
        Self(kept)
    }
}

/// Reads on from a position until only planning can tell where reading goes on: at the end of a walk, or where `room` records
/// may be enough. The page that is read last carries no position behind it.
pub async fn read_ahead(
    work: Arc<Work>,
    mut position: Position,
    mut kept: Kept,
    room: u64,
    pages: mpsc::Sender<(Page, Drafts)>,
) -> Result<(), Halt> {
    let mut wanted = 0;
    loop {
        let Fetched {
            position: unread,
            page,
            text,
        } = match kept.0.pop_front() {
            Some(fetched) => fetched,
            None => fetch(&work, position).await?,
        };
        let mut here = unread.clone();
        here.look(&page.records);
        let end = PageEnd::of(&page);
        let mut records = page.records;
        records.retain(|record| !too_old(record, work.options.since));
        wanted += records.len() as u64;
        let enough = here.sort && here.ordered && records.len() < end.ids.len();
        let mut behind = here.clone();
        behind.advance(end.clone(), enough);
        let goes_on = behind.walk == here.walk && wanted < room;
        if let Some(text) = text.filter(|_| goes_on && !work.options.dry_run) {
            let page = PageAhead {
                place: unread.place,
                position_json: crate::store::to_json(&unread)?,
                text,
            };
            work.store().keep_page(&work.id, page).await;
        }
        let mapping = Arc::clone(&work.mapping);
        let drafts = tokio::spawn(async move {
            let drafts = records.into_iter();
            drafts.map(|record| Draft::of(&mapping, record)).collect()
        });
        let page = Page {
            position: here,
            end,
            enough,
            behind: goes_on.then(|| behind.clone()),
        };
        // The other end is gone once planning stopped.
        if pages.send((page, drafts)).await.is_err() || !goes_on {
            return Ok(());
        }
        position = behind;
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
                    text: Some(text),
                });
            }
            Err(Halt::Failed(problem))
                if position.give_way(problem.class, problem.field.as_deref()) => {}
            Err(halt) => return Err(halt),
        }
    }
}
