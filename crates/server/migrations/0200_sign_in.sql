-- Sign-in: people and members, refresh tokens, API keys, invitations.
--
-- Invariant: a function that acts for somebody takes who that is from the signed context, never from an argument; what looks for
-- somebody unknown asks for reason 101.

CREATE TABLE tenant.invitations (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants ON DELETE CASCADE,
  id uuid NOT NULL,
  role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
  address_hmac bytea NOT NULL CHECK (octet_length(address_hmac) = 32),
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
  sealed app.enc NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ON tenant.invitations (token_hash);
COMMENT ON TABLE tenant.invitations IS 'open ones: one that is used or withdrawn is deleted';
COMMENT ON COLUMN tenant.invitations.role IS 'as of memberships';
COMMENT ON COLUMN tenant.invitations.address_hmac IS 'no-content: HMAC under a global key';
COMMENT ON COLUMN tenant.invitations.token_hash IS 'no-content: SHA-256 of a random token';
CALL app.protect('tenant.invitations', 'managed');
GRANT SELECT, INSERT, DELETE ON tenant.invitations TO subrosa_app;
CREATE POLICY auth ON tenant.invitations TO subrosa_auth USING (true);
GRANT SELECT (tenant_id, id, role, address_hmac, token_hash, expires_at), DELETE ON tenant.invitations TO subrosa_auth;

GRANT INSERT ON tenant.memberships TO subrosa_auth;
GRANT UPDATE (used_at) ON tenant.api_keys TO subrosa_auth;
GRANT UPDATE (credential, sealed, updated_at) ON global.users TO subrosa_auth;
GRANT SELECT, INSERT, DELETE, UPDATE (used_at, revoked_at) ON global.sessions TO subrosa_auth;

-- The user of this transaction, an auditor too, who owns no rows but is somebody.
CREATE FUNCTION app.actor() RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  IF app.role_of(scope) < 100 THEN
    RETURN encode(substring(scope FROM 17 FOR 16), 'hex')::uuid;
  END IF;
  RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION app.actor() TO subrosa_app, subrosa_auth;

-- People. A new one enters with a membership, because nobody is without a tenant.
CREATE FUNCTION app.member_add(the_user uuid, new_role smallint, new_address_hmac bytea, new_credential bytea,
    new_key_id text, new_sealed_key bytea, new_sealed bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF NOT app.manages() THEN
    RAISE EXCEPTION 'this transaction does not manage the tenant' USING ERRCODE = '42501';
  END IF;
  INSERT INTO global.users (id, address_hmac, credential, key_id, sealed_key, sealed)
    VALUES (the_user, new_address_hmac, new_credential, new_key_id, new_sealed_key, new_sealed);
  INSERT INTO tenant.memberships (tenant_id, user_id, role) VALUES (app.tenant(), the_user, new_role);
END
$$;

-- Personal fields of members, for who manages them; one's own for everyone.
CREATE FUNCTION app.people(ids uuid[])
    RETURNS TABLE (id uuid, key_id text, sealed_key bytea, sealed bytea, status smallint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY SELECT u.id, u.key_id, u.sealed_key, u.sealed::bytea, u.status
    FROM global.users u JOIN tenant.memberships m ON m.user_id = u.id
    WHERE u.id = ANY (ids) AND m.tenant_id = app.tenant() AND (app.manages() OR u.id = app.actor());
END
$$;

CREATE FUNCTION app.person_update(new_sealed bytea) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  UPDATE global.users u SET sealed = new_sealed, updated_at = now() WHERE u.id = app.actor();
  RETURN FOUND;
END
$$;

-- Whoever changes a password has proved the one it replaces: false when that is not the one any more.
CREATE FUNCTION app.credential_replace(old_credential bytea, new_credential bytea) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  UPDATE global.users u SET credential = new_credential, updated_at = now()
    WHERE u.id = app.actor() AND u.credential = old_credential;
  RETURN FOUND;
END
$$;

CREATE FUNCTION app.credential_of(the_user uuid) RETURNS bytea
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN (SELECT u.credential FROM global.users u WHERE u.id = the_user);
END
$$;

-- Sessions. The first token of a family has its id; whoever changes a family locks that row first, so that no child is born while
-- the family is revoked. It stays until the family has ended.

-- A new family, if the credential that was proved is still the person's: a password changed meanwhile revoked what it could see.
CREATE FUNCTION app.session_add(new_id uuid, the_user uuid, the_tenant uuid, proved bytea, new_hash bytea, idle interval)
    RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  PERFORM FROM global.users u WHERE u.id = the_user AND u.credential = proved FOR SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  -- What has ended goes when its person comes again.
  DELETE FROM global.sessions s WHERE s.user_id = the_user AND s.expires_at < now() AND (s.id <> s.family OR NOT EXISTS (
    SELECT FROM global.sessions l WHERE l.family = s.family AND l.expires_at >= now()));
  INSERT INTO global.sessions (id, family, user_id, tenant_id, token_hash, expires_at)
    VALUES (new_id, new_id, the_user, the_tenant, new_hash, now() + idle);
  RETURN true;
END
$$;

-- Uses a token once. Within the grace the same token gives the same child again, until the child was used. Outcomes: 1 the child is
-- good, 2 unknown or ended, 3 used before: its family was revoked.
CREATE FUNCTION app.session_rotate(hash bytea, child uuid, child_hash bytea, idle interval, longest interval, grace interval)
    RETURNS TABLE (outcome smallint, family uuid, user_id uuid, tenant_id uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  root global.sessions;
  used global.sessions;
BEGIN
  PERFORM app.require(101::smallint);
  SELECT r.* INTO root FROM global.sessions r
    WHERE r.id = (SELECT s.family FROM global.sessions s WHERE s.token_hash = hash) FOR UPDATE;
  SELECT s.* INTO used FROM global.sessions s WHERE s.token_hash = hash;
  IF used.id IS NULL OR used.revoked_at IS NOT NULL OR used.expires_at <= clock_timestamp() THEN
    RETURN QUERY SELECT 2::smallint, NULL::uuid, NULL::uuid, NULL::uuid;
  ELSIF used.used_at IS NULL THEN
    UPDATE global.sessions s SET used_at = clock_timestamp() WHERE s.id = used.id;
    INSERT INTO global.sessions (id, family, parent, user_id, tenant_id, token_hash, expires_at)
      VALUES (child, used.family, used.id, used.user_id, used.tenant_id, child_hash,
        least(now() + idle, root.created_at + longest));
    RETURN QUERY SELECT 1::smallint, used.family, used.user_id, used.tenant_id;
  ELSIF used.used_at + grace > clock_timestamp()
    AND EXISTS (SELECT FROM global.sessions s WHERE s.parent = used.id AND s.family = used.family AND s.used_at IS NULL) THEN
    RETURN QUERY SELECT 1::smallint, used.family, used.user_id, used.tenant_id;
  ELSE
    UPDATE global.sessions s SET revoked_at = clock_timestamp() WHERE s.family = used.family AND s.revoked_at IS NULL;
    RETURN QUERY SELECT 3::smallint, used.family, used.user_id, used.tenant_id;
  END IF;
END
$$;

-- Signs out by the token itself, when the access token has ended. Returns the family.
CREATE FUNCTION app.session_end(hash bytea) RETURNS uuid
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  ended uuid;
BEGIN
  PERFORM app.require(101::smallint);
  SELECT r.id INTO ended FROM global.sessions r
    WHERE r.id = (SELECT s.family FROM global.sessions s WHERE s.token_hash = hash) FOR UPDATE;
  UPDATE global.sessions s SET revoked_at = clock_timestamp() WHERE s.family = ended AND s.revoked_at IS NULL;
  RETURN ended;
END
$$;

-- Signs the transaction's user out: of one family, or of all but one, or of all. Returns how many families that were.
CREATE FUNCTION app.sessions_revoke(only_family uuid, but_family uuid) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  revoked bigint;
BEGIN
  PERFORM FROM global.sessions r WHERE r.user_id = app.actor() AND r.id = r.family ORDER BY r.id FOR UPDATE;
  WITH gone AS (
    UPDATE global.sessions s SET revoked_at = clock_timestamp()
    WHERE s.user_id = app.actor() AND s.revoked_at IS NULL AND s.expires_at > now()
      AND (only_family IS NULL OR s.family = only_family) AND (but_family IS NULL OR s.family <> but_family)
    RETURNING s.family)
  SELECT count(DISTINCT g.family) INTO revoked FROM gone g;
  RETURN revoked;
END
$$;

-- Where the transaction's user is signed in, latest first.
CREATE FUNCTION app.sessions_own(most integer)
    RETURNS TABLE (family uuid, tenant_id uuid, created_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN QUERY SELECT s.family, (array_agg(s.tenant_id))[1], min(s.created_at), max(s.created_at), max(s.expires_at)
    FROM global.sessions s WHERE s.user_id = app.actor() AND s.revoked_at IS NULL
    GROUP BY s.family HAVING max(s.expires_at) > now() ORDER BY max(s.created_at) DESC LIMIT most;
END
$$;

-- What an access token's session is worth now: no row when it was revoked, has ended, or its user is no member any more.
CREATE FUNCTION app.session_state(the_family uuid, the_user uuid, the_tenant uuid)
    RETURNS TABLE (role smallint, user_status smallint, tenant_status smallint, shares_calls boolean)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT m.role, u.status, t.status, t.shares_calls
    FROM tenant.memberships m JOIN tenant.tenants t ON t.tenant_id = m.tenant_id JOIN global.users u ON u.id = m.user_id
    WHERE m.tenant_id = the_tenant AND m.user_id = the_user AND EXISTS (
      SELECT FROM global.sessions s WHERE s.family = the_family AND s.user_id = the_user AND s.tenant_id = the_tenant
        AND s.revoked_at IS NULL AND s.expires_at > now());
END
$$;

-- The same for an API key, which notes that it was used, to the minute.
CREATE FUNCTION app.api_key_state(hash bytea)
    RETURNS TABLE (tenant_id uuid, id uuid, owner_id uuid, scopes integer, role smallint, user_status smallint,
      tenant_status smallint, shares_calls boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  UPDATE tenant.api_keys k SET used_at = now()
    WHERE k.token_hash = hash AND (k.used_at IS NULL OR k.used_at < now() - interval '1 minute');
  RETURN QUERY SELECT k.tenant_id, k.id, k.owner_id, k.scopes, m.role, u.status, t.status, t.shares_calls
    FROM tenant.api_keys k
    JOIN tenant.memberships m ON m.tenant_id = k.tenant_id AND m.user_id = k.owner_id
    JOIN tenant.tenants t ON t.tenant_id = k.tenant_id JOIN global.users u ON u.id = k.owner_id
    WHERE k.token_hash = hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
END
$$;

-- Invitations. The token is the authority: who has it may look at its invitation, and use it once.
CREATE FUNCTION app.invitation(hash bytea)
    RETURNS TABLE (tenant_id uuid, id uuid, role smallint, user_id uuid, credential bytea)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT i.tenant_id, i.id, i.role, u.id, u.credential
    FROM tenant.invitations i LEFT JOIN global.users u ON u.address_hmac = i.address_hmac
    WHERE i.token_hash = hash AND i.expires_at > now();
END
$$;

-- The transaction's user becomes a member, and a person when there are fields of a new one. False when the invitation is not there
-- any more, or is somebody else's.
CREATE FUNCTION app.invitation_accept(hash bytea, new_credential bytea, new_key_id text, new_sealed_key bytea, new_sealed bytea)
    RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  invited tenant.invitations;
BEGIN
  DELETE FROM tenant.invitations i WHERE i.token_hash = hash AND i.tenant_id = app.tenant() AND i.expires_at > now()
    RETURNING i.tenant_id, i.id, i.role, i.address_hmac INTO invited.tenant_id, invited.id, invited.role, invited.address_hmac;
  IF invited.id IS NULL THEN
    RETURN false;
  END IF;
  IF new_key_id IS NOT NULL THEN
    INSERT INTO global.users (id, address_hmac, credential, key_id, sealed_key, sealed)
      VALUES (app.actor(), invited.address_hmac, new_credential, new_key_id, new_sealed_key, new_sealed);
  ELSIF NOT EXISTS (SELECT FROM global.users u WHERE u.id = app.actor() AND u.address_hmac = invited.address_hmac) THEN
    RAISE EXCEPTION 'this invitation is for somebody else' USING ERRCODE = '42501';
  END IF;
  INSERT INTO tenant.memberships (tenant_id, user_id, role) VALUES (invited.tenant_id, app.actor(), invited.role);
  RETURN true;
END
$$;

-- Taken over by app.api_key_state().
DROP FUNCTION app.api_key(bytea);

GRANT CREATE ON SCHEMA app TO subrosa_auth;
DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.proname = ANY (ARRAY[
      'member_add', 'people', 'person_update', 'credential_replace', 'credential_of', 'session_add', 'session_rotate',
      'session_end', 'sessions_revoke', 'sessions_own', 'session_state', 'api_key_state', 'invitation', 'invitation_accept'])
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO subrosa_app', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO subrosa_auth', f);
  END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth;
