-- Processes that work the queue, idle ones too. A worker belongs to no connection: it serves all of its configuration.
CREATE TABLE workers (
    owner TEXT PRIMARY KEY NOT NULL,
    started_at BIGINT NOT NULL,
    seen_until BIGINT NOT NULL
);
