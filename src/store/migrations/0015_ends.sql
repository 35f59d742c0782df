-- How a job came to be done (synced, unchanged, superseded, skipped), and why nothing was sent where that is so. Jobs that an
-- export resolved, and those of older versions, tell neither.
ALTER TABLE jobs ADD COLUMN end_outcome TEXT;
ALTER TABLE jobs ADD COLUMN end_why TEXT;
