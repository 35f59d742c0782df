//! From a filter to SQL: every list follows one index in the order of the list, so that a page costs what it
//! shows and not what the table holds.
//!
//! Where a filter allows several values of its leading key, each is read by itself and the readings are merged; a
//! filter that names few rows (a record, a contact, a rare text) is answered from those rows.

use super::conditions::{object_keys, push_condition, push_rows, searchable};
use super::error::Result;
use super::jobs::{Sort, SortBy};
use super::pauses::Stops;
use super::rows::push_list;
use super::sqlite::{BY_NUMBER, SEARCH_PROBE, follow};
use crate::model::JobState;
use crate::model::filter::{Condition, Filter};
use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

/// A text that more rows hold than this is looked for along the list, where it is met soon.
const COMMON: i64 = 5_000;

/// More readings than this are not merged.
const MERGES: usize = 32;

/// A filter made ready for the jobs that are there now.
pub(super) struct Search<'a> {
    filter: &'a Filter,
    now: Timestamp,
    stops: Stops,
    /// States as they are kept, whatever they are shown as.
    only: &'static [JobState],
    lead: Lead,
}

/// What a list follows.
enum Lead {
    /// Nothing can match.
    Nothing,
    /// The table in the order of the list.
    All,
    /// Some rows, found by the term of that number, and sorted.
    Rows(usize),
    /// One index per order, `jobs_NAME_created` and `jobs_NAME_updated`, once for each set of values.
    Index {
        name: &'static str,
        columns: &'static [&'static str],
        values: Vec<Vec<String>>,
    },
}

/// One row of the kept counts.
pub(super) struct Scope {
    pub(super) connection: String,
    pub(super) mapping: String,
    object: String,
    state: String,
    pub(super) number: i64,
    /// True if these are due under a pause.
    stopped: bool,
}

/// The kept counts: one row for each connection, mapping, object and state.
pub(super) async fn scopes(reader: &mut SqliteConnection, stops: &Stops) -> Result<Vec<Scope>> {
    sqlx::query(
        "SELECT connection, mapping, object, state, number FROM job_counts WHERE number > 0",
    )
    .fetch_all(reader)
    .await?
    .iter()
    .map(|row| {
        let (connection, mapping): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let state: String = row.try_get(3)?;
        let stopped = state == JobState::Ready.name() && stops.on(&connection, &mapping).is_some();
        Ok(Scope {
            connection,
            mapping,
            object: row.try_get(2)?,
            state,
            number: row.try_get(4)?,
            stopped,
        })
    })
    .collect()
}

impl Scope {
    /// The state that its jobs are shown in.
    pub(super) fn shown(&self) -> &str {
        if self.stopped {
            JobState::Waiting.name()
        } else {
            &self.state
        }
    }

    /// True unless a term about connection, mapping, object or state excludes the jobs of this scope.
    pub(super) fn allowed(&self, filter: &Filter) -> bool {
        filter.terms.iter().all(|term| {
            let holds = match &term.condition {
                Condition::State(states) => states.iter().any(|state| state.name() == self.shown()),
                Condition::Mapping(names) => names.contains(&self.mapping),
                Condition::Connection(names) => names.contains(&self.connection),
                Condition::Object(keys) => object_keys(keys).contains(&self.object),
                Condition::Reason(_) if !term.negated => self.shown() == JobState::Waiting.name(),
                _ => return true,
            };
            holds != term.negated
        })
    }
}

/// True if the kept counts say all about a filter.
pub(super) fn is_scope_only(filter: &Filter) -> bool {
    filter.terms.iter().all(|term| {
        matches!(
            term.condition,
            Condition::State(_)
                | Condition::Mapping(_)
                | Condition::Connection(_)
                | Condition::Object(_)
        )
    })
}

impl<'a> Search<'a> {
    /// Chooses what to follow, by the kept counts and the number of rows that a text finds.
    pub(super) async fn prepare(
        reader: &mut SqliteConnection,
        filter: &'a Filter,
        now: Timestamp,
    ) -> Result<Search<'a>> {
        Self::prepare_only(reader, filter, &JobState::ALL, now).await
    }

    /// As [`Search::prepare`], for the jobs in some states, as the table has them: what an action can change.
    pub(super) async fn prepare_only(
        reader: &mut SqliteConnection,
        filter: &'a Filter,
        only: &'static [JobState],
        now: Timestamp,
    ) -> Result<Search<'a>> {
        let stops = Stops::read(reader, now.as_microsecond()).await?;
        let lead = choose(reader, filter, only, &stops).await?;
        Ok(Self {
            filter,
            now,
            stops,
            only,
            lead,
        })
    }

    /// The pauses that the search goes by.
    pub(super) fn stops(&self) -> &Stops {
        &self.stops
    }

    /// The rows of one page: `columns` (which hold `created_at`, `updated_at` and `seq`) behind the position `after`.
    pub(super) fn page(
        &self,
        columns: &str,
        sort: Sort,
        after: Option<(i64, i64)>,
        limit: u32,
    ) -> QueryBuilder<Sqlite> {
        let direction = if sort.ascending { "" } else { " DESC" };
        let column = sort.by.column();
        let order = format!(" ORDER BY {column}{direction}, seq{direction} LIMIT ");
        let mut query = QueryBuilder::new("");
        let readings = self.readings(sort.by);
        let merged = readings.len() > 1;
        for (index, reading) in readings.iter().enumerate() {
            if index > 0 {
                query.push(" UNION ALL ");
            }
            if merged {
                query.push("SELECT * FROM (");
            }
            query.push(format!("SELECT {columns} FROM jobs"));
            self.push_where(&mut query, reading);
            if let Some((at, seq)) = after {
                let sign = if sort.ascending { ">" } else { "<" };
                query.push(format!(" AND ({column}, seq) {sign} ("));
                query.push_bind(at).push(", ").push_bind(seq).push(")");
            }
            query.push(&order).push_bind(limit);
            if merged {
                query.push(")");
            }
        }
        if merged {
            query.push(&order).push_bind(limit);
        }
        query
    }

    /// The number of rows, counted up to `limit`.
    pub(super) fn count(&self, limit: i64) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("SELECT count(*) FROM (");
        for (index, reading) in self.readings(SortBy::Created).iter().enumerate() {
            if index > 0 {
                query.push(" UNION ALL ");
            }
            query.push("SELECT 1 FROM jobs");
            self.push_where(&mut query, reading);
        }
        query.push(" LIMIT ").push_bind(limit).push(")");
        query
    }

    fn readings(&self, by: SortBy) -> Vec<Reading<'_>> {
        let order = by.suffix();
        match &self.lead {
            Lead::Nothing => vec![Reading::Nothing],
            Lead::All => vec![Reading::Index {
                index: format!("jobs_{order}"),
                keys: Vec::new(),
            }],
            Lead::Rows(term) => vec![Reading::Rows(&self.filter.terms[*term].condition)],
            Lead::Index {
                name,
                columns,
                values,
            } => values
                .iter()
                .map(|values| Reading::Index {
                    index: format!("jobs_{name}_{order}"),
                    keys: columns
                        .iter()
                        .copied()
                        .zip(values.iter().map(String::as_str))
                        .collect(),
                })
                .collect(),
        }
    }

    fn push_where(&self, query: &mut QueryBuilder<Sqlite>, reading: &Reading<'_>) {
        match reading {
            Reading::Nothing => {
                query.push(" WHERE FALSE");
            }
            Reading::Rows(condition) => {
                query.push(BY_NUMBER).push(" WHERE ");
                push_rows(query, condition);
            }
            Reading::Index { index, keys } => {
                query.push(follow(index)).push(" WHERE TRUE");
                for (column, value) in keys {
                    query.push(format!(" AND {column} = ")).push_bind(*value);
                }
            }
        }
        if self.only.len() < JobState::ALL.len() {
            query.push(" AND state IN ");
            push_list(query, self.only.iter().map(|state| state.name()));
        }
        for term in &self.filter.terms {
            query.push(if term.negated {
                " AND NOT coalesce("
            } else {
                " AND ("
            });
            push_condition(query, &term.condition, &self.stops, self.now);
            query.push(if term.negated { ", FALSE)" } else { ")" });
        }
    }
}

enum Reading<'a> {
    Nothing,
    Rows(&'a Condition),
    Index {
        index: String,
        keys: Vec<(&'static str, &'a str)>,
    },
}

async fn choose(
    reader: &mut SqliteConnection,
    filter: &Filter,
    only: &[JobState],
    stops: &Stops,
) -> Result<Lead> {
    let positive = || {
        filter
            .terms
            .iter()
            .enumerate()
            .filter(|(_, term)| !term.negated)
            .map(|(index, term)| (index, &term.condition))
    };
    for (index, condition) in positive() {
        if matches!(condition, Condition::Record(_) | Condition::Contact(_)) {
            return Ok(Lead::Rows(index));
        }
    }
    for (index, condition) in positive() {
        if let Some(phrase) = searchable(condition) {
            let hits: i64 = sqlx::query_scalar(SEARCH_PROBE)
                .bind(phrase)
                .bind(COMMON + 1)
                .fetch_one(&mut *reader)
                .await?;
            if hits <= COMMON {
                return Ok(Lead::Rows(index));
            }
        }
    }
    let one = |name, columns, values: &[String]| {
        let mut values: Vec<Vec<String>> = values.iter().map(|value| vec![value.clone()]).collect();
        values.sort();
        values.dedup();
        (values.len() <= MERGES).then_some(Lead::Index {
            name,
            columns,
            values,
        })
    };
    let mut leads = [None, None, None];
    for (_, condition) in positive() {
        match condition {
            Condition::Group(groups) => leads[0] = one("group", &["error_group"], groups),
            Condition::Run(runs) => leads[1] = one("run", &["run_id"], runs),
            Condition::Class(classes) => {
                let names: Vec<String> = classes.iter().map(|class| class.name().into()).collect();
                leads[2] = one("class", &["error_class"], &names);
            }
            _ => {}
        }
    }
    if let Some(lead) = leads.into_iter().flatten().next() {
        return Ok(lead);
    }
    Ok(by_scope(&scopes(reader, stops).await?, filter, only, stops))
}

/// Follows the kept counts: only scopes that hold jobs are read.
fn by_scope(scopes: &[Scope], filter: &Filter, only: &[JobState], stops: &Stops) -> Lead {
    let allowed: Vec<&Scope> = scopes
        .iter()
        .filter(|scope| scope.allowed(filter))
        .filter(|scope| only.iter().any(|state| state.name() == scope.state))
        .collect();
    if allowed.is_empty() {
        return Lead::Nothing;
    }
    if allowed.len() == scopes.len() {
        return Lead::All;
    }
    // Of the jobs that are due, some may be stopped: then each mapping is read by itself.
    let named = !stops.is_empty()
        || filter.terms.iter().any(|term| {
            matches!(
                term.condition,
                Condition::Mapping(_) | Condition::Connection(_) | Condition::Object(_)
            )
        });
    let mut values: Vec<Vec<String>> = allowed
        .iter()
        .map(|scope| {
            let mut values = Vec::new();
            if named {
                values.push(scope.connection.clone());
                values.push(scope.mapping.clone());
            }
            values.push(scope.state.clone());
            values
        })
        .collect();
    values.sort();
    values.dedup();
    if values.len() > MERGES {
        return Lead::All;
    }
    if named {
        Lead::Index {
            name: "scope",
            columns: &["connection", "mapping", "state"],
            values,
        }
    } else {
        Lead::Index {
            name: "state",
            columns: &["state"],
            values,
        }
    }
}
