-- How far deletion lags behind: from when an entry's bytes were to go, which attempts do not move as they do `run_at`.

-- Computed once for what is there: the deadline of what was not tried, and of the rest when word of it was left.
ALTER TABLE tenant.blob_deletions
  ADD due_at timestamptz NOT NULL GENERATED ALWAYS AS (CASE attempts WHEN 0 THEN run_at ELSE created_at END) STORED;
ALTER TABLE tenant.blob_deletions ALTER due_at DROP EXPRESSION, ALTER due_at SET DEFAULT now();
COMMENT ON COLUMN tenant.blob_deletions.due_at IS 'from when the bytes should be gone: now, or the deadline of an upload';

-- Reason 103, blobs: seconds since the oldest bytes that are still there were to go; 0 when there are none.
DROP INDEX tenant.blob_deletions_lag;
CREATE INDEX blob_deletions_lag ON tenant.blob_deletions (due_at);
CREATE OR REPLACE FUNCTION app.blob_deletions_lag() RETURNS double precision
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN (SELECT greatest(coalesce(extract(epoch FROM now() - min(b.due_at)), 0), 0)::double precision FROM tenant.blob_deletions b);
END
$$;
