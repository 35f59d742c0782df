-- Contacts that running jobs keep for themselves. A row counts only while its job runs under the same epoch and
-- its lease has not ended, so that nothing needs to be mended after a crash.
CREATE TABLE contact_holds (
    connection TEXT   NOT NULL,
    email      TEXT   NOT NULL,
    job_seq    BIGINT NOT NULL,
    epoch      BIGINT NOT NULL,
    PRIMARY KEY (connection, email)
) WITHOUT ROWID;
CREATE INDEX contact_holds_job ON contact_holds (job_seq);
