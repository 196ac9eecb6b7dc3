-- The end of an upload: two requests that race for it make two objects, one of which the transaction that makes the call names; and while
-- one puts the recording together, which may take minutes, no other gets the turn.

ALTER TABLE tenant.artifacts ADD object_id uuid;
COMMENT ON COLUMN tenant.artifacts.object_id IS 'the object in the store, where there are parts; NULL: the one of the call''s own id';

ALTER TABLE tenant.uploads ADD joining_until timestamptz;
COMMENT ON COLUMN tenant.uploads.joining_until IS 'until when the request with the turn keeps it, unless it says so again';
