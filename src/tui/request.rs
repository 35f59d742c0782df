//! Questions to `operations` and their answers, as data: `update` only names them.

use super::Options;
use crate::model::SegmentMatches;
use crate::model::audit::AuditEntry;
use crate::model::bulk::{Bulk, BulkAction};
use crate::model::call::Call;
use crate::model::export::{ExportOptions, Run};
use crate::model::group::FailureGroup;
use crate::model::survey::Survey;
use crate::model::view::{Preview, SyncResult};
use crate::model::{
    ActionNames, BulkId, ConnectionName, ContactField, ContactId, Finding, MappingName, NewField,
    ObjectKey, ObjectSchema, Pause, Problem, Properties, Record, RecordId, RunId,
};
use crate::operations::connections::ConnectionSummary;
use crate::operations::draft::MappingSpec;
use crate::operations::drafts::{MappingDraft, Saved};
use crate::operations::filters::{FilterOf, SavedFilter};
use crate::operations::mappings::{MappingDetail, MappingSummary, SuggestedPair};
use crate::operations::pace::Pace;
use crate::operations::pauses::Scope;
use crate::operations::queue::{Chosen, JobDetail, JobList, JobQuery};
use crate::operations::records::change::RecordChange;
use crate::operations::records::file::{Filed, RecordFile};
use crate::operations::records::{RecordCursor, RecordList, RecordSearch, RelatedRecord};
use crate::operations::reload::Reloaded;
use crate::operations::retried::AfterRetry;
use crate::operations::rules::RuleTrial;
use crate::operations::schemas::SchemaSummary;
use crate::operations::status::Status;
use crate::operations::{Activity, Done, LogFilter, LogLine};
use jiff::Timestamp;

/// One question, or one thing to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Remembered,
    Status,
    Mappings,
    /// The connections to choose among.
    Connections,
    /// The saved filters of a list.
    Filters(FilterOf),
    SaveFilter(SavedFilter),
    DeleteFilter(SavedFilter),
    /// Read config.toml again, and the tokens too.
    Reload {
        credentials: bool,
    },
    Schemas {
        totals: bool,
    },
    Schema(ObjectKey),
    Records {
        object: ObjectKey,
        search: RecordSearch,
        page: usize,
        cursor: Option<RecordCursor>,
        limit: u32,
    },
    /// Write records into a file.
    FileRecords(Box<RecordFile>),
    Record(ObjectKey, RecordId),
    /// A job's record, with all that a form over it needs.
    Mend(ObjectKey, RecordId),
    Related(ObjectKey, RecordId),
    Preview(MappingName, RecordId),
    /// The segments that a contact matches.
    Segments(ContactId),
    Sync(MappingName, Vec<RecordId>),
    Create(ObjectKey, Properties),
    /// Change a record, unless somebody else changed the same of it meanwhile.
    Update(Box<RecordChange>),
    Delete(ObjectKey, Vec<RecordId>),
    MappingDetail(MappingName),
    Samples(MappingName),
    /// As [`Request::MappingDetail`], of a mapping that is not saved.
    DraftDetail(MappingName, Box<MappingSpec>),
    SamplePreview(MappingName, Box<Record>),
    /// As [`Request::SamplePreview`], by a mapping that is not saved.
    DraftPreview(MappingName, Box<MappingSpec>, Box<Record>),
    /// Where the edit of a mapping begins.
    Draft(MappingName),
    /// What a source that is being typed makes of a sample.
    Trial(MappingName, Box<MappingSpec>, Box<Record>),
    /// What a rule that is being typed makes of a sample; the mapping has it at this place.
    TryRule(MappingName, Box<MappingSpec>, usize, Box<Record>),
    /// What the account has that actions of rules can be about.
    ActionNames,
    CreateField(NewField),
    /// Write a mapping into config.toml: as it was, as it is to be.
    SaveMapping(MappingName, Box<(MappingSpec, MappingSpec)>),
    Suggest(MappingName, Box<MappingSpec>),
    /// Send all records through a mapping.
    Survey(MappingName, Box<MappingSpec>),
    Check,
    Jobs {
        query: JobQuery,
        page: usize,
    },
    Job(String),
    /// Failure groups, the largest first.
    Groups,
    /// How fast the queue has moved since then.
    Pace(Timestamp),
    /// What became of the jobs that were retried since then.
    AfterRetry(Timestamp),
    /// How many jobs a retry would touch.
    Count(Chosen),
    /// How many jobs a discard would touch.
    CountDiscardable(Chosen),
    /// Let nothing of a scope begin.
    Pause {
        scope: Scope,
        reason: String,
        until: Option<Timestamp>,
    },
    Resume(Scope),
    Retry(Chosen),
    /// An action on so many jobs, which can be taken back for a while before it is applied.
    Later(BulkAction, Chosen, u64),
    CancelBulk(BulkId),
    /// How far the latest actions on many are.
    Bulks,
    Exports,
    /// How many of the records that a run could not bring to their contacts still stand so.
    StillFailed(RunId),
    StartExport(MappingName, ExportOptions),
    PauseExport(RunId),
    ResumeExport(RunId),
    CancelExport(RunId),
    Calls,
    /// The last lines of the log that a filter wants.
    Log {
        filter: LogFilter,
        limit: usize,
    },
    /// The lines of the log since then.
    LogSince(Box<Activity>),
    /// The latest actions of people.
    Audit {
        limit: u32,
    },
}

/// An object's schema with the contact fields that its properties go to.
#[derive(Clone, Debug)]
pub struct SchemaDetail {
    pub schema: ObjectSchema,
    /// Pairs of property key and contact field, over all mappings.
    pub mapped_to: Vec<(String, String)>,
}

/// What the control room takes from a configuration that was read again.
#[derive(Clone, Debug)]
pub struct Configured {
    pub reloaded: Reloaded,
    /// Tokens that cannot be read.
    pub problems: Vec<Problem>,
    pub options: Options,
    pub account: String,
    pub environment: String,
    pub production: bool,
    pub mappings: Vec<MappingSummary>,
    pub connections: Vec<ConnectionName>,
    /// False if the connection in view is not configured any more.
    pub connected: bool,
}

/// The answer to a [`Request`] of the same name.
#[derive(Clone, Debug)]
pub enum Reply {
    Remembered(Done<Option<String>>),
    Status(Done<Status>),
    Mappings(Vec<MappingSummary>),
    Connections(Done<Vec<ConnectionSummary>>),
    Filters(FilterOf, Done<Vec<SavedFilter>>),
    /// As it was kept.
    FilterSaved(Done<SavedFilter>),
    /// False if it was gone already.
    FilterDeleted(SavedFilter, Done<bool>),
    Reloaded(Done<Box<Configured>>),
    Schemas {
        totals: bool,
        result: Done<Vec<SchemaSummary>>,
    },
    Schema(ObjectKey, Done<SchemaDetail>),
    Records {
        page: usize,
        result: Done<RecordList>,
    },
    /// What became of a file.
    Filed(Box<RecordFile>, Done<Filed>),
    Record(Done<Record>),
    Mend(Done<(SchemaDetail, Record)>),
    Related(RecordId, Done<Vec<RelatedRecord>>),
    Preview(RecordId, Done<Preview>),
    Segments(ContactId, Done<SegmentMatches>),
    Synced(Done<Vec<SyncResult>>),
    Saved(Done<Record>),
    /// A change that was not written: somebody else changed the same of the record, which is as it is now.
    Overtaken(Box<RecordChange>, Box<Record>),
    /// Deleted records, and the problem that stopped the rest.
    Deleted(Vec<RecordId>, Option<Problem>),
    MappingDetail(MappingName, Done<MappingDetail>),
    Samples(MappingName, Done<Vec<Record>>),
    SamplePreview(Done<Preview>),
    Draft(MappingName, Done<Box<MappingDraft>>),
    Trial(Done<Preview>),
    RuleTried(Done<RuleTrial>),
    ActionNames(Done<ActionNames>),
    FieldCreated(Done<ContactField>),
    MappingSaved(MappingName, Done<Saved>),
    Suggestions(Done<Vec<SuggestedPair>>),
    Survey(MappingName, Done<Survey>),
    Findings(Vec<Finding>),
    Jobs {
        page: usize,
        result: Done<JobList>,
    },
    Job(Done<JobDetail>),
    Groups(Done<Vec<FailureGroup>>),
    Pace(Timestamp, Done<Pace>),
    AfterRetry(Timestamp, Done<AfterRetry>),
    Count(Chosen, Done<u64>),
    /// The pauses in force then.
    Paused(Scope, Done<Vec<Pause>>),
    /// The pauses that ended.
    Resumed(Scope, Done<Vec<Pause>>),
    Retried(Chosen, Done<u64>),
    Begun(BulkAction, u64, Done<BulkId>),
    /// False if it was over already.
    Cancelled(BulkId, Done<bool>),
    Bulks(Done<Vec<Bulk>>),
    Exports(Done<Vec<Run>>),
    StillFailed(RunId, Done<u64>),
    /// A run that was started, paused, resumed or cancelled, with the word for it.
    Run(&'static str, Done<Run>),
    Calls(Vec<Call>),
    Log {
        /// True for what was written since the last look.
        since: bool,
        result: Done<(Vec<LogLine>, Activity)>,
    },
    Audit(Done<Vec<AuditEntry>>),
}

/// What a text in the editor is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Editing {
    pub object: ObjectKey,
    /// `None` for a record that is to be created.
    pub record: Option<RecordId>,
    /// The properties as they were: only what differs is written.
    pub before: Properties,
}
