-- When HighLevel said that a job's record changed, by its own clock, and when we were told, by the store's: a search row
-- that is read later and as new as that need not be read again by id. NULL where a trigger gave no time.
ALTER TABLE jobs ADD COLUMN changed_at BIGINT;
ALTER TABLE jobs ADD COLUMN told_at BIGINT;
