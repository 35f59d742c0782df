-- The state of each record that was last confirmed, where its mapping has rules: a rule fires when its condition was false
-- then and is true now.
CREATE TABLE confirmed_states (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    record_id  TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    properties TEXT   NOT NULL,
    PRIMARY KEY (connection, mapping, record_id)
);

-- Links kept it before, by contact; a record that lost its contact and won it back would have lost its state.
INSERT INTO confirmed_states (connection, mapping, record_id, version, properties)
SELECT connection, mapping, record_id, max(version), properties FROM links
WHERE properties IS NOT NULL GROUP BY connection, mapping, record_id;

ALTER TABLE links DROP COLUMN properties;

-- What rules do to contacts beside their values. A row is one action of one rule for one record, once for each time that the
-- condition turns true. Such a turn is named by the version of the confirmed state it turned from (-1: none): until
-- the next state is confirmed it stays the same turn, whatever versions of the record are read meanwhile.
CREATE TABLE effects (
    seq         INTEGER PRIMARY KEY,
    connection  TEXT   NOT NULL,
    mapping     TEXT   NOT NULL,
    record_id   TEXT   NOT NULL,
    rule        TEXT   NOT NULL,
    turned_from BIGINT NOT NULL,
    -- The properties of that state, as long as the effect is not over: conditions may speak of them.
    previous    TEXT,
    -- The version in which the condition was first seen true.
    version     BIGINT NOT NULL,
    action      TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    -- The job that planned it or worked on it last.
    job_id      TEXT,
    contact_id  TEXT,
    -- What stood there before it was sent (JSON list of ids): what is there now and not in it, is new.
    known       TEXT,
    -- When its request left, or was last seen to have failed; NULL if surely none arrived.
    sent_at     BIGINT,
    request     TEXT,
    response    TEXT,
    error       TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (connection, mapping, record_id, rule, turned_from, action, target)
);
CREATE INDEX effects_open ON effects (connection, mapping, record_id)
    WHERE state IN ('planned', 'sending', 'failed', 'unknown');
CREATE INDEX effects_over ON effects (updated_at) WHERE state IN ('done', 'obsolete');

-- A person who retries a job whose effects are unknown decides to send them: once, for this retry.
CREATE TRIGGER effects_retried AFTER UPDATE OF state ON jobs
WHEN old.state = 'unknown' AND new.state = 'ready' AND new.trigger_kind = 'retry' BEGIN
    UPDATE effects SET state = 'planned', sent_at = NULL, known = NULL, updated_at = new.updated_at
    WHERE connection = new.connection AND mapping = new.mapping AND record_id = new.record_id AND state = 'unknown';
END;

-- A person who discards a job gives its effects up.
CREATE TRIGGER effects_discarded AFTER UPDATE OF state ON jobs
WHEN new.state = 'discarded' AND old.state <> 'discarded' BEGIN
    UPDATE effects SET state = 'obsolete', updated_at = new.updated_at
    WHERE connection = new.connection AND mapping = new.mapping AND record_id = new.record_id
        AND state IN ('planned', 'sending', 'failed', 'unknown');
END;

-- What goes along with a planned write in an import: tags and lists (JSON).
ALTER TABLE outbox ADD COLUMN rides TEXT;
