-- Roles of a cluster and what their sessions are set to. Run once in the database that Subrosa is to use and that subrosa_owner
-- owns, by a superuser, or by a login with CREATEROLE that is a member of subrosa_owner; running it again changes nothing. The
-- embedded cluster runs it by itself.
--
-- The settings belong to the roles because a transaction-mode pooler drops what a session sets for itself.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'subrosa_owner') THEN
    CREATE ROLE subrosa_owner LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'subrosa_app') THEN
    CREATE ROLE subrosa_app LOGIN NOINHERIT;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'subrosa_auth') THEN
    CREATE ROLE subrosa_auth NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'subrosa_jobs') THEN
    CREATE ROLE subrosa_jobs NOLOGIN;
  END IF;
END
$$;

-- So that migrations can give functions to the two roles that cannot log in.
GRANT subrosa_auth, subrosa_jobs TO subrosa_owner;

-- Every name in a statement is qualified, so that no object in another schema can take its place.
ALTER ROLE subrosa_owner SET search_path = '';
ALTER ROLE subrosa_app SET search_path = '';

-- Passphrases of single fields and the key of contexts are bind parameters, and the detail of a constraint's violation prints the
-- row: neither is logged.
-- Most of these only a superuser may set. Where another login runs this, the server's own configuration has to say the
-- same: the program looks at every start, and does not start otherwise.
DO $$
DECLARE
  setting record;
BEGIN
  FOR setting IN SELECT * FROM (VALUES
      ('subrosa_owner', 'log_parameter_max_length', '0'),
      ('subrosa_owner', 'log_parameter_max_length_on_error', '0'),
      ('subrosa_owner', 'log_statement', 'none'),
      ('subrosa_owner', 'log_error_verbosity', 'terse'),
      ('subrosa_app', 'log_parameter_max_length', '0'),
      ('subrosa_app', 'log_parameter_max_length_on_error', '0'),
      ('subrosa_app', 'log_statement', 'none'),
      ('subrosa_app', 'log_error_verbosity', 'terse')) AS settings (role, name, value)
  LOOP
    BEGIN
      EXECUTE format('ALTER ROLE %I SET %I = %L', setting.role, setting.name, setting.value);
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'not set for %: set % = % in the configuration of the server', setting.role, setting.name, setting.value;
    END;
  END LOOP;
END
$$;

-- No statement of a request takes half a minute, and no transaction waits for its client longer than that.
ALTER ROLE subrosa_app SET statement_timeout = '30s';
ALTER ROLE subrosa_app SET lock_timeout = '10s';
ALTER ROLE subrosa_app SET idle_in_transaction_session_timeout = '30s';

-- Compiling a plan takes longer than any statement of a request runs.
ALTER ROLE subrosa_app SET jit = off;

-- PUBLIC may create temporary tables in a new database, and functions in its schema before version 15.
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO subrosa_app', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
