//! What may be claimed: the connections and mappings that nothing stops, and their ready jobs by urgency and age.

use super::Store;
use super::claim::{BACKLOG, PERSON};
use super::error::Result;
use super::pauses::Stops;
use super::rows::push_list;
use super::sqlite::{BACKLOG_OF, READY, READY_OF};
use crate::model::{ConnectionName, MappingName};
use sqlx::{QueryBuilder, SqliteConnection};

impl Store {
    /// The connections that are not stopped, without their mappings that are, and those of which another version is in
    /// force than this process has. With `backlogs`, those that have one are told apart.
    pub(super) async fn open_queues<'a>(
        &self,
        reader: &mut SqliteConnection,
        connections: &'a [ConnectionName],
        now: i64,
        backlogs: bool,
    ) -> Result<Vec<Open<'a>>> {
        let stops = Stops::read(reader, now).await?;
        let others = self.versions_of_others(reader).await?;
        let mut open = Vec::with_capacity(connections.len());
        for connection in connections.iter().filter(|one| !stops.on_account(one)) {
            let others = others
                .iter()
                .filter(|version| version.connection == *connection)
                .map(|version| &version.mapping);
            let without = stops.mappings_of(connection).into_iter().chain(others);
            let mut queue = Open {
                connection,
                without: without.cloned().collect(),
                backlogs: Vec::new(),
            };
            if backlogs {
                queue.backlogs = queue.read_backlogs(reader).await?;
            }
            open.push(queue);
        }
        Ok(open)
    }
}

/// A connection whose jobs may be claimed now, without the mappings that may not.
pub(super) struct Open<'a> {
    pub(super) connection: &'a ConnectionName,
    without: Vec<MappingName>,
    /// Mappings whose jobs are worked together, but for those of persons.
    pub(super) backlogs: Vec<MappingName>,
}

impl Open<'_> {
    pub(super) async fn has_ready(&self, reader: &mut SqliteConnection) -> Result<bool> {
        if !self.is_whole() {
            for mapping in self.mappings(reader).await? {
                let one = std::slice::from_ref(&mapping);
                if !self.has_backlog(&mapping)
                    || !self
                        .of_class(reader, PERSON, Some(one), 1)
                        .await?
                        .is_empty()
                {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let ready: Option<i64> = sqlx::query_scalar(
            "SELECT seq FROM jobs WHERE state = 'ready' AND connection = $1 LIMIT 1",
        )
        .bind(self.connection.as_str())
        .fetch_optional(reader)
        .await?;
        Ok(ready.is_some())
    }

    /// True if every ready job of the connection may be claimed singly.
    fn is_whole(&self) -> bool {
        self.without.is_empty() && self.backlogs.is_empty()
    }

    fn has_backlog(&self, mapping: &str) -> bool {
        self.backlogs.iter().any(|one| one.as_str() == mapping)
    }

    /// The mappings that may be claimed and have a backlog.
    async fn read_backlogs(&self, reader: &mut SqliteConnection) -> Result<Vec<MappingName>> {
        let many: Vec<String> = sqlx::query_scalar(
            "SELECT mapping FROM job_counts WHERE state = 'ready' AND connection = $1 GROUP BY mapping
             HAVING sum(number) >= $2 ORDER BY mapping",
        )
        .bind(self.connection.as_str())
        .bind(BACKLOG)
        .fetch_all(&mut *reader)
        .await?;
        let mut backlogs = Vec::new();
        for mapping in many.into_iter().map(MappingName::from) {
            if self.without.contains(&mapping) {
                continue;
            }
            // The counts hold persons' jobs, too.
            let number: u32 = sqlx::query_scalar(BACKLOG_OF)
                .bind(self.connection.as_str())
                .bind(mapping.as_str())
                .bind(PERSON)
                .bind(BACKLOG)
                .fetch_one(&mut *reader)
                .await?;
            if number >= BACKLOG {
                backlogs.push(mapping);
            }
        }
        Ok(backlogs)
    }

    /// The mappings with ready jobs that may be claimed, by the kept counts.
    async fn mappings(&self, reader: &mut SqliteConnection) -> Result<Vec<String>> {
        let mut query = QueryBuilder::new(
            "SELECT DISTINCT mapping FROM job_counts WHERE state = 'ready' AND number > 0 AND connection = ",
        );
        query.push_bind(self.connection.as_str());
        if !self.without.is_empty() {
            query.push(" AND mapping NOT IN ");
            push_list(&mut query, self.without.iter().map(MappingName::as_str));
        }
        Ok(query.build_query_scalar().fetch_all(reader).await?)
    }

    /// The first ready jobs: class by class, within one the oldest first.
    pub(super) async fn best(
        &self,
        tx: &mut SqliteConnection,
        lowest_first: bool,
        limit: u32,
    ) -> Result<Vec<i64>> {
        let mut classes: Vec<i64> = (0..=PERSON).collect();
        if !lowest_first {
            classes.reverse();
        }
        // Where some mappings are left out, the others are read one by one: a million jobs that may not be claimed cost
        // nothing.
        let all = if self.is_whole() {
            None
        } else {
            Some(self.mappings(tx).await?)
        };
        let without_backlog = all.as_ref().map(|all| {
            let others = all.iter().filter(|mapping| !self.has_backlog(mapping));
            others.cloned().collect::<Vec<String>>()
        });
        let mut seqs: Vec<i64> = Vec::new();
        for class in classes {
            let wanted = i64::from(limit) - i64::try_from(seqs.len()).unwrap_or(0);
            if wanted <= 0 {
                break;
            }
            let mappings = if class == PERSON {
                &all
            } else {
                &without_backlog
            };
            seqs.extend(
                self.of_class(tx, class, mappings.as_deref(), wanted)
                    .await?,
            );
        }
        Ok(seqs)
    }

    pub(super) async fn of_class(
        &self,
        tx: &mut SqliteConnection,
        class: i64,
        mappings: Option<&[String]>,
        limit: i64,
    ) -> Result<Vec<i64>> {
        let Some(mappings) = mappings else {
            return Ok(sqlx::query_scalar(READY)
                .bind(self.connection.as_str())
                .bind(class)
                .bind(limit)
                .fetch_all(tx)
                .await?);
        };
        let mut found: Vec<i64> = Vec::new();
        for mapping in mappings {
            let of_mapping: Vec<i64> = sqlx::query_scalar(READY_OF)
                .bind(self.connection.as_str())
                .bind(class)
                .bind(limit)
                .bind(mapping)
                .fetch_all(&mut *tx)
                .await?;
            found.extend(of_mapping);
        }
        found.sort_unstable();
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found)
    }
}
