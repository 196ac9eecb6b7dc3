-- What `subrosa verify` asks of all tenants: how old the oldest processing event is (H14).

-- Reason 105, sweep: seconds since the oldest processing event; 0 when there is none. One look into an index.
CREATE FUNCTION app.processing_events_age() RETURNS double precision
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN (SELECT coalesce(extract(epoch FROM now() - min(e.created_at)), 0)::double precision FROM tenant.processing_events e);
END
$$;

GRANT EXECUTE ON FUNCTION app.processing_events_age() TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.processing_events_age() OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
