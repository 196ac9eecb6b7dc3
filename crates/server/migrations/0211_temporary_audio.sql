-- Recordings are temporary (H2): the outbox of blobs takes single objects of a record that lives on, and what is overdue is found
-- across tenants by the database's clock.

ALTER TABLE tenant.blob_deletions ADD object_id uuid;
COMMENT ON COLUMN tenant.blob_deletions.object_id IS
  'the one object that goes, whether or not its record has a key; NULL: every object of the record, once its key is gone';

-- Reason 103, blobs: as before, with the object.
DROP FUNCTION app.blob_deletions_due(integer, interval);
CREATE FUNCTION app.blob_deletions_due(most integer, put_off interval)
    RETURNS TABLE (tenant_id uuid, id uuid, class smallint, subject_id uuid, object_id uuid, attempts integer)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN QUERY
    WITH due AS (
      SELECT b.tenant_id, b.id FROM tenant.blob_deletions b WHERE b.run_at <= now()
      ORDER BY b.run_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE tenant.blob_deletions b SET attempts = b.attempts + 1, run_at = now() + put_off
    FROM due WHERE b.tenant_id = due.tenant_id AND b.id = due.id
    RETURNING b.tenant_id, b.id, b.class, b.subject_id, b.object_id, b.attempts;
END
$$;

CREATE INDEX artifacts_recordings ON tenant.artifacts (created_at) WHERE kind = 1;
CREATE POLICY jobs ON tenant.artifacts TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, call_id, kind, owner_id, created_at) ON tenant.artifacts TO subrosa_jobs;

-- Reason 105, sweep: calls whose recording is older than it may get, which is never more than a day.
CREATE FUNCTION app.recordings_overdue(ttl interval, most integer)
    RETURNS TABLE (tenant_id uuid, call_id uuid, owner_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN QUERY SELECT a.tenant_id, a.call_id, a.owner_id FROM tenant.artifacts a
    WHERE a.kind = 1 AND a.created_at <= now() - least(ttl, interval '24 hours') ORDER BY a.created_at LIMIT most;
END
$$;

-- Seconds since the oldest recording that is still there was stored; 0 when there is none.
CREATE FUNCTION app.recordings_age() RETURNS double precision
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN (SELECT coalesce(extract(epoch FROM now() - min(a.created_at)), 0)::double precision
    FROM tenant.artifacts a WHERE a.kind = 1);
END
$$;

GRANT EXECUTE ON FUNCTION app.blob_deletions_due(integer, interval), app.recordings_overdue(interval, integer), app.recordings_age()
  TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.blob_deletions_due(integer, interval) OWNER TO subrosa_jobs;
ALTER FUNCTION app.recordings_overdue(interval, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.recordings_age() OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
