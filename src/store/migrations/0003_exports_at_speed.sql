-- A record's contact is found by the address that was last seen of the record. Only links that may be of another address (the
-- record moved, or nothing was seen of it) are found by an index of their own, which is all but empty: an index over all of them
-- costs an export a page of the file for every record.
ALTER TABLE links ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;

UPDATE links SET moved = 1 WHERE NOT EXISTS (
    SELECT 1 FROM records r WHERE r.connection = links.connection AND r.mapping = links.mapping
        AND r.record_id = links.record_id AND r.email = links.email);

DROP INDEX links_record;
CREATE INDEX links_moved ON links (connection, mapping, record_id) WHERE moved = 1;

CREATE TRIGGER records_moved AFTER UPDATE OF email ON records WHEN old.email IS NOT new.email BEGIN
    UPDATE links SET moved = 1
    WHERE connection = old.connection AND mapping = old.mapping AND email = old.email AND record_id = old.record_id;
END;

CREATE TRIGGER links_moved_insert AFTER INSERT ON links
WHEN NOT EXISTS (SELECT 1 FROM records WHERE connection = new.connection AND mapping = new.mapping
    AND record_id = new.record_id AND email = new.email) BEGIN
    UPDATE links SET moved = 1
    WHERE connection = new.connection AND mapping = new.mapping AND email = new.email;
END;

CREATE TRIGGER links_moved_update AFTER UPDATE OF record_id ON links
WHEN NOT EXISTS (SELECT 1 FROM records WHERE connection = new.connection AND mapping = new.mapping
    AND record_id = new.record_id AND email = new.email) BEGIN
    UPDATE links SET moved = 1
    WHERE connection = new.connection AND mapping = new.mapping AND email = new.email;
END;

-- The page that a run has read and not planned yet, as it came: kept so that the next one can be asked for meanwhile. It
-- counts only while the run stands where it stood when the page was read (`follows`).
CREATE TABLE pages_ahead (
    run_id   TEXT NOT NULL PRIMARY KEY,
    follows  TEXT NOT NULL,
    position TEXT NOT NULL,
    page     TEXT NOT NULL
);

-- Most records that compete for a contact have it: its link or a planned write names them (`holds`), and they are found by that. Only
-- the others need an index by address. 0 is always true enough: such a record is only found twice.
ALTER TABLE records ADD COLUMN holds BIGINT NOT NULL DEFAULT 0;
DROP INDEX records_candidates;
CREATE INDEX records_waiting ON records (connection, mapping, email, version, record_id) WHERE competes = 1 AND holds = 0;

CREATE TRIGGER links_won AFTER UPDATE OF record_id ON links WHEN old.record_id <> new.record_id BEGIN
    UPDATE records SET holds = 0
    WHERE connection = old.connection AND mapping = old.mapping AND record_id = old.record_id AND holds = 1;
END;

CREATE TRIGGER links_gone AFTER DELETE ON links BEGIN
    UPDATE records SET holds = 0
    WHERE connection = old.connection AND mapping = old.mapping AND record_id = old.record_id AND holds = 1;
END;
