-- Webhooks of HighLevel as they came: on disk before they are answered, worked off afterwards. A webhook is known again by
-- its key, for as long as retention keeps it.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection  TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    -- The event's own time, where it names one; what is due is worked off in its order.
    happened_at BIGINT,
    received_at BIGINT NOT NULL,
    body        TEXT   NOT NULL,
    -- new, done or ignored.
    state       TEXT   NOT NULL DEFAULT 'new',
    due_at      BIGINT NOT NULL,
    tries       BIGINT NOT NULL DEFAULT 0,
    note        TEXT
);
CREATE UNIQUE INDEX events_key ON events (connection, key);
CREATE INDEX events_due ON events (due_at) WHERE state = 'new';
CREATE INDEX events_received ON events (received_at);

-- Why a record is believed to be deleted: HighLevel said so (event), or a complete walk did not meet it (walk). Only with
-- that a record that cannot be read leads to on_delete. A settled one is not looked into again.
CREATE TABLE deletions (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    record_id  TEXT   NOT NULL,
    evidence   TEXT   NOT NULL,
    noticed_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (connection, mapping, record_id)
) WITHOUT ROWID;

-- What each mapping has to do at times: poll, schedule, reconcile. The process that holds the lease does it; if it dies, the
-- time is still due. `spec` is what the time follows from: another one starts afresh.
CREATE TABLE timers (
    connection  TEXT   NOT NULL,
    mapping     TEXT   NOT NULL,
    duty        TEXT   NOT NULL,
    spec        TEXT   NOT NULL,
    due_at      BIGINT NOT NULL,
    done_at     BIGINT,
    owner       TEXT,
    lease_until BIGINT,
    PRIMARY KEY (connection, mapping, duty)
) WITHOUT ROWID;
