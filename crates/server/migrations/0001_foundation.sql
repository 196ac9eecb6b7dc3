-- What every later migration stands on: schemas, the domain of sealed content, the signed context of a transaction, and the one
-- way to protect a table.
--
-- Invariant: app.tenant() is the tenant of a context that app.enter() verified in this very transaction, or NULL.

CREATE SCHEMA global; -- across tenants; reachable only through functions in app
CREATE SCHEMA tenant; -- every table under row-level security
CREATE SCHEMA IF NOT EXISTS app; -- functions; the migrator made it for its own table
CREATE SCHEMA crypto; -- pgcrypto

GRANT USAGE ON SCHEMA tenant, app, crypto TO subrosa_app;
GRANT USAGE ON SCHEMA global, tenant, app TO subrosa_auth, subrosa_jobs;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA crypto;
DO $$
BEGIN
  IF to_regprocedure('crypto.hmac(bytea,bytea,text)') IS NULL THEN
    RAISE EXCEPTION 'pgcrypto is installed in another schema: run ALTER EXTENSION pgcrypto SET SCHEMA crypto as a superuser';
  END IF;
END
$$;

-- An OpenPGP message (RFC 4880) as pgp_sym_encrypt_bytea makes it with the options of the vault: a version 4 symmetric-key packet
-- (tag 3) of 12 bytes without a session key, AES-256 (9), salted S2K (1) with SHA-256 (8) and 8 bytes of salt, then an
-- integrity-protected packet (tag 18). It stops accidents, plaintext and weak defaults, not malice.
-- The bound of 64 MiB is that of the longest transcript (5 h, 11 MB with word times) with room.
CREATE DOMAIN app.enc AS bytea CHECK (
  substring(VALUE FROM 1 FOR 6) = '\xc30c04090108'::bytea
  AND substring(VALUE FROM 15 FOR 1) = '\xd2'::bytea
  AND octet_length(VALUE) BETWEEN 56 AND 67108864
);
GRANT USAGE ON TYPE app.enc TO subrosa_app, subrosa_auth, subrosa_jobs;

-- The keys that sign contexts. Only the owner reads them. More than one row exists only while a key is being changed.
CREATE TABLE global.context_keys (
  id smallint PRIMARY KEY,
  key bytea NOT NULL CHECK (octet_length(key) = 32),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- A scope is 42 bytes: tenant (16), actor (16), role (2), expiry in seconds since 1970 (8), integers big-endian. The program signs it;
-- app.enter() checks the signature and leaves the scope in the transaction under a seal of its own, which covers the
-- transaction's start and its process besides: a copy of a context is worth nothing in any other transaction. There the expiry is
-- PostgreSQL's own count, microseconds since 2000, which compares with the clock byte by byte.
-- Roles: 1 owner, 2 admin, 3 member, 4 auditor, 5 worker, 6 member of a tenant that shares its calls. From 100 on they are the
-- reasons of a system transaction, which has no tenant: 100 keys, 101 sign-in, 102 jobs, 103 blobs, 104 receipts, 105 sweep.
CREATE FUNCTION app.scope_bytes(tenant uuid, actor uuid, role smallint, expires bigint) RETURNS bytea
  LANGUAGE sql STABLE
  AS $$ SELECT uuid_send(tenant) || uuid_send(actor) || int2send(role) || int8send(expires) $$;

CREATE FUNCTION app.scope_signature(scope bytea, key bytea) RETURNS bytea
  LANGUAGE sql STABLE
  AS $$ SELECT crypto.hmac('subrosa scope 1'::bytea || scope, key, 'sha256') $$;

CREATE FUNCTION app.context_seal(scope bytea, key bytea) RETURNS bytea
  LANGUAGE sql STABLE
  AS $$
    SELECT crypto.hmac(
      'subrosa context 1'::bytea || scope || timestamptz_send(now()) || int4send(pg_backend_pid()), key, 'sha256')
  $$;

-- Opens a transaction's context, or raises. Hashes are compared, not signatures: how long that takes says nothing about either.
CREATE FUNCTION app.enter(tenant uuid, actor uuid, role smallint, expires bigint, signature bytea) RETURNS void
  LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope_bytes(tenant, actor, role, expires);
  signing bytea;
BEGIN
  -- One transaction, one context: what is still open from somebody else is never taken over. Mostly there is nothing to look at.
  IF current_setting('subrosa.context', true) <> '' AND app.scope() IS NOT NULL THEN
    RAISE EXCEPTION 'this transaction has a context' USING ERRCODE = '28000';
  END IF;
  FOR signing IN SELECT k.key FROM global.context_keys k LOOP
    EXIT WHEN sha256(app.scope_signature(scope, signing)) = sha256(signature);
    signing := NULL;
  END LOOP;
  IF signing IS NULL THEN
    RAISE EXCEPTION 'the context is not signed by this installation' USING ERRCODE = '28000';
  END IF;
  IF to_timestamp(expires) <= clock_timestamp() THEN
    RAISE EXCEPTION 'the context has expired' USING ERRCODE = '28000';
  END IF;
  scope := substring(scope FROM 1 FOR 34) || timestamptz_send(to_timestamp(expires));
  PERFORM set_config('subrosa.context', encode(scope || app.context_seal(scope, signing), 'hex'), true);
END
$$;

-- The scope of this transaction, or NULL: no context, a foreign, forged, copied or expired one. 148 hexadecimal digits are a scope of
-- 42 bytes and a seal of 32. Every statement runs this two or three times a table. The query has no parameters, since one with
-- parameters is planned anew at every call as long as the table has no statistics, which a table of one row never gets (33 µs against
-- 8); translate() instead of the regular expression takes 6.
CREATE FUNCTION app.scope() RETURNS bytea
  LANGUAGE plpgsql STABLE
  AS $$
DECLARE
  digits text := current_setting('subrosa.context', true);
  context bytea;
  scope bytea;
  sealing bytea;
BEGIN
  IF octet_length(digits) IS DISTINCT FROM 148 OR digits ~ '[^0-9a-f]' THEN
    RETURN NULL;
  END IF;
  context := decode(digits, 'hex');
  scope := substring(context FROM 1 FOR 42);
  FOR sealing IN SELECT k.key FROM global.context_keys k LOOP
    IF sha256(app.context_seal(scope, sealing)) = sha256(substring(context FROM 43))
      AND substring(scope FROM 35) > timestamptz_send(clock_timestamp()) THEN
      RETURN scope;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- Callers pass a variable: only then is the function inlined, and not run as a query of its own.
CREATE FUNCTION app.role_of(scope bytea) RETURNS smallint
  LANGUAGE sql IMMUTABLE
  AS $$ SELECT (get_byte(scope, 32) * 256 + get_byte(scope, 33))::smallint $$;

-- The tenant whose rows this transaction sees.
CREATE FUNCTION app.tenant() RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  IF app.role_of(scope) < 100 THEN
    RETURN encode(substring(scope FROM 1 FOR 16), 'hex')::uuid;
  END IF;
  RETURN NULL;
END
$$;

-- The user whose rows this transaction may see and write; NULL for an auditor, who has no rows.
CREATE FUNCTION app.owner() RETURNS uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  IF app.role_of(scope) < 100 AND app.role_of(scope) <> 4 THEN
    RETURN encode(substring(scope FROM 17 FOR 16), 'hex')::uuid;
  END IF;
  RETURN NULL;
END
$$;

-- Whether this transaction sees the rows of all users of its tenant: owner, admin, worker, member of a tenant that shares.
CREATE FUNCTION app.sees_all() RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  RETURN coalesce(app.role_of(scope) IN (1, 2, 5, 6), false);
END
$$;

-- Whether this transaction changes what belongs to the tenant as a whole: owner, admin, worker.
CREATE FUNCTION app.manages() RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  RETURN coalesce(app.role_of(scope) IN (1, 2, 5), false);
END
$$;

-- Whether this transaction reads what was audited: owner and auditor.
CREATE FUNCTION app.audits() RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  RETURN coalesce(app.role_of(scope) IN (1, 4), false);
END
$$;

-- Raises unless this is a system transaction opened for this reason: what is injected into a tenant's transaction cannot
-- call the functions that look across tenants.
CREATE FUNCTION app.require(reason smallint) RETURNS void
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  scope bytea := app.scope();
BEGIN
  IF app.role_of(scope) IS DISTINCT FROM reason THEN
    RAISE EXCEPTION 'this function needs a system transaction' USING ERRCODE = '28000';
  END IF;
END
$$;
GRANT EXECUTE ON FUNCTION app.require(smallint) TO subrosa_auth, subrosa_jobs;

GRANT EXECUTE ON FUNCTION app.enter(uuid, uuid, smallint, bigint, bytea) TO subrosa_app;
GRANT EXECUTE ON FUNCTION app.tenant(), app.owner(), app.sees_all(), app.manages(), app.audits() TO subrosa_app;

-- Which migrations made this schema; the program compares them with its own at every start.
CREATE FUNCTION app.applied_migrations() RETURNS TABLE (version bigint, checksum bytea)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT m.version, m.checksum FROM app.migrations m WHERE m.success ORDER BY m.version $$;
GRANT EXECUTE ON FUNCTION app.applied_migrations() TO subrosa_app;

-- Puts a tenant table under its guards. Every migration that makes a table calls it; the catalogue test finds one that does not.
-- `kind` is what a row must meet besides its tenant: nothing ('shared'); that it is its user's, owner_id ('owned'); to be written by those
-- who manage the tenant ('managed'); to be read by owners and auditors ('audited'). Policies name subrosa_app: one for PUBLIC would lock out the
-- functions of the two roles that cannot log in.
CREATE PROCEDURE app.protect(guarded regclass, kind text)
  LANGUAGE plpgsql
  AS $$
DECLARE
  owned constant text := '(SELECT app.sees_all()) OR owner_id = (SELECT app.owner())';
  manages constant text := '(SELECT app.manages())';
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', guarded);
  EXECUTE format('CREATE POLICY access ON %s TO subrosa_app USING (true) WITH CHECK (true)', guarded);
  EXECUTE format(
    'CREATE POLICY isolation ON %s AS RESTRICTIVE TO subrosa_app USING (%s) WITH CHECK (%2$s)',
    guarded, 'tenant_id = (SELECT app.tenant())');
  CASE kind
    WHEN 'shared' THEN NULL;
    WHEN 'owned' THEN
      EXECUTE format('CREATE POLICY owned ON %s AS RESTRICTIVE TO subrosa_app USING (%s) WITH CHECK (%2$s)', guarded, owned);
    WHEN 'managed' THEN
      EXECUTE format(
        'CREATE POLICY managed_insert ON %s AS RESTRICTIVE FOR INSERT TO subrosa_app WITH CHECK (%s)', guarded, manages);
      EXECUTE format(
        'CREATE POLICY managed_update ON %s AS RESTRICTIVE FOR UPDATE TO subrosa_app USING (%s) WITH CHECK (%2$s)',
        guarded, manages);
      EXECUTE format('CREATE POLICY managed_delete ON %s AS RESTRICTIVE FOR DELETE TO subrosa_app USING (%s)', guarded, manages);
    WHEN 'audited' THEN
      EXECUTE format(
        'CREATE POLICY audited ON %s AS RESTRICTIVE FOR SELECT TO subrosa_app USING ((SELECT app.audits()))', guarded);
  END CASE;
END
$$;
