-- Two requests that race for the end of one upload make two objects, and the transaction that makes the call says which is its recording.

ALTER TABLE tenant.artifacts ADD object_id uuid;
COMMENT ON COLUMN tenant.artifacts.object_id IS 'the object in the store, where there are parts; NULL: the one of the call''s own id';
