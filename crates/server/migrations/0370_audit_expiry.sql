-- Audit events end after six years (privacy contract, what is stored). A log is cut at its start alone, behind events whose signed copies
-- are outside of the database. In the place of what went stands an anchor: place and hash of the last event that went, signed by the
-- installation, so that nobody else can cut a log, and what is left is still proved whole.

CREATE TABLE tenant.audit_anchors (
  tenant_id uuid NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  signing_key integer NOT NULL,
  signature bytea NOT NULL CHECK (octet_length(signature) = 64),
  copies_removed bigint NOT NULL DEFAULT 0 CHECK (copies_removed BETWEEN 0 AND sequence),
  PRIMARY KEY (tenant_id)
);
COMMENT ON COLUMN tenant.audit_anchors.sequence IS 'the last event that went';
COMMENT ON COLUMN tenant.audit_anchors.hash IS 'no-content: hash of that event';
COMMENT ON COLUMN tenant.audit_anchors.signing_key IS 'version of the system key that signed it';
COMMENT ON COLUMN tenant.audit_anchors.signature IS 'no-content: Ed25519 over tenant, sequence and hash';
COMMENT ON COLUMN tenant.audit_anchors.copies_removed IS 'copies in the object store are gone up to this event';
CALL app.protect('tenant.audit_anchors', 'audited');
CREATE POLICY jobs ON tenant.audit_anchors TO subrosa_jobs USING (true);
GRANT SELECT, INSERT, UPDATE ON tenant.audit_anchors TO subrosa_jobs;
-- Whatever a function does, nothing younger goes.
CREATE POLICY over ON tenant.audit_events AS RESTRICTIVE FOR DELETE TO subrosa_jobs USING (at <= now() - interval '6 years');
GRANT DELETE ON tenant.audit_events TO subrosa_jobs;

-- Reason 104, receipts: tenants, deleted ones too, whose first event is over and not the last that was copied, or of whose events that went
-- copies are left.
CREATE FUNCTION app.audit_expired(after_tenant uuid, most integer) RETURNS TABLE (tenant_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT h.tenant_id FROM tenant.chain_heads h LEFT JOIN tenant.audit_anchors a ON a.tenant_id = h.tenant_id
    WHERE h.chain = 1 AND (after_tenant IS NULL OR h.tenant_id > after_tenant)
      AND (a.copies_removed < a.sequence OR (SELECT e.at FROM tenant.audit_events e WHERE e.tenant_id = h.tenant_id
        AND e.sequence < h.mirrored_sequence ORDER BY e.sequence LIMIT 1) <= now() - interval '6 years')
    ORDER BY h.tenant_id LIMIT most;
END
$$;

-- Reason 104: the last event that may go now of the first thousand. They go in order, so the first that stays keeps all behind it: one that
-- is younger, by the clock of the database or than the program asks, that speaks of a call under legal hold, or that was not copied; and the
-- last one that was copied, with which copies outside are compared.
CREATE FUNCTION app.audit_over(the_tenant uuid, youngest timestamptz) RETURNS bigint
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN (SELECT coalesce(min(f.sequence) FILTER (WHERE NOT f.may_go) - 1, max(f.sequence), 0) FROM (
    SELECT e.sequence, e.at <= least(youngest, now() - interval '6 years') AND e.sequence < h.mirrored_sequence AND NOT EXISTS (
        SELECT FROM tenant.calls c WHERE c.tenant_id = e.tenant_id AND c.id = e.subject_id AND c.legal_hold) AS may_go
      FROM tenant.audit_events e JOIN tenant.chain_heads h ON h.tenant_id = e.tenant_id AND h.chain = 1
      WHERE e.tenant_id = the_tenant ORDER BY e.sequence LIMIT 1000) AS f);
END
$$;

-- Reason 104: removes events up to one that may go, whose hash the anchor has; returns how many: none where another server was faster,
-- or a legal hold.
CREATE FUNCTION app.audit_cut(the_tenant uuid, up_to bigint, the_hash bytea, the_key integer, the_signature bytea) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  removed bigint;
BEGIN
  PERFORM app.require(104::smallint);
  PERFORM pg_advisory_xact_lock(hashtextextended('audit cut ' || the_tenant, 0));
  IF up_to <= (SELECT a.sequence FROM tenant.audit_anchors a WHERE a.tenant_id = the_tenant) THEN
    RETURN 0;
  END IF;
  IF NOT EXISTS (SELECT FROM tenant.audit_events e WHERE e.tenant_id = the_tenant AND e.sequence = up_to AND e.hash = the_hash)
      OR EXISTS (SELECT FROM tenant.audit_events e
        WHERE e.tenant_id = the_tenant AND e.sequence <= up_to AND e.at > now() - interval '6 years')
      OR NOT EXISTS (SELECT FROM tenant.chain_heads h
        WHERE h.tenant_id = the_tenant AND h.chain = 1 AND up_to < h.mirrored_sequence) THEN
    RAISE EXCEPTION 'these events are not over' USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- A call came under legal hold since they were looked at.
  IF up_to > app.audit_over(the_tenant, 'infinity') THEN
    RETURN 0;
  END IF;
  DELETE FROM tenant.audit_events e WHERE e.tenant_id = the_tenant AND e.sequence <= up_to;
  GET DIAGNOSTICS removed = ROW_COUNT;
  INSERT INTO tenant.audit_anchors AS a (tenant_id, sequence, hash, signing_key, signature)
    VALUES (the_tenant, up_to, the_hash, the_key, the_signature)
    ON CONFLICT (tenant_id) DO UPDATE SET sequence = up_to, hash = the_hash, signing_key = the_key, signature = the_signature;
  RETURN removed;
END
$$;

-- Reason 104: the anchor of a log.
CREATE FUNCTION app.audit_anchor(the_tenant uuid) RETURNS SETOF tenant.audit_anchors
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT * FROM tenant.audit_anchors a WHERE a.tenant_id = the_tenant;
END
$$;

-- Reason 104: copies of what went are gone as well, up to this event.
CREATE FUNCTION app.audit_copies_removed(the_tenant uuid, up_to bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  UPDATE tenant.audit_anchors a SET copies_removed = up_to
    WHERE a.tenant_id = the_tenant AND up_to BETWEEN a.copies_removed AND a.sequence;
END
$$;

GRANT EXECUTE ON FUNCTION app.audit_expired(uuid, integer), app.audit_over(uuid, timestamptz), app.audit_cut(uuid, bigint, bytea, integer, bytea),
  app.audit_anchor(uuid), app.audit_copies_removed(uuid, bigint) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.audit_expired(uuid, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.audit_over(uuid, timestamptz) OWNER TO subrosa_jobs;
ALTER FUNCTION app.audit_cut(uuid, bigint, bytea, integer, bytea) OWNER TO subrosa_jobs;
ALTER FUNCTION app.audit_anchor(uuid) OWNER TO subrosa_jobs;
ALTER FUNCTION app.audit_copies_removed(uuid, bigint) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
