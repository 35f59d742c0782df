//! Bulk export: read pages, plan, skip what is unchanged, import in batches, confirm, settle.
//!
//! Two tasks work side by side and meet in the store's outbox: [`read`] fills it page by page, [`deliver`] empties
//! it. What each of them has done is on disk in the same transaction as what it produced, so a process that
//! dies loses at most the page it was reading.

mod ahead;
mod at_hand;
mod confirm;
mod deliver;
mod draft;
mod familiar;
mod gate;
mod leavers;
mod losers;
pub mod pages;
mod plan_page;
mod read;
mod registry;
mod rehearsal;
mod ride;
mod run;

pub use registry::Exports;

use super::account::Account;
use super::{Engine, worker};
use crate::mapping::Mapping;
use crate::model::export::{ExportOptions, Run, RunState};
use crate::model::{ErrorClass, Problem};
use crate::store::{NewRun, Started};
use run::Work;
use std::sync::Arc;
use tracing::Instrument;

/// Starts a run in the background, or goes on with the mapping's run whose process died.
pub async fn start(
    engine: &Engine,
    account: &Account,
    mapping: Arc<Mapping>,
    options: ExportOptions,
) -> Result<Run, Problem> {
    let owner = &engine.inner.owner;
    end_dead_rehearsals(engine).await?;
    if !options.dry_run
        && let Some(run) = failed_before(engine, account, &mapping).await?
    {
        return resume(engine, account, mapping, run).await;
    }
    let new = NewRun {
        connection: account.name.clone(),
        mapping: mapping.name().clone(),
        object: mapping.object().clone(),
        options: options.clone(),
        mapping_hash: mapping.hash().as_str().to_owned(),
        owner: owner.clone(),
    };
    match engine.store().start_run(&new).await? {
        Started::Run(run) => begin(engine, account, mapping, run).await,
        Started::Already(run) if run.state == RunState::Paused => Err(busy(&run, "is paused")
            .remedy(format!("tramline exports resume {}, or cancel it", run.id))),
        // Gone on with at the start of this process.
        Started::Already(run) if engine.inner.exports.has(&run.id) => Ok(run),
        Started::Already(run) => adopt(engine, account, mapping, run).await,
    }
}

/// The mapping's last run, if it failed: its writes on their way must be settled before others are sent.
async fn failed_before(
    engine: &Engine,
    account: &Account,
    mapping: &Mapping,
) -> Result<Option<Run>, Problem> {
    let runs = engine.store().runs(50, None).await?;
    let last = runs.into_iter().find(|run| {
        run.mapping == *mapping.name() && run.connection == account.name && !run.options.dry_run
    });
    Ok(last.filter(|run| run.state == RunState::Failed))
}

/// Goes on with a run that was paused, failed, or left by a process that died.
pub async fn resume(
    engine: &Engine,
    account: &Account,
    mapping: Arc<Mapping>,
    run: Run,
) -> Result<Run, Problem> {
    if engine.inner.exports.has(&run.id) && run.state != RunState::Running {
        return Err(
            busy(&run, "still awaits the results of what it sent").remedy("try again in a moment")
        );
    }
    if run.state != RunState::Running
        && !engine
            .store()
            .set_run_state(&run.id, RunState::Running, None)
            .await?
    {
        return Err(Problem::new(
            ErrorClass::Config,
            format!(
                "run {} is {} and cannot be resumed",
                run.id,
                run.state.name()
            ),
        )
        .remedy(format!("start a new one: tramline export {}", run.mapping)));
    }
    adopt(engine, account, mapping, run).await
}

/// Goes on with the runs whose process died, and ends dry runs that nobody finishes. True if a pause keeps one from being
/// gone on with.
pub async fn adopt_abandoned(engine: &Engine) -> bool {
    let runs = match engine.store().runs(50, None).await {
        Ok(runs) => runs,
        Err(error) => {
            tracing::warn!(%error, "abandoned exports could not be looked for");
            return false;
        }
    };
    let mut held = false;
    for run in runs {
        if run.state != RunState::Running || engine.inner.exports.has(&run.id) {
            continue;
        }
        if run.waiting.is_some() {
            held = true;
            continue;
        }
        if let Err(problem) = go_on(engine, run).await {
            tracing::debug!(%problem, "an export was left alone");
        }
    }
    held
}

/// Ends the dry runs whose process died.
async fn end_dead_rehearsals(engine: &Engine) -> Result<(), Problem> {
    let runs = engine.store().runs(50, None).await?;
    for run in runs {
        if run.options.dry_run && run.state == RunState::Running {
            end_if_dead(engine, &run).await?;
        }
    }
    Ok(())
}

/// Ends a dry run whose process died: it kept nothing to go on with.
async fn end_if_dead(engine: &Engine, run: &Run) -> Result<(), Problem> {
    let context = engine.store().run_context(&run.id).await?;
    let owner = context.and_then(|context| context.owner);
    if owner.is_none_or(|owner| worker::is_dead(&owner)) {
        let problem = Problem::new(
            ErrorClass::Store,
            "its process ended before the dry run did",
        )
        .remedy("start it again");
        engine
            .store()
            .set_run_state(&run.id, RunState::Failed, Some(&problem))
            .await?;
    }
    Ok(())
}

async fn go_on(engine: &Engine, run: Run) -> Result<(), Problem> {
    if run.options.dry_run {
        return end_if_dead(engine, &run).await;
    }
    let settings = engine.settings();
    let Some((connection, spec)) = settings.mappings.get(&run.mapping) else {
        return Ok(());
    };
    let Some(account) = settings.accounts.get(connection) else {
        return Ok(());
    };
    let mapping = account.mapping(&run.mapping, spec).await?;
    adopt(engine, account, mapping, run).await.map(drop)
}

/// Takes a run over if its owner is gone: its lease ran out, or its process on this host is no more.
async fn adopt(
    engine: &Engine,
    account: &Account,
    mapping: Arc<Mapping>,
    run: Run,
) -> Result<Run, Problem> {
    let store = engine.store();
    let owner = &engine.inner.owner;
    let context = store.run_context(&run.id).await?;
    if let Some(context) = &context {
        if let Some(former) = context
            .owner
            .as_deref()
            .filter(|former| *former != owner && worker::is_dead(former))
        {
            store.release_run(&run.id, former).await?;
        }
        if context.mapping_hash != mapping.hash().as_str() {
            tracing::warn!(run = %run.id, mapping = %run.mapping, "the mapping changed since the run began; records read from now on follow the new one");
        }
    }
    match store.adopt_run(&run.id, owner).await? {
        Some(run) if engine.inner.exports.has(&run.id) => Err(busy(&run, "runs in this process")),
        Some(run) => begin(engine, account, mapping, run).await,
        None => Err(busy(&run, "is at work in another process")),
    }
}

fn busy(run: &Run, how: &str) -> Problem {
    Problem::new(
        ErrorClass::Invalid,
        format!("run {} of {} {how}", run.id, run.mapping),
    )
    .remedy("one export of a mapping runs at a time")
}

async fn begin(
    engine: &Engine,
    account: &Account,
    mapping: Arc<Mapping>,
    run: Run,
) -> Result<Run, Problem> {
    let work = Arc::new(Work::new(engine.clone(), account, mapping, &run));
    engine
        .inner
        .exports
        .insert(run.id.clone(), work.wake_handle());
    let id = run.id.clone();
    let engine = engine.clone();
    let span = tracing::info_span!("export", run = %run.id, mapping = %run.mapping, connection = %run.connection);
    let tracker = engine.inner.tracker.clone();
    let to_the_end = async move {
        let failure = work.run().await;
        engine.inner.exports.remove(&id, failure);
    };
    tracker.spawn(to_the_end.instrument(span));
    Ok(run)
}
