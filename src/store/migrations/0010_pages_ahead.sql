-- Several pages may be read ahead, in the order of their places; those that are planned go with the transaction that moves the
-- run's cursor behind them.
DROP TABLE pages_ahead;
CREATE TABLE pages_ahead (
    run_id   TEXT   NOT NULL,
    place    BIGINT NOT NULL,
    position TEXT   NOT NULL,
    page     TEXT   NOT NULL,
    PRIMARY KEY (run_id, place)
);
