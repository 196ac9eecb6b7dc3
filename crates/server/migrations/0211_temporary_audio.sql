-- Recordings are temporary (H2): what is overdue is found across tenants by the database's clock.

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

GRANT EXECUTE ON FUNCTION app.recordings_overdue(interval, integer), app.recordings_age()
  TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.recordings_overdue(interval, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.recordings_age() OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
