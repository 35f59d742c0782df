-- Times are microseconds since 1970 (UTC), JSON is text, every row carries its connection.

CREATE TABLE jobs (
    seq             INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    connection      TEXT    NOT NULL,
    mapping         TEXT    NOT NULL,
    object          TEXT    NOT NULL,
    record_id       TEXT    NOT NULL,
    contact_id      TEXT,
    email           TEXT,
    state           TEXT    NOT NULL,
    wait_reason     TEXT,
    wait_until      BIGINT,
    wait_by         TEXT,
    trigger_kind    TEXT    NOT NULL,
    run_id          TEXT,
    priority        BIGINT  NOT NULL,
    attempts        BIGINT  NOT NULL DEFAULT 0,
    tries           BIGINT  NOT NULL DEFAULT 0,
    error_class     TEXT,
    error_status    BIGINT,
    error_field     TEXT,
    error_message   TEXT,
    error_remedy    TEXT,
    error_request   TEXT,
    error_group     TEXT,
    search_ids      TEXT    NOT NULL,
    search_error    TEXT    NOT NULL DEFAULT '',
    epoch           BIGINT  NOT NULL DEFAULT 0,
    lease_owner     TEXT,
    lease_until     BIGINT,
    follow_up       TEXT,
    follow_priority BIGINT,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL
);

-- One open job per record of a mapping: later changes coalesce into it.
CREATE UNIQUE INDEX jobs_open ON jobs (connection, mapping, record_id) WHERE state NOT IN ('done', 'discarded');
CREATE INDEX jobs_ready ON jobs (connection, priority, seq) WHERE state = 'ready';
CREATE INDEX jobs_due ON jobs (connection, wait_until) WHERE state = 'waiting';
CREATE INDEX jobs_lease ON jobs (lease_until) WHERE state = 'running';

-- Every list comes in two orders; each of these serves one leading key in one order.
CREATE INDEX jobs_created ON jobs (created_at);
CREATE INDEX jobs_updated ON jobs (updated_at);
CREATE INDEX jobs_state_created ON jobs (state, created_at);
CREATE INDEX jobs_state_updated ON jobs (state, updated_at);
CREATE INDEX jobs_scope_created ON jobs (connection, mapping, state, created_at);
CREATE INDEX jobs_scope_updated ON jobs (connection, mapping, state, updated_at);
CREATE INDEX jobs_class_created ON jobs (error_class, created_at) WHERE error_class IS NOT NULL;
CREATE INDEX jobs_class_updated ON jobs (error_class, updated_at) WHERE error_class IS NOT NULL;
CREATE INDEX jobs_group_created ON jobs (error_group, created_at) WHERE error_group IS NOT NULL;
CREATE INDEX jobs_group_updated ON jobs (error_group, updated_at, state) WHERE error_group IS NOT NULL;
CREATE INDEX jobs_run_created ON jobs (run_id, created_at) WHERE run_id IS NOT NULL;
CREATE INDEX jobs_run_updated ON jobs (run_id, updated_at) WHERE run_id IS NOT NULL;
CREATE INDEX jobs_record ON jobs (record_id);
CREATE INDEX jobs_contact ON jobs (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX jobs_email ON jobs (email) WHERE email IS NOT NULL;

CREATE TABLE job_counts (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    object     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (connection, mapping, object, state)
) WITHOUT ROWID;

CREATE TRIGGER jobs_count_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (connection, mapping, object, state, number)
    VALUES (new.connection, new.mapping, new.object, new.state, 1)
    ON CONFLICT (connection, mapping, object, state) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER jobs_count_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET number = number - 1
    WHERE connection = old.connection AND mapping = old.mapping AND object = old.object AND state = old.state;
END;

CREATE TRIGGER jobs_count_state AFTER UPDATE OF state, object ON jobs
WHEN old.state <> new.state OR old.object <> new.object BEGIN
    UPDATE job_counts SET number = number - 1
    WHERE connection = old.connection AND mapping = old.mapping AND object = old.object AND state = old.state;
    INSERT INTO job_counts (connection, mapping, object, state, number)
    VALUES (new.connection, new.mapping, new.object, new.state, 1)
    ON CONFLICT (connection, mapping, object, state) DO UPDATE SET number = number + 1;
END;

-- Text search over what jobs_search names; the texts are folded before they are stored.
CREATE VIRTUAL TABLE jobs_search USING fts5 (
    search_ids, search_error,
    content = 'jobs', content_rowid = 'seq', tokenize = 'trigram case_sensitive 1'
);

CREATE TRIGGER jobs_search_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO jobs_search (rowid, search_ids, search_error) VALUES (new.seq, new.search_ids, new.search_error);
END;

CREATE TRIGGER jobs_search_delete AFTER DELETE ON jobs BEGIN
    INSERT INTO jobs_search (jobs_search, rowid, search_ids, search_error)
    VALUES ('delete', old.seq, old.search_ids, old.search_error);
END;

CREATE TRIGGER jobs_search_update AFTER UPDATE OF search_ids, search_error ON jobs
WHEN old.search_ids <> new.search_ids OR old.search_error <> new.search_error BEGIN
    INSERT INTO jobs_search (jobs_search, rowid, search_ids, search_error)
    VALUES ('delete', old.seq, old.search_ids, old.search_error);
    INSERT INTO jobs_search (rowid, search_ids, search_error) VALUES (new.seq, new.search_ids, new.search_error);
END;

CREATE TABLE attempts (
    connection    TEXT   NOT NULL,
    job_seq       BIGINT NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    ended_at      BIGINT,
    worker        TEXT   NOT NULL,
    outcome       TEXT   NOT NULL,
    error         TEXT,
    request       TEXT,
    response      TEXT,
    mapping_hash  TEXT   NOT NULL,
    UNIQUE (job_seq, number)
);
CREATE INDEX attempts_started ON attempts (started_at);

CREATE TABLE runs (
    id             TEXT   NOT NULL PRIMARY KEY,
    connection     TEXT   NOT NULL,
    mapping        TEXT   NOT NULL,
    object         TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    dry_run        BIGINT NOT NULL,
    options        TEXT   NOT NULL,
    mapping_hash   TEXT   NOT NULL,
    seen           BIGINT NOT NULL DEFAULT 0,
    unchanged      BIGINT NOT NULL DEFAULT 0,
    synced         BIGINT NOT NULL DEFAULT 0,
    superseded     BIGINT NOT NULL DEFAULT 0,
    skipped        BIGINT NOT NULL DEFAULT 0,
    failed         BIGINT NOT NULL DEFAULT 0,
    total          BIGINT,
    highlevel      BIGINT NOT NULL DEFAULT 0,
    activecampaign BIGINT NOT NULL DEFAULT 0,
    throttled      BIGINT NOT NULL DEFAULT 0,
    checkpoint     TEXT,
    position       TEXT,
    error          TEXT,
    owner          TEXT,
    owner_until    BIGINT,
    -- The last row of the outbox that was taken, by kind.
    taken_import   BIGINT NOT NULL DEFAULT 0,
    taken_single   BIGINT NOT NULL DEFAULT 0,
    -- The last moment up to which elapsed (microseconds of work) is counted.
    beat_at        BIGINT NOT NULL,
    elapsed        BIGINT NOT NULL DEFAULT 0,
    started_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    ended_at       BIGINT
);
CREATE UNIQUE INDEX runs_open ON runs (connection, mapping) WHERE state IN ('running', 'paused') AND dry_run = 0;
CREATE INDEX runs_mapping ON runs (connection, mapping, started_at);

-- What each mapping saw of each record. A record that competes is a candidate for its contact. run_outcome is what
-- the run counted the record as; outcome follows later syncs as well.
CREATE TABLE records (
    connection    TEXT   NOT NULL,
    mapping       TEXT   NOT NULL,
    record_id     TEXT   NOT NULL,
    email         TEXT,
    version       BIGINT NOT NULL,
    competes      BIGINT NOT NULL,
    run_id        TEXT,
    run_outcome   TEXT,
    outcome       TEXT   NOT NULL,
    superseded_by TEXT,
    PRIMARY KEY (connection, mapping, record_id)
) WITHOUT ROWID;
CREATE INDEX records_candidates ON records (connection, mapping, email, version, record_id) WHERE competes = 1;

-- Writes that a run has planned and ActiveCampaign has not confirmed, in the order of planning. A row is taken once its id
-- is not above its run's taken_KIND; it then belongs to the batch of its run and kind whose range holds the id. Ids
-- are never used again, and rows are not touched between planning and confirming.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    connection   TEXT   NOT NULL,
    mapping      TEXT   NOT NULL,
    email        TEXT   NOT NULL,
    record_id    TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    size         BIGINT NOT NULL,
    contact_id   TEXT,
    created      BIGINT NOT NULL DEFAULT 0,
    confirmed    BIGINT NOT NULL DEFAULT 0,
    -- 1: the run counts the record by a later plan.
    replanned    BIGINT NOT NULL DEFAULT 0,
    fingerprint  TEXT   NOT NULL,
    properties   TEXT,
    write        TEXT   NOT NULL
);
CREATE INDEX outbox_email ON outbox (email, run_id);

CREATE TABLE batches (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    run_id     TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    first_id   BIGINT NOT NULL,
    last_id    BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    import_id  TEXT,
    -- Rows whose result is still awaited.
    pending    BIGINT NOT NULL,
    sent_at    BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX batches_run ON batches (run_id);

-- What ActiveCampaign last confirmed for a contact, and whose values those are.
CREATE TABLE links (
    connection    TEXT   NOT NULL,
    mapping       TEXT   NOT NULL,
    email         TEXT   NOT NULL,
    contact_id    TEXT,
    record_id     TEXT   NOT NULL,
    version       BIGINT NOT NULL,
    fingerprint   TEXT   NOT NULL,
    write         TEXT   NOT NULL,
    properties    TEXT,
    created_by_us BIGINT NOT NULL,
    confirmed_at  BIGINT NOT NULL,
    PRIMARY KEY (connection, mapping, email)
);
CREATE INDEX links_record ON links (connection, mapping, record_id);
CREATE INDEX links_contact ON links (connection, contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE budgets (
    key        TEXT NOT NULL PRIMARY KEY,
    state      TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE meta (
    connection TEXT NOT NULL,
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (connection, key)
) WITHOUT ROWID;

-- One row: the number of write transactions so far, by which other processes see that something changed.
CREATE TABLE changes (number BIGINT NOT NULL);
INSERT INTO changes (number) VALUES (0);
