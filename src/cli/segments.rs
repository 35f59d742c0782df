//! `tramline segments`

use super::output::time;
use super::{Context, Exit};
use crate::model::segment::Needs;
use crate::model::{Problem, Segment};
use crate::operations::Operations;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the saved segments by name, with the numbers of contacts that ActiveCampaign counted last
    List {
        /// At most so many segments
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// The connection [default: the first]
        #[arg(long)]
        connection: Option<String>,
    },
    /// Create a segment of the contacts that have tags
    ///
    /// ActiveCampaign documents conditions on tags alone, so none on contact fields is offered here. A segment that follows a
    /// record's values is made of a rule that adds and removes a tag (when = "status == 'adopted'", add_tags = ["pet-adopted"])
    /// and of that tag; conditions on fields are made in ActiveCampaign, Contacts, Segments.
    Create(Create),
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// The segment's name; names are unique
    name: String,
    /// A tag that exists, by name; may be given several times
    #[arg(long = "tag", value_name = "TAG", required = true)]
    tags: Vec<String>,
    /// A contact needs all of the tags (the default)
    #[arg(long, conflicts_with = "any")]
    all: bool,
    /// A contact needs one of the tags
    #[arg(long)]
    any: bool,
    /// Only show what would be sent
    #[arg(long)]
    dry_run: bool,
    /// The connection [default: the first]
    #[arg(long)]
    connection: Option<String>,
}

pub async fn run(context: &Context, action: Action) -> Result<Exit, Problem> {
    let operations = context.open(false).await?;
    let exit = match action {
        Action::List { limit, connection } => {
            list(context, &operations, limit, connection.as_deref()).await
        }
        Action::Create(arguments) => create(context, &operations, &arguments).await,
    };
    operations.close().await;
    exit
}

async fn list(
    context: &Context,
    operations: &Operations,
    limit: usize,
    connection: Option<&str>,
) -> Result<Exit, Problem> {
    let connection = operations.connection(connection)?;
    let mut segments = operations.segments(&connection).await?;
    let all = segments.len();
    segments.truncate(limit);
    print(context, &segments);
    if all > limit {
        let left = all - limit;
        context
            .output
            .note(&format!("{left} more: give --limit {all}"));
    }
    Ok(Exit::Done)
}

async fn create(
    context: &Context,
    operations: &Operations,
    arguments: &Create,
) -> Result<Exit, Problem> {
    let connection = operations.connection(arguments.connection.as_deref())?;
    let (name, tags) = (&arguments.name, &arguments.tags);
    let needs = if arguments.any {
        Needs::Any
    } else {
        Needs::All
    };
    if !arguments.dry_run {
        let segment = operations
            .create_segment(&connection, name, tags, needs)
            .await?;
        print(context, &[segment]);
        return Ok(Exit::Done);
    }
    let draft = operations
        .draft_segment(&connection, name, tags, needs)
        .await?;
    if context.output.is_json() {
        context.output.document(&draft);
    } else {
        let segment = &draft.segment;
        let tags: Vec<String> = segment
            .tags
            .iter()
            .map(|tag| format!("{} (id {})", tag.name, tag.id))
            .collect();
        let between = match needs {
            Needs::All => " and ",
            Needs::Any => " or ",
        };
        context.output.line(&format!(
            "would create the segment \"{}\": contacts with the tag {}",
            segment.name,
            tags.join(between)
        ));
    }
    Ok(Exit::Done)
}

fn print(context: &Context, segments: &[Segment]) {
    let count = |number: Option<u64>| number.map_or_else(|| "—".into(), |n| n.to_string());
    let columns = ["ID", "NAME", "CONTACTS", "ACTIVE", "UPDATED", "LAST USED"];
    context.output.list(segments, &columns, |segment| {
        vec![
            segment.id.clone(),
            segment.name.clone(),
            count(segment.last_total),
            count(segment.last_active_total),
            time(segment.updated_at),
            time(segment.last_used_at),
        ]
    });
}
