-- The operators' audit log: what was done to the installation itself. It is one more chain beside those of the tenants, in the same
-- tables, under the nil id that no tenant has.
--
-- Invariant: the acts that ask for an event fail in a transaction that has not added one.

GRANT CREATE ON SCHEMA app TO subrosa_jobs;

-- subrosa_jobs adds to this chain and to no tenant's.
GRANT INSERT ON tenant.audit_events TO subrosa_jobs;
GRANT INSERT, UPDATE (sequence, hash) ON tenant.chain_heads TO subrosa_jobs;
CREATE POLICY operator ON tenant.audit_events AS RESTRICTIVE FOR INSERT TO subrosa_jobs
  WITH CHECK (tenant_id = '00000000-0000-0000-0000-000000000000');
CREATE POLICY operator ON tenant.chain_heads AS RESTRICTIVE FOR INSERT TO subrosa_jobs
  WITH CHECK (tenant_id = '00000000-0000-0000-0000-000000000000');

-- The end of the chain, locked until the transaction ends; any system transaction may add its acts.
CREATE FUNCTION app.operator_head(reason smallint, start bytea)
    RETURNS TABLE (last_sequence bigint, last_hash bytea, began_at timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(reason);
  RETURN QUERY INSERT INTO tenant.chain_heads AS h (tenant_id, chain, sequence, hash)
    VALUES ('00000000-0000-0000-0000-000000000000', 1, 0, start)
    ON CONFLICT (tenant_id, chain) DO UPDATE SET sequence = h.sequence RETURNING h.sequence, h.hash, now();
END
$$;

-- Adds an event behind the end; its actor is nobody whom the program knows, its role the reason of the transaction.
CREATE FUNCTION app.operator_event(reason smallint, new_sequence bigint, new_id uuid, new_action smallint, new_kind smallint,
    new_subject uuid, new_previous bytea, new_hash bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(reason);
  INSERT INTO tenant.audit_events (tenant_id, sequence, id, actor_id, actor_role, action, subject_kind, subject_id, at, previous, hash)
    VALUES ('00000000-0000-0000-0000-000000000000', new_sequence, new_id, '00000000-0000-0000-0000-000000000000', reason, new_action,
      new_kind, new_subject, now(), new_previous, new_hash);
  UPDATE tenant.chain_heads SET sequence = new_sequence, hash = new_hash
    WHERE tenant_id = '00000000-0000-0000-0000-000000000000' AND chain = 1 AND sequence = new_sequence - 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the event does not follow the end of the chain' USING ERRCODE = '40001';
  END IF;
END
$$;

-- Raises unless this very transaction has added an event of this kind.
CREATE FUNCTION app.require_event(the_action smallint) RETURNS void
  LANGUAGE plpgsql STABLE
  AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM tenant.audit_events e WHERE e.tenant_id = '00000000-0000-0000-0000-000000000000' AND e.action = the_action
      AND e.xmin = pg_current_xact_id_if_assigned()::xid
      AND e.sequence = (SELECT max(m.sequence) FROM tenant.audit_events m WHERE m.tenant_id = e.tenant_id)
  ) THEN
    RAISE EXCEPTION 'this act needs an event in the audit log' USING ERRCODE = '28000';
  END IF;
END
$$;
GRANT EXECUTE ON FUNCTION app.require_event(smallint) TO subrosa_jobs;

GRANT EXECUTE ON FUNCTION app.operator_head(smallint, bytea),
  app.operator_event(smallint, bigint, uuid, smallint, smallint, uuid, bytea, bytea) TO subrosa_app;
ALTER FUNCTION app.operator_head(smallint, bytea) OWNER TO subrosa_jobs;
ALTER FUNCTION app.operator_event(smallint, bigint, uuid, smallint, smallint, uuid, bytea, bytea) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
