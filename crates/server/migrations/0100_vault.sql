-- What the vault needs of the database: pgcrypto with the options of the contract in one place; and deletions.

-- The outer layer of sealed content; the inner one is already there. A uniform passphrase needs no stretching (44 µs a value
-- against 450 µs), hence s2k-mode=1; nothing encrypted gets smaller, hence compress-algo=0.
CREATE FUNCTION app.pgp_seal(inner_sealed bytea, passphrase text) RETURNS bytea
  LANGUAGE sql VOLATILE STRICT
  AS $$
    SELECT crypto.pgp_sym_encrypt_bytea(
      inner_sealed, passphrase, 'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0')
  $$;

GRANT EXECUTE ON FUNCTION app.pgp_seal(bytea, text) TO subrosa_app;

-- Part of the transaction that deletes a user's data in a tenant: the membership goes, and the person when no other tenant has
-- them. Who may delete somebody else's data manages the tenant; whoever owns data may go. An auditor owns none, and is let go by a
-- manager. Returns how many of the two went.
--
-- The person's row is locked first: of two tenants that forget them at once the second sees that the first has, and no third takes them
-- in meanwhile.
CREATE FUNCTION app.forget_member(the_user uuid) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF NOT coalesce(app.manages() OR app.owner() = the_user, false) THEN
    RAISE EXCEPTION 'this transaction may not delete the user' USING ERRCODE = '42501';
  END IF;
  PERFORM FROM global.users u WHERE u.id = the_user FOR UPDATE;
  DELETE FROM tenant.memberships m WHERE m.tenant_id = app.tenant() AND m.user_id = the_user;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  DELETE FROM global.users u WHERE u.id = the_user AND NOT EXISTS (SELECT FROM tenant.memberships m WHERE m.user_id = u.id);
  RETURN CASE WHEN FOUND THEN 2 ELSE 1 END;
END
$$;
GRANT DELETE ON tenant.memberships TO subrosa_auth;
GRANT UPDATE (updated_at) ON global.users TO subrosa_auth; -- which a lock takes

-- Whether what a blob belongs to still has its key: then the blob stays. Objects of all kinds of records lie under the record's id, so
-- any kind of key holds them.
CREATE POLICY jobs ON tenant.record_keys TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, kind, record_id) ON tenant.record_keys TO subrosa_jobs;
CREATE FUNCTION app.has_key(the_tenant uuid, the_class smallint, the_subject uuid) RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  IF the_class = 5 THEN
    RETURN EXISTS (SELECT FROM tenant.tenants t WHERE t.tenant_id = the_tenant);
  END IF;
  RETURN EXISTS (
    SELECT FROM tenant.record_keys k
    WHERE k.tenant_id = the_tenant AND k.kind IN (1, 2, 3, 4, 5) AND k.record_id = the_subject);
END
$$;

-- An upload writes its entry in the outbox before its first part, so that one which never ends is removed. It ends by taking the
-- entry back, in the transaction that stores what was uploaded; false when the worker has it already, or may take it any moment.
CREATE FUNCTION app.upload_ended(the_record uuid, the_object uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  DELETE FROM tenant.blob_deletions b WHERE b.tenant_id = app.tenant() AND b.object_id = the_object
    AND b.subject_id = the_record AND b.attempts = 0 AND b.run_at > clock_timestamp();
  RETURN FOUND;
END
$$;

GRANT EXECUTE ON FUNCTION app.forget_member(uuid), app.has_key(uuid, smallint, uuid), app.upload_ended(uuid, uuid) TO subrosa_app;
GRANT EXECUTE ON FUNCTION app.tenant(), app.owner(), app.manages() TO subrosa_auth;
GRANT EXECUTE ON FUNCTION app.tenant() TO subrosa_jobs;
GRANT CREATE ON SCHEMA app TO subrosa_auth, subrosa_jobs;
ALTER FUNCTION app.forget_member(uuid) OWNER TO subrosa_auth;
ALTER FUNCTION app.has_key(uuid, smallint, uuid) OWNER TO subrosa_jobs;
ALTER FUNCTION app.upload_ended(uuid, uuid) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth, subrosa_jobs;
