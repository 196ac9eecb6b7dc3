-- Tenants, who belongs to them, and the keys under which everything of theirs is sealed.

CREATE TABLE tenant.tenants (
  -- The nil id stands for the installation itself; its audit log is that of its operators.
  tenant_id uuid PRIMARY KEY CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
  key_id text NOT NULL REFERENCES global.keyring,
  sealed_key bytea NOT NULL CHECK (octet_length(sealed_key) BETWEEN 28 AND 1024),
  sealed app.enc,
  region text NOT NULL DEFAULT 'local' CHECK (region ~ '^[a-z0-9-]{1,32}$'),
  plan text NOT NULL DEFAULT 'FREE' REFERENCES global.plans,
  status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 3),
  retention_days smallint NOT NULL DEFAULT 90 CHECK (retention_days BETWEEN 1 AND 3650),
  audio_retention boolean NOT NULL DEFAULT false,
  shares_calls boolean NOT NULL DEFAULT false,
  redaction integer NOT NULL DEFAULT 0,
  allowed_providers text[] NOT NULL DEFAULT '{}' CHECK (array_to_string(allowed_providers, '') ~ '^[a-z0-9_-]*$'),
  allowed_regions text[] NOT NULL DEFAULT '{}' CHECK (array_to_string(allowed_regions, '') ~ '^[a-z0-9-]*$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON tenant.tenants (key_id, tenant_id);
COMMENT ON COLUMN tenant.tenants.key_id IS 'no-content: id of the key-encryption key';
COMMENT ON COLUMN tenant.tenants.sealed_key IS 'no-content: tenant key, sealed under the key-encryption key';
COMMENT ON COLUMN tenant.tenants.region IS 'no-content: code of a region, checked';
COMMENT ON COLUMN tenant.tenants.plan IS 'no-content: code of a plan, referenced';
COMMENT ON COLUMN tenant.tenants.status IS '1 ACTIVE, 2 SUSPENDED, 3 DISABLED';
COMMENT ON COLUMN tenant.tenants.redaction IS 'bit set of what is redacted besides telephone numbers';
COMMENT ON COLUMN tenant.tenants.allowed_providers IS 'no-content: codes of providers, checked';
COMMENT ON COLUMN tenant.tenants.allowed_regions IS 'no-content: codes of regions, checked';
CALL app.protect('tenant.tenants', 'managed');

CREATE TABLE tenant.memberships (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants,
  user_id uuid NOT NULL REFERENCES global.users,
  role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX ON tenant.memberships (user_id);
COMMENT ON COLUMN tenant.memberships.role IS '1 OWNER, 2 ADMIN, 3 MEMBER, 4 AUDITOR';
CALL app.protect('tenant.memberships', 'managed');

CREATE TABLE tenant.api_keys (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
  scopes integer NOT NULL,
  sealed app.enc,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships ON DELETE CASCADE
);
CREATE INDEX ON tenant.api_keys (token_hash);
CREATE INDEX ON tenant.api_keys (tenant_id, owner_id);
COMMENT ON COLUMN tenant.api_keys.token_hash IS 'no-content: SHA-256 of a random token';
COMMENT ON COLUMN tenant.api_keys.scopes IS 'bit set of what the key may do';
CALL app.protect('tenant.api_keys', 'owned');

-- One random key a record, sealed under the tenant key. Destroying the row is what deletion means.
CREATE TABLE tenant.record_keys (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants,
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 5),
  record_id uuid NOT NULL,
  owner_id uuid,
  sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 28 AND 1024),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, kind, record_id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships
);
CREATE INDEX ON tenant.record_keys (tenant_id, owner_id);
COMMENT ON COLUMN tenant.record_keys.kind IS '1 call, 2 contact, 3 voice profile, 4 data of a user in the tenant, 5 the tenant itself';
COMMENT ON COLUMN tenant.record_keys.owner_id IS 'NULL: the tenant''s own (kind 5)';
COMMENT ON COLUMN tenant.record_keys.sealed IS 'no-content: record key, sealed under the tenant key';
-- A member reads the keys of own records and of what is the tenant's own, and makes and destroys only the former.
CALL app.protect('tenant.record_keys', 'shared');
CREATE POLICY owned_select ON tenant.record_keys AS RESTRICTIVE FOR SELECT TO subrosa_app
  USING ((SELECT app.sees_all()) OR owner_id IS NULL OR owner_id = (SELECT app.owner()));
CREATE POLICY owned_insert ON tenant.record_keys AS RESTRICTIVE FOR INSERT TO subrosa_app
  WITH CHECK ((SELECT app.sees_all()) OR owner_id = (SELECT app.owner()));
CREATE POLICY owned_delete ON tenant.record_keys AS RESTRICTIVE FOR DELETE TO subrosa_app
  USING ((SELECT app.sees_all()) OR owner_id = (SELECT app.owner()));
