-- What keeps jobs from being claimed: a person, or a breaker that a dead credential opened. An empty mapping is the
-- whole account. probe_at is the next moment at which one worker asks a broken account again.
CREATE TABLE pauses (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    set_by     TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    until      BIGINT,
    probe_at   BIGINT,
    probes     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection, mapping, kind)
) WITHOUT ROWID;

-- The version of each mapping that is in force: of the worker that read its configuration last.
CREATE TABLE mapping_versions (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    set_by     TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    PRIMARY KEY (connection, mapping)
) WITHOUT ROWID;

-- Processes that work the queue, each with the hashes of its mappings (JSON). One that dies leaves its row behind; whoever
-- reads looks whether the process is there.
CREATE TABLE workers (
    owner      TEXT   NOT NULL PRIMARY KEY,
    mappings   TEXT   NOT NULL,
    started_at BIGINT NOT NULL
) WITHOUT ROWID;

-- Claims that leave a mapping out go mapping by mapping.
CREATE INDEX jobs_ready_mapping ON jobs (connection, mapping, priority, seq) WHERE state = 'ready';

-- Failure groups of the jobs that need a person, kept with every change. A group that is empty stays for a while, so that
-- it is known when it was seen first.
CREATE TABLE error_groups (
    connection TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    field      TEXT,
    message    TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    first_at   BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    sample_seq BIGINT NOT NULL,
    PRIMARY KEY (connection, id)
) WITHOUT ROWID;
CREATE INDEX error_groups_number ON error_groups (number, last_at);
CREATE INDEX jobs_failing ON jobs (connection, error_group, seq)
    WHERE state IN ('failed', 'unknown') AND error_group IS NOT NULL;

INSERT INTO error_groups (connection, id, class, field, message, number, first_at, last_at, sample_seq)
SELECT j.connection, j.error_group, coalesce(j.error_class, 'unknown'), j.error_field, coalesce(j.error_message, ''),
       g.number, g.first_at, g.last_at, g.sample
FROM (SELECT connection, error_group, count(*) AS number, min(updated_at) AS first_at, max(updated_at) AS last_at,
             max(seq) AS sample
      FROM jobs WHERE error_group IS NOT NULL AND state IN ('failed', 'unknown')
      GROUP BY connection, error_group) g
JOIN jobs j ON j.seq = g.sample;

CREATE TRIGGER jobs_group_insert AFTER INSERT ON jobs
WHEN new.error_group IS NOT NULL AND new.state IN ('failed', 'unknown') BEGIN
    INSERT INTO error_groups (connection, id, class, field, message, number, first_at, last_at, sample_seq)
    VALUES (new.connection, new.error_group, coalesce(new.error_class, 'unknown'), new.error_field,
            coalesce(new.error_message, ''), 1, new.updated_at, new.updated_at, new.seq)
    ON CONFLICT (connection, id) DO UPDATE SET number = number + 1, last_at = excluded.last_at,
        message = excluded.message, sample_seq = excluded.sample_seq;
END;

CREATE TRIGGER jobs_group_delete AFTER DELETE ON jobs
WHEN old.error_group IS NOT NULL AND old.state IN ('failed', 'unknown') BEGIN
    UPDATE error_groups SET number = number - 1,
        sample_seq = CASE WHEN sample_seq <> old.seq THEN sample_seq ELSE coalesce(
            (SELECT max(seq) FROM jobs WHERE connection = old.connection AND error_group = old.error_group
                AND state IN ('failed', 'unknown')), sample_seq) END
    WHERE connection = old.connection AND id = old.error_group;
END;

-- A job leaves its group, enters one, or fails again with another error.
CREATE TRIGGER jobs_group_leave AFTER UPDATE OF state, error_group ON jobs
WHEN old.error_group IS NOT NULL AND old.state IN ('failed', 'unknown') BEGIN
    UPDATE error_groups SET number = number - 1,
        sample_seq = CASE WHEN sample_seq <> old.seq THEN sample_seq ELSE coalesce(
            (SELECT max(seq) FROM jobs WHERE connection = old.connection AND error_group = old.error_group
                AND state IN ('failed', 'unknown')), sample_seq) END
    WHERE connection = old.connection AND id = old.error_group;
END;

CREATE TRIGGER jobs_group_enter AFTER UPDATE OF state, error_group ON jobs
WHEN new.error_group IS NOT NULL AND new.state IN ('failed', 'unknown') BEGIN
    INSERT INTO error_groups (connection, id, class, field, message, number, first_at, last_at, sample_seq)
    VALUES (new.connection, new.error_group, coalesce(new.error_class, 'unknown'), new.error_field,
            coalesce(new.error_message, ''), 1, new.updated_at, new.updated_at, new.seq)
    ON CONFLICT (connection, id) DO UPDATE SET number = number + 1, last_at = excluded.last_at,
        message = excluded.message, sample_seq = excluded.sample_seq;
END;

-- What a person asked to be done to many jobs. It is applied in slices, each with the place it ends at in one
-- transaction, so that any process can go on with it. Either a filter or a list of ids (JSON) says which jobs.
CREATE TABLE bulk_actions (
    id         TEXT   NOT NULL PRIMARY KEY,
    connection TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    filter     TEXT,
    ids        TEXT,
    set_by     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    changed    BIGINT NOT NULL DEFAULT 0,
    -- The last job met: its time and row of a filter's matches, or the number of ids done.
    after_at   BIGINT,
    after_seq  BIGINT,
    start_at   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX bulk_actions_open ON bulk_actions (start_at) WHERE state = 'open';

-- Values that a person put in place of a record's for one job (JSON). The one in force has no end.
CREATE TABLE edits (
    connection TEXT   NOT NULL,
    job_seq    BIGINT NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
    number     BIGINT NOT NULL,
    properties TEXT   NOT NULL,
    -- The record's version that the person saw, in microseconds.
    version    BIGINT NOT NULL,
    set_by     TEXT   NOT NULL,
    set_at     BIGINT NOT NULL,
    ended_at   BIGINT,
    ended_why  TEXT,
    PRIMARY KEY (job_seq, number)
) WITHOUT ROWID;
-- The edit that was in force during an attempt.
ALTER TABLE attempts ADD COLUMN edit BIGINT;

-- Every action of a person. A row is written before the action and told its end: one without an outcome was begun.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    connection TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    who        TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    reason     TEXT,
    number     BIGINT,
    outcome    TEXT
);
