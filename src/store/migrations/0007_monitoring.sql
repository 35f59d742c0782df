-- Jobs whose last attempt met an error, counted as job_counts counts all: /metrics is asked every few seconds, and must not
-- count a hundred thousand rows each time.
CREATE TABLE job_classes (
    connection TEXT   NOT NULL,
    mapping    TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    class      TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (connection, mapping, state, class)
) WITHOUT ROWID;

INSERT INTO job_classes (connection, mapping, state, class, number)
SELECT connection, mapping, state, error_class, count(*) FROM jobs WHERE error_class IS NOT NULL
GROUP BY connection, mapping, state, error_class;

CREATE TRIGGER jobs_class_insert AFTER INSERT ON jobs WHEN new.error_class IS NOT NULL BEGIN
    INSERT INTO job_classes (connection, mapping, state, class, number)
    VALUES (new.connection, new.mapping, new.state, new.error_class, 1)
    ON CONFLICT (connection, mapping, state, class) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER jobs_class_delete AFTER DELETE ON jobs WHEN old.error_class IS NOT NULL BEGIN
    UPDATE job_classes SET number = number - 1
    WHERE connection = old.connection AND mapping = old.mapping AND state = old.state AND class = old.error_class;
END;

CREATE TRIGGER jobs_class_change AFTER UPDATE OF state, error_class ON jobs
WHEN (old.error_class IS NOT NULL OR new.error_class IS NOT NULL)
    AND (old.state <> new.state OR old.error_class IS NOT new.error_class) BEGIN
    UPDATE job_classes SET number = number - 1
    WHERE connection = old.connection AND mapping = old.mapping AND state = old.state AND class = old.error_class;
    INSERT INTO job_classes (connection, mapping, state, class, number)
    SELECT new.connection, new.mapping, new.state, new.error_class, 1 WHERE new.error_class IS NOT NULL
    ON CONFLICT (connection, mapping, state, class) DO UPDATE SET number = number + 1;
END;

-- Conditions that people are told of. Every worker weighs them; what is decided here is decided once.
CREATE TABLE alerts (
    connection TEXT   NOT NULL,
    -- 'failed', 'stalled', 'credential highlevel', 'export pets'
    condition  TEXT   NOT NULL,
    firing     BIGINT NOT NULL,
    -- When it began to hold, or ceased to.
    since      BIGINT NOT NULL,
    -- 1 while people were told that it holds, and not yet that it is over.
    told       BIGINT NOT NULL,
    told_at    BIGINT,
    PRIMARY KEY (connection, condition)
) WITHOUT ROWID;

-- What people are to be told, until it was delivered or given up.
CREATE TABLE alert_messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT   NOT NULL,
    condition  TEXT   NOT NULL,
    recovered  BIGINT NOT NULL,
    text       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    -- Not to be delivered before; while a worker is at it, not to be tried by others before.
    due_at     BIGINT NOT NULL
);
