-- The object store is compared with the database, so that an object which nothing names cannot survive, and a row without its object shows.

-- How far the walk over all objects is: one row for the installation. Counts are of all walks together; missing, of the last one that ended.
CREATE TABLE global.object_walk (
  is_the_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_the_only_row),
  after_tenant uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  is_under_way boolean NOT NULL DEFAULT false,
  leased_until timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz NOT NULL DEFAULT now(),
  orphans bigint NOT NULL DEFAULT 0,
  strangers bigint NOT NULL DEFAULT 0,
  missing bigint NOT NULL DEFAULT 0
);
INSERT INTO global.object_walk DEFAULT VALUES;
COMMENT ON COLUMN global.object_walk.ended_at IS 'when the last walk ended; when the installation was made, before the first';
COMMENT ON COLUMN global.object_walk.strangers IS 'of the walk under way, or the last: objects of tenants that this installation never had, which are left alone';
GRANT SELECT, UPDATE ON global.object_walk TO subrosa_jobs;
GRANT SELECT (object_id) ON tenant.artifacts TO subrosa_jobs;
CREATE POLICY orphans ON tenant.uploads TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, became) ON tenant.uploads TO subrosa_jobs;
CREATE POLICY orphans ON tenant.exports TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, object_id) ON tenant.exports TO subrosa_jobs;
GRANT INSERT ON tenant.blob_deletions TO subrosa_jobs;

-- Reason 103, blobs. Takes the walk for some time, where it is due and nobody has it: the tenant behind which it goes on, or nothing.
CREATE FUNCTION app.object_walk_take(period interval, lease interval) RETURNS uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  after_it uuid;
BEGIN
  PERFORM app.require(103::smallint);
  UPDATE global.object_walk w SET leased_until = now() + lease, is_under_way = true,
      strangers = CASE WHEN w.is_under_way THEN w.strangers ELSE 0 END
    WHERE w.leased_until <= now() AND (w.is_under_way OR w.ended_at <= now() - period)
    RETURNING w.after_tenant INTO after_it;
  RETURN after_it;
END
$$;

-- Says how far it is, and keeps it; a walk that came to its end begins with the first tenant again.
CREATE FUNCTION app.object_walk_reached(the_tenant uuid, lease interval) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  UPDATE global.object_walk w SET leased_until = now() + lease, after_tenant = the_tenant;
END
$$;

CREATE FUNCTION app.object_walk_ended(rows_without_object bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  UPDATE global.object_walk w SET leased_until = now(), is_under_way = false, ended_at = now(), missing = rows_without_object,
    after_tenant = '00000000-0000-0000-0000-000000000000';
END
$$;

CREATE FUNCTION app.object_walk_state() RETURNS TABLE (age_seconds double precision, orphans bigint, strangers bigint, missing bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN QUERY SELECT extract(epoch FROM now() - w.ended_at)::double precision, w.orphans, w.strangers, w.missing FROM global.object_walk w;
END
$$;

-- Of these objects of a tenant, puts those into deletion that nothing names and that were written longer than the grace ago; returns how
-- many. A tenant that this installation has not and never had is somebody else's: its objects are counted and left alone. What names an
-- object: a recording, temporary or kept; an upload under way; an export that is built or ready; an entry of the outbox, as every upload has from before its
-- first part until its end.
CREATE FUNCTION app.orphans_remove(the_tenant uuid, records uuid[], objects uuid[], written timestamptz[], grace interval) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  found_orphans bigint;
BEGIN
  PERFORM app.require(103::smallint);
  IF NOT EXISTS (SELECT FROM tenant.tenants t WHERE t.tenant_id = the_tenant)
    AND NOT EXISTS (SELECT FROM tenant.deletion_receipts r WHERE r.tenant_id = the_tenant AND r.class = 5) THEN
    UPDATE global.object_walk w SET strangers = w.strangers + cardinality(objects);
    RETURN 0;
  END IF;
  INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, object_id)
    SELECT the_tenant, gen_random_uuid(), 1, o.record, o.object
    FROM unnest(records, objects, written) o (record, object, at)
    WHERE o.at <= now() - grace
      AND NOT EXISTS (SELECT FROM tenant.artifacts a WHERE a.tenant_id = the_tenant AND a.call_id = o.record AND a.kind IN (1, 6, 8)
        AND coalesce(a.object_id, a.call_id) = o.object)
      AND NOT EXISTS (SELECT FROM tenant.uploads u WHERE u.tenant_id = the_tenant AND u.id = o.record AND u.became IS NULL)
      AND NOT EXISTS (SELECT FROM tenant.exports e WHERE e.tenant_id = the_tenant AND e.object_id = o.object
        AND e.state IN (1, 2))
      AND NOT EXISTS (SELECT FROM tenant.blob_deletions b WHERE b.tenant_id = the_tenant AND b.subject_id = o.record
        AND (b.object_id IS NULL OR b.object_id = o.object));
  GET DIAGNOSTICS found_orphans = ROW_COUNT;
  UPDATE global.object_walk w SET orphans = w.orphans + found_orphans WHERE found_orphans > 0;
  RETURN found_orphans;
END
$$;

-- Recordings that have rows, a page at a time.
CREATE FUNCTION app.recordings_named(after_tenant uuid, after_call uuid, after_kind smallint, most integer)
    RETURNS TABLE (tenant_id uuid, call_id uuid, kind smallint, object_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN QUERY SELECT a.tenant_id, a.call_id, a.kind, coalesce(a.object_id, a.call_id) FROM tenant.artifacts a
    WHERE a.kind IN (1, 6, 8) AND (a.tenant_id, a.call_id, a.kind) > (after_tenant, after_call, after_kind)
    ORDER BY a.tenant_id, a.call_id, a.kind LIMIT most;
END
$$;

GRANT EXECUTE ON FUNCTION app.object_walk_take(interval, interval), app.object_walk_reached(uuid, interval), app.object_walk_ended(bigint),
  app.object_walk_state(), app.orphans_remove(uuid, uuid[], uuid[], timestamptz[], interval),
  app.recordings_named(uuid, uuid, smallint, integer) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.object_walk_take(interval, interval) OWNER TO subrosa_jobs;
ALTER FUNCTION app.object_walk_reached(uuid, interval) OWNER TO subrosa_jobs;
ALTER FUNCTION app.object_walk_ended(bigint) OWNER TO subrosa_jobs;
ALTER FUNCTION app.object_walk_state() OWNER TO subrosa_jobs;
ALTER FUNCTION app.orphans_remove(uuid, uuid[], uuid[], timestamptz[], interval) OWNER TO subrosa_jobs;
ALTER FUNCTION app.recordings_named(uuid, uuid, smallint, integer) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
