//! What `update` answers with, and the runner that does it on tokio through `operations`.

use super::event::{Answer, Event};
use super::remembered;
use super::request::{Configured, Editing, Reply, Request, SchemaDetail};
use super::screens::queue::{GROUPS, WINDOW};
use super::slots::Slot;
use super::{Options, Overrides};
use crate::config::Stamp;
use crate::model::ConnectionName;
use crate::model::call::Call;
use crate::operations::mappings::MappingSummary;
use crate::operations::records::change::Changed;
use crate::operations::{Done, Operations};
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Something to be done outside `update`.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A question for a slot; its answer must carry the generation.
    Ask {
        slot: Slot,
        generation: u64,
        request: Request,
    },
    /// Nobody waits for the slot's answer any more.
    Cancel(Slot),
    /// Text for the terminal's clipboard; `what` names it for people.
    Copy {
        what: String,
        text: String,
    },
    /// The person's editor on a text.
    Edit(Editing, String),
    /// JSON text of the view, for the next start.
    Remember(String),
    /// Questions from now on are asked of this connection.
    Connect(ConnectionName),
    Suspend,
    /// Frames and mouse follow a new configuration.
    Tune {
        fps: u16,
        low_bandwidth: bool,
        mouse: bool,
    },
    /// Draw every cell again.
    Redraw,
    Quit,
}

/// The doors that the control room goes through: `operations`, or what a test puts in their place.
#[derive(Clone)]
pub struct Doors {
    /// Does what a request asks of a connection.
    pub perform: Arc<dyn Fn(ConnectionName, Request) -> BoxFuture<'static, Reply> + Send + Sync>,
    /// Keeps JSON text for the next start.
    pub remember: Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>,
    /// Grows with every change of the store by this process.
    pub changes: watch::Receiver<u64>,
    /// Grows soon after another process changed the store.
    pub elsewhere: watch::Receiver<u64>,
    /// How config.toml looks: a stat.
    pub config: Arc<dyn Fn() -> Stamp + Send + Sync>,
    /// Every HTTP call of this process.
    pub calls: Arc<dyn Fn() -> broadcast::Receiver<Call> + Send + Sync>,
}

impl Doors {
    /// The doors of `operations`; what the command line said of the looks goes before its configuration.
    pub fn of(operations: &Operations, overrides: Overrides) -> Self {
        let overrides = Arc::new(overrides);
        let (performer, keeper) = (operations.clone(), operations.clone());
        let (look, listen) = (operations.clone(), operations.clone());
        Self {
            perform: Arc::new(move |connection, request| {
                let operations = performer.clone();
                let overrides = Arc::clone(&overrides);
                Box::pin(
                    async move { perform(&operations, &connection, &overrides, request).await },
                )
            }),
            remember: Arc::new(move |view| {
                let operations = keeper.clone();
                Box::pin(async move {
                    // Losing the last view loses no data: there is nobody left to tell.
                    let _ = operations.remember(remembered::KEY, &view).await;
                })
            }),
            changes: operations.changes(),
            elsewhere: operations.changes_elsewhere(),
            config: Arc::new(move || look.config_stamp()),
            calls: Arc::new(move || listen.watch_calls()),
        }
    }
}

/// How long a text has to stay before it is tried.
const TYPED: Duration = Duration::from_millis(80);
/// How many of a mapping's records are read for samples.
const SAMPLES: u32 = 20;
/// How many actions on many jobs are read, the latest ones.
const BULKS: u32 = 20;
/// How many runs the exports screen lists.
const RUNS: u32 = 200;

async fn perform(
    ops: &Operations,
    connection: &ConnectionName,
    overrides: &Overrides,
    request: Request,
) -> Reply {
    match request {
        Request::Remembered => Reply::Remembered(ops.remembered(remembered::KEY).await),
        Request::Status => Reply::Status(ops.status(connection).await),
        Request::Mappings => Reply::Mappings(mappings_of(ops, connection)),
        Request::Connections => Reply::Connections(ops.connection_summaries().await),
        Request::Filters(of) => Reply::Filters(of, ops.saved_filters(of).await),
        Request::SaveFilter(filter) => Reply::FilterSaved(ops.save_filter(filter).await),
        Request::DeleteFilter(filter) => {
            let result = ops.delete_filter(filter.of, &filter.name).await;
            Reply::FilterDeleted(filter, result)
        }
        Request::Reload { credentials } => {
            Reply::Reloaded(reload(ops, connection, overrides, credentials).await)
        }
        Request::Schemas { totals } => Reply::Schemas {
            totals,
            result: ops.schemas(connection, totals).await,
        },
        Request::Schema(object) => {
            let result = ops.schema(connection, &object).await;
            let mapped_to = ops.mapped_to(connection, &object);
            let detail = result.map(|schema| SchemaDetail { schema, mapped_to });
            Reply::Schema(object, detail)
        }
        Request::Records {
            object,
            search,
            page,
            cursor,
            limit,
        } => Reply::Records {
            page,
            result: ops
                .records(connection, &object, &search, cursor.as_ref(), limit)
                .await,
        },
        Request::FileRecords(file) => {
            let result = ops.records_into_file(connection, &file).await;
            Reply::Filed(file, result)
        }
        Request::Record(object, record) => {
            Reply::Record(ops.record(connection, &object, &record).await)
        }
        Request::Mend(object, record) => {
            let (schema, record) = tokio::join!(
                ops.schema(connection, &object),
                ops.record(connection, &object, &record)
            );
            let mapped_to = ops.mapped_to(connection, &object);
            Reply::Mend(schema.and_then(|schema| Ok((SchemaDetail { schema, mapped_to }, record?))))
        }
        Request::Related(object, record) => {
            let result = ops.related(connection, &object, &record).await;
            Reply::Related(record, result)
        }
        Request::Preview(mapping, record) => {
            let result = ops.preview(&mapping, &record).await;
            Reply::Preview(record, result)
        }
        Request::Segments(contact) => {
            let result = ops.segments_of(connection, &contact).await;
            Reply::Segments(contact, result)
        }
        Request::Sync(mapping, records) => Reply::Synced(ops.sync(&mapping, &records, false).await),
        Request::Create(object, properties) => {
            Reply::Saved(ops.create_record(connection, &object, &properties).await)
        }
        Request::Update(change) => match ops.change_record(connection, *change).await {
            Ok(Changed::Saved(record)) => Reply::Saved(Ok(record)),
            Ok(Changed::Overtaken(change, live)) => Reply::Overtaken(change, Box::new(live)),
            Err(problem) => Reply::Saved(Err(problem)),
        },
        Request::Delete(object, records) => {
            let mut deleted = Vec::new();
            for record in records {
                match ops.delete_record(connection, &object, &record).await {
                    Ok(()) => deleted.push(record),
                    Err(problem) => return Reply::Deleted(deleted, Some(problem)),
                }
            }
            Reply::Deleted(deleted, None)
        }
        Request::MappingDetail(name) => {
            let result = ops.mapping_detail(&name).await;
            Reply::MappingDetail(name, result)
        }
        Request::Samples(name) => {
            let result = ops.mapping_samples(&name, SAMPLES).await;
            Reply::Samples(name, result)
        }
        Request::SamplePreview(mapping, record) => {
            Reply::SamplePreview(ops.preview_record(&mapping, *record, false).await)
        }
        Request::DraftDetail(name, draft) => {
            let result = ops.draft_detail(&name, &draft).await;
            Reply::MappingDetail(name, result)
        }
        Request::DraftPreview(mapping, draft, record) => {
            Reply::SamplePreview(ops.draft_preview(&mapping, &draft, *record).await)
        }
        Request::Draft(name) => {
            let result = ops.mapping_draft(&name).await.map(Box::new);
            Reply::Draft(name, result)
        }
        Request::Trial(mapping, draft, record) => {
            // A person who types on is not to set every letter going.
            tokio::time::sleep(TYPED).await;
            Reply::Trial(ops.draft_preview(&mapping, &draft, *record).await)
        }
        Request::TryRule(mapping, draft, at, record) => {
            tokio::time::sleep(TYPED).await;
            Reply::RuleTried(ops.try_rule(&mapping, &draft, at, *record).await)
        }
        Request::ActionNames => Reply::ActionNames(ops.action_names(connection).await),
        Request::CreateField(new) => {
            Reply::FieldCreated(ops.create_contact_field(connection, &new).await)
        }
        Request::SaveMapping(name, both) => {
            let (before, after) = *both;
            let result = ops.save_mapping(&name, &before, &after).await;
            Reply::MappingSaved(name, result)
        }
        Request::Suggest(mapping, draft) => {
            Reply::Suggestions(ops.draft_suggestions(&mapping, &draft).await)
        }
        Request::Survey(name, draft) => {
            let result = ops.survey(&name, &draft).await;
            Reply::Survey(name, result)
        }
        Request::Check => Reply::Findings(ops.check().await),
        Request::Jobs { query, page } => Reply::Jobs {
            page,
            result: ops.jobs(&query).await,
        },
        Request::Job(id) => Reply::Job(ops.job(&id).await),
        Request::Groups => {
            let only = ops.only(connection);
            Reply::Groups(ops.failure_groups(GROUPS, only).await)
        }
        Request::Pace(since) => {
            let result = ops.pace(connection, since).await;
            Reply::Pace(since, result)
        }
        Request::AfterRetry(since) => {
            let result = ops.after_retry(connection, since).await;
            Reply::AfterRetry(since, result)
        }
        Request::Count(chosen) => {
            let result = ops.count_chosen(&chosen).await;
            Reply::Count(chosen, result)
        }
        Request::CountDiscardable(chosen) => {
            let result = ops.count_discardable(&chosen).await;
            Reply::Count(chosen, result)
        }
        Request::Pause {
            scope,
            reason,
            until,
        } => {
            let result = ops.pause(&scope, &reason, until).await;
            Reply::Paused(scope, result)
        }
        Request::Resume(scope) => {
            let result = ops.resume(&scope).await;
            Reply::Resumed(scope, result)
        }
        Request::Retry(chosen) => {
            let result = ops.retry(&chosen).await;
            Reply::Retried(chosen, result)
        }
        Request::Later(action, chosen, total) => {
            let result = ops.bulk_later(action, &chosen, WINDOW).await;
            Reply::Begun(action, total, result)
        }
        Request::CancelBulk(id) => {
            let result = ops.cancel_bulk(&id).await;
            Reply::Cancelled(id, result)
        }
        Request::Bulks => Reply::Bulks(ops.bulks(BULKS).await),
        Request::Exports => Reply::Exports(ops.exports(RUNS, ops.only(connection)).await),
        Request::StillFailed(run) => {
            let result = ops.still_failed(&run).await;
            Reply::StillFailed(run, result)
        }
        Request::StartExport(mapping, options) => {
            Reply::Run("started", ops.start_export(&mapping, options).await)
        }
        Request::PauseExport(id) => Reply::Run("paused", ops.pause_export(&id).await),
        Request::ResumeExport(id) => Reply::Run("resumed", ops.resume_export(&id).await),
        Request::CancelExport(id) => Reply::Run("cancelled", ops.cancel_export(&id).await),
        Request::Calls => Reply::Calls(ops.recent_calls()),
        Request::Log { filter, limit } => Reply::Log {
            since: false,
            result: ops.activity(filter, limit).await,
        },
        Request::LogSince(place) => Reply::Log {
            since: true,
            result: ops.activity_since(*place).await,
        },
        Request::Audit { limit } => Reply::Audit(ops.audit(limit, None).await),
    }
}

fn mappings_of(ops: &Operations, connection: &ConnectionName) -> Vec<MappingSummary> {
    let mut mappings = ops.mappings();
    mappings.retain(|mapping| mapping.connection == *connection);
    mappings
}

async fn reload(
    ops: &Operations,
    connection: &ConnectionName,
    overrides: &Overrides,
    credentials: bool,
) -> Done<Box<Configured>> {
    let result = ops.reload().await;
    let problems = match credentials {
        true => ops.refresh_credentials().await,
        false => Vec::new(),
    };
    Ok(Box::new(Configured {
        reloaded: result?,
        problems,
        options: Options::of(&ops.tui(), overrides, connection.clone()),
        account: ops.account(connection),
        environment: ops.environment(),
        production: ops.is_production(),
        mappings: mappings_of(ops, connection),
        connections: ops.connections(),
        connected: ops.connections().contains(connection),
    }))
}

/// Runs questions as tasks. A newer question of a slot ends the older; writes run to their end.
pub struct Runner {
    doors: Doors,
    /// The connection in view.
    connection: ConnectionName,
    tasks: TaskTracker,
    cancel: CancellationToken,
    running: HashMap<Slot, CancellationToken>,
    answers: mpsc::Sender<Event>,
}

impl Runner {
    /// A runner that asks of a connection and answers into a channel.
    pub fn new(doors: Doors, connection: ConnectionName, answers: mpsc::Sender<Event>) -> Self {
        Self {
            doors,
            connection,
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            running: HashMap::new(),
            answers,
        }
    }

    /// Asks another connection from now on.
    pub fn connect(&mut self, connection: ConnectionName) {
        self.connection = connection;
    }

    /// Starts a question.
    pub fn ask(&mut self, slot: Slot, generation: u64, request: Request) {
        let token = self.cancel.child_token();
        if let Some(older) = self.running.insert(slot, token.clone()) {
            older.cancel();
        }
        let work = (self.doors.perform)(self.connection.clone(), request);
        let answers = self.answers.clone();
        let writes = matches!(slot, Slot::Write(_));
        if writes {
            self.running.remove(&slot);
        }
        self.tasks.spawn(async move {
            let reply = if writes {
                work.await
            } else {
                tokio::select! {
                    reply = work => reply,
                    () = token.cancelled() => return,
                }
            };
            let answer = Box::new(Answer {
                slot,
                generation,
                reply,
            });
            // The receiver is gone only when the control room is being left.
            let _ = answers.send(Event::Answer(answer)).await;
        });
    }

    /// Ends a question.
    pub fn cancel(&mut self, slot: Slot) {
        if let Some(token) = self.running.remove(&slot) {
            token.cancel();
        }
    }

    /// Keeps the view for the next start.
    pub fn remember(&self, view: String) {
        self.tasks.spawn((self.doors.remember)(view));
    }

    /// Ends all questions and waits for writes in flight; answers that still come are dropped.
    pub async fn shut_down(self, answers: &mut mpsc::Receiver<Event>, most: std::time::Duration) {
        self.cancel.cancel();
        self.tasks.close();
        let drain = async {
            // Writers must not hang on a full channel that nobody reads.
            while answers.recv().await.is_some() {}
        };
        tokio::select! {
            () = self.tasks.wait() => {}
            () = drain => {}
            () = tokio::time::sleep(most) => {}
        }
    }
}
