//! The demo: a sandbox, a temporary store, and the main job from end to end. Nothing of it stays.

use super::queue::{Chosen, JobQuery};
use super::{Done, OpenOptions, Operations};
use crate::config::Config;
use crate::model::export::{ExportOptions, Summary};
use crate::model::job::JobState;
use crate::model::view::SyncResult;
use crate::model::{DataType, ErrorClass, Job, Level, MappingName, Problem, Properties, Property};
use crate::sandbox::{ACTIVECAMPAIGN_TOKEN, HIGHLEVEL_TOKEN, Options, Sandbox};
use serde::Serialize;
use serde_json::Value;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A sandbox with an opened Tramline upon it.
pub struct Demo {
    pub operations: Operations,
    sandbox: Sandbox,
    /// Store, log, tokens and configuration; removed when the demo ends.
    folder: tempfile::TempDir,
}

/// Numbers of findings of the check.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Checked {
    pub good: usize,
    pub warnings: usize,
    pub errors: usize,
}

/// What the headless demo did, as its summary on stdout.
#[derive(Debug, Serialize)]
pub struct Story {
    pub check: Checked,
    pub export: Summary,
    /// A record was changed and synced: the contact's new values. `None` where no record can be synced.
    pub changed: Option<SyncResult>,
    /// A failed job, mended and tried again. `None` where none failed.
    pub mended: Option<Mended>,
}

/// A job that failed, what mended it, and how it ended.
#[derive(Debug, Serialize)]
pub struct Mended {
    pub job: String,
    pub record: String,
    pub error: String,
    pub mended: Properties,
    pub state: JobState,
    pub contact_id: Option<String>,
}

impl Demo {
    /// Starts the sandbox on loopback with sample data and opens a temporary store.
    ///
    /// # Errors
    /// No loopback address or temporary folder is to be had.
    pub async fn start(records: usize) -> Done<Self> {
        let failed = |what: &str, error: std::io::Error| {
            Problem::new(ErrorClass::Store, format!("{what}: {error}"))
        };
        let sandbox = Sandbox::start(Options {
            records,
            ..Options::default()
        })
        .await
        .map_err(|error| failed("the sandbox cannot listen on loopback", error))?;
        let folder = tempfile::Builder::new()
            .prefix("tramline-demo-")
            .tempdir()
            .map_err(|error| failed("no temporary folder", error))?;
        let config = Self::configure(folder.path(), &sandbox)
            .map_err(|error| failed("the temporary folder cannot be written", error))?;
        let operations = Operations::open(
            config?,
            OpenOptions {
                worker: true,
                ..OpenOptions::default()
            },
        )
        .await?;
        Ok(Self {
            operations,
            sandbox,
            folder,
        })
    }

    fn configure(folder: &Path, sandbox: &Sandbox) -> std::io::Result<Done<Config>> {
        let (highlevel, activecampaign) = (
            folder.join("highlevel.token"),
            folder.join("activecampaign.token"),
        );
        write(&highlevel, HIGHLEVEL_TOKEN)?;
        write(&activecampaign, ACTIVECAMPAIGN_TOKEN)?;
        let text = format!(
            "{}\n[store]\nurl = \"sqlite:tramline.db\"\n",
            sandbox.config_toml(&highlevel, &activecampaign)
        );
        let path = folder.join("config.toml");
        write(&path, &text)?;
        Ok(Config::parse(&text, &path).map_err(Problem::from))
    }

    /// Closes everything and removes the folder.
    pub async fn end(self) {
        self.operations.close().await;
        self.sandbox.stop().await;
        // What cannot be removed lies in the system's temporary folder and goes with it.
        let _ = self.folder.close();
    }

    /// Checks all that can be checked.
    pub async fn check(&self) -> Checked {
        let findings = self.operations.check().await;
        let count = |level| {
            findings
                .iter()
                .filter(|finding| finding.level == level)
                .count()
        };
        Checked {
            good: count(Level::Ok),
            warnings: count(Level::Warning),
            errors: count(Level::Error),
        }
    }

    /// Starts the export of all pets.
    ///
    /// # Errors
    /// As [`Operations::start_export`].
    pub async fn export(&self) -> Done<crate::model::export::Run> {
        self.operations
            .start_export(&Self::mapping(), ExportOptions::default())
            .await
    }

    /// Changes the newest pet's record in HighLevel and syncs it; `None` where no record can be synced.
    ///
    /// # Errors
    /// A call failed.
    pub async fn change_one(&self) -> Done<Option<SyncResult>> {
        let operations = &self.operations;
        let mapping = Self::mapping();
        let summary = operations
            .mappings()
            .into_iter()
            .find(|summary| summary.name == mapping)
            .ok_or_else(nothing)?;
        let mut chosen = None;
        for record in operations.mapping_samples(&mapping, 50).await? {
            let preview = operations
                .preview_record(&mapping, record.clone(), false)
                .await?;
            if preview.problem.is_none()
                && preview.superseded_by.is_none()
                && preview.fields.iter().all(|field| field.problem.is_none())
            {
                chosen = Some(record);
                break;
            }
        }
        let Some(record) = chosen else {
            return Ok(None);
        };
        let name = record
            .properties
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or("Pet");
        let mut change = Properties::new();
        change.insert(
            "name".into(),
            format!("{} II", name.chars().take(40).collect::<String>()).into(),
        );
        operations
            .update_record(&summary.connection, &summary.object, &record.id, &change)
            .await?;
        let results = operations.sync(&mapping, &[record.id], false).await?;
        results.into_iter().next().map(Some).ok_or_else(nothing)
    }

    /// Takes a failed job, mends its record with a value that fits, retries it and waits for its end; `None` where none
    /// failed.
    ///
    /// # Errors
    /// No failed job could be mended, or a call failed.
    pub async fn mend_one(&self) -> Done<Option<Mended>> {
        let operations = &self.operations;
        let failed = operations
            .jobs(&JobQuery {
                filter: "state:failed".into(),
                after: None,
                limit: 50,
            })
            .await?;
        if failed.jobs.is_empty() {
            return Ok(None);
        }
        for job in failed.jobs {
            let Some(change) = self.cure(&job).await? else {
                continue;
            };
            operations
                .update_record(&job.connection, &job.object, &job.record, &change)
                .await?;
            operations.retry(&Chosen::Ids(vec![job.id.clone()])).await?;
            let ended = operations.wait_for(std::slice::from_ref(&job.id)).await?;
            let Some(ended) = ended.into_iter().next() else {
                continue;
            };
            if ended.state == JobState::Done {
                return Ok(Some(Mended {
                    job: job.id.to_string(),
                    record: job.record.to_string(),
                    error: job.error.map(|error| error.to_string()).unwrap_or_default(),
                    mended: change,
                    state: ended.state,
                    contact_id: ended.contact.id.map(|id| id.to_string()),
                }));
            }
        }
        Err(Problem::new(
            ErrorClass::Invalid,
            "no failed job could be mended",
        ))
    }

    /// Values that mend everything a preview of the job's record finds wrong.
    async fn cure(&self, job: &Job) -> Done<Option<Properties>> {
        let operations = &self.operations;
        let preview = operations.preview(&job.mapping, &job.record).await?;
        let schema = operations.schema(&job.connection, &job.object).await?;
        let mut change = Properties::new();
        if preview.problem.is_some() {
            change.insert(
                "owner_email".into(),
                format!("mended-{}@example.org", job.record).into(),
            );
        }
        for field in preview
            .fields
            .iter()
            .filter(|field| field.problem.is_some())
        {
            let Some(property) = schema.property(&field.source) else {
                return Ok(None);
            };
            let Some(value) = sample(property) else {
                return Ok(None);
            };
            change.insert(property.key.clone(), value);
        }
        Ok((!change.is_empty()).then_some(change))
    }

    fn mapping() -> MappingName {
        MappingName::from("pets")
    }
}

/// A value that surely fits a property.
fn sample(property: &Property) -> Option<Value> {
    let option = || {
        property
            .options
            .first()
            .map(|option| Value::String(option.key.clone()))
    };
    match property.data_type {
        DataType::Date => Some("2024-05-01".into()),
        DataType::SingleOptions | DataType::Radio => option(),
        DataType::MultipleOptions | DataType::Checkbox => {
            option().map(|option| Value::Array(vec![option]))
        }
        DataType::Numerical => Some(1.into()),
        DataType::Monetory => Some(serde_json::json!({ "currency": "default", "value": 1 })),
        DataType::Email => Some("mended@example.org".into()),
        DataType::Text | DataType::LargeText => Some("mended".into()),
        _ => None,
    }
}

fn nothing() -> Problem {
    Problem::new(ErrorClass::Invalid, "the sandbox has no record that fits")
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
