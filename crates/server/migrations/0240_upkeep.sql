-- What goes on when something around it fails: jobs that are put off, upkeep that passes a bad row, and how far it all lags behind.

-- An outage is not the recording's fault: a job that meets one is put off and keeps its attempts.
ALTER TABLE tenant.jobs ADD postponed integer NOT NULL DEFAULT 0 CHECK (postponed >= 0);
COMMENT ON COLUMN tenant.jobs.postponed IS 'how often in a row it was put off through no fault of its recording; waits grow with it';

-- Reason 105, sweep: calls whose recording is older than it may get, which is never more than a day; oldest first, behind the one that
-- was looked at last, so that one which cannot be removed does not stand before the others.
DROP FUNCTION app.recordings_overdue(interval, integer);
CREATE FUNCTION app.recordings_overdue(ttl interval, after_at timestamptz, after_call uuid, most integer)
    RETURNS TABLE (tenant_id uuid, call_id uuid, owner_id uuid, stored_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN QUERY SELECT a.tenant_id, a.call_id, a.owner_id, a.created_at FROM tenant.artifacts a
    WHERE a.kind = 1 AND a.created_at <= now() - least(ttl, interval '24 hours')
      AND (a.created_at, a.call_id) > (after_at, after_call)
    ORDER BY a.created_at, a.call_id LIMIT most;
END
$$;

-- Seconds by which the oldest call is older than its tenant keeps it; 0 when none is. One look into an index a tenant.
CREATE FUNCTION app.retention_lag() RETURNS double precision
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN (
    SELECT greatest(coalesce(max(extract(epoch FROM now() - oldest.created_at - make_interval(days => t.retention_days::integer))), 0), 0)
    FROM tenant.tenants t CROSS JOIN LATERAL (
      SELECT c.created_at FROM tenant.calls c WHERE c.tenant_id = t.tenant_id AND NOT c.legal_hold ORDER BY c.created_at LIMIT 1
    ) AS oldest
  )::double precision;
END
$$;

-- Reason 103, blobs: seconds since the oldest deletion was committed whose bytes are still there; 0 when there is none. An upload that
-- has not ended counts only once its removal has failed.
CREATE INDEX blob_deletions_lag ON tenant.blob_deletions (created_at) WHERE object_id IS NULL OR attempts > 1;
CREATE FUNCTION app.blob_deletions_lag() RETURNS double precision
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN (SELECT coalesce(extract(epoch FROM now() - min(b.created_at)), 0)::double precision
    FROM tenant.blob_deletions b WHERE b.object_id IS NULL OR b.attempts > 1);
END
$$;

GRANT EXECUTE ON FUNCTION app.recordings_overdue(interval, timestamptz, uuid, integer), app.retention_lag(), app.blob_deletions_lag()
  TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.recordings_overdue(interval, timestamptz, uuid, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.retention_lag() OWNER TO subrosa_jobs;
ALTER FUNCTION app.blob_deletions_lag() OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
