-- The audit's row of an action on many jobs that is applied behind the person's back: it is told how the action ended.
ALTER TABLE bulk_actions ADD COLUMN audit BIGINT;
