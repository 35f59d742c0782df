-- Edits hold for a record and not for one job: they outlive the job that they were made for, and everything that syncs the
-- record goes by them until it changes.
CREATE TABLE record_edits (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    record_id  TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    properties TEXT   NOT NULL,
    -- The record's version that the person saw, in microseconds.
    version    BIGINT NOT NULL,
    set_by     TEXT   NOT NULL,
    set_at     BIGINT NOT NULL,
    ended_at   BIGINT,
    ended_why  TEXT,
    PRIMARY KEY (connection, mapping, record_id, number)
) WITHOUT ROWID;
CREATE INDEX edits_in_force ON record_edits (connection, mapping) WHERE ended_at IS NULL;

CREATE TEMP TABLE renumbered AS
    SELECT e.job_seq, e.number AS old, row_number() OVER (PARTITION BY j.connection, j.mapping, j.record_id
        ORDER BY e.set_at, e.job_seq, e.number) AS new
    FROM edits e JOIN jobs j ON j.seq = e.job_seq;
INSERT INTO record_edits (connection, mapping, record_id, number, properties, version, set_by, set_at, ended_at, ended_why)
    SELECT j.connection, j.mapping, j.record_id, r.new, e.properties, e.version, e.set_by, e.set_at, e.ended_at, e.ended_why
    FROM edits e JOIN jobs j ON j.seq = e.job_seq JOIN renumbered r ON r.job_seq = e.job_seq AND r.old = e.number;
UPDATE attempts SET edit = (SELECT new FROM renumbered r WHERE r.job_seq = attempts.job_seq AND r.old = attempts.edit)
    WHERE edit IS NOT NULL;
-- Of several that were in force for one record by different jobs, the last one is.
UPDATE record_edits SET ended_at = set_at, ended_why = 'replaced by another edit'
    WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM record_edits later WHERE later.connection = record_edits.connection
        AND later.mapping = record_edits.mapping AND later.record_id = record_edits.record_id
        AND later.number > record_edits.number);
DROP TABLE renumbered;
DROP TABLE edits;

-- What was done all the same, and a person should know of.
ALTER TABLE attempts ADD COLUMN warning TEXT;

-- A worker that does not beat any more is none, wherever it ran.
ALTER TABLE workers ADD COLUMN alive_until BIGINT NOT NULL DEFAULT 0;

-- Imports that the backlog of the queue has on their way. Their contacts are busy until the result is final, whatever becomes
-- of the worker that sent them: what is queued at ActiveCampaign would else arrive behind a newer state.
CREATE TABLE flights (
    id          INTEGER PRIMARY KEY,
    connection  TEXT   NOT NULL,
    -- NULL until the answer tells it.
    import      TEXT,
    sent_at     BIGINT NOT NULL,
    owner       TEXT   NOT NULL,
    -- From then on any worker may look after it.
    owner_until BIGINT NOT NULL
);
CREATE TABLE flight_contacts (
    connection TEXT   NOT NULL,
    email      TEXT   NOT NULL,
    flight     BIGINT NOT NULL REFERENCES flights (id) ON DELETE CASCADE,
    PRIMARY KEY (connection, email, flight)
) WITHOUT ROWID;
CREATE INDEX flight_contacts_flight ON flight_contacts (flight);
