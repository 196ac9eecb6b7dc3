-- What belongs to no tenant. subrosa_app has no grant here; functions of 0007 and 0008 are the only way.

-- Versions of the key-encryption key: never the key, only what proves that a given key is the one that sealed the data.
CREATE TABLE global.keyring (
  key_id text PRIMARY KEY CHECK (key_id ~ '^[A-Za-z0-9._-]{1,64}$'),
  check_value bytea NOT NULL CHECK (octet_length(check_value) BETWEEN 16 AND 256),
  created_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz
);

-- Retiring a key takes it out of the keyring, to which everything that is sealed refers: the reference refuses while anything is
-- sealed under it, and from then on nothing can be, even by a program that still has the old key in front. What is kept of it says
-- that its id is taken for ever.
CREATE TABLE global.retired_keys (LIKE global.keyring INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
ALTER TABLE global.retired_keys ADD PRIMARY KEY (key_id), ALTER COLUMN retired_at SET NOT NULL;

-- Keys of the installation, sealed under a key-encryption key. Purposes: 1 token signing, 2 receipt signing, 3 password
-- pepper, 4 sign-in HMAC, 5 context HMAC.
CREATE TABLE global.system_keys (
  purpose smallint NOT NULL CHECK (purpose BETWEEN 1 AND 5),
  version integer NOT NULL CHECK (version > 0),
  key_id text NOT NULL REFERENCES global.keyring,
  sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 28 AND 1024),
  public_key bytea CHECK (octet_length(public_key) BETWEEN 32 AND 256),
  created_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz,
  PRIMARY KEY (purpose, version)
);

-- A person. The address is an HMAC under a global key; personal fields are sealed under the user's own record key.
CREATE TABLE global.users (
  id uuid PRIMARY KEY,
  address_hmac bytea NOT NULL UNIQUE CHECK (octet_length(address_hmac) = 32),
  credential bytea CHECK (octet_length(credential) <= 256),
  key_id text NOT NULL REFERENCES global.keyring,
  sealed_key bytea NOT NULL CHECK (octet_length(sealed_key) BETWEEN 28 AND 1024),
  sealed app.enc,
  status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 3), -- 1 active, 2 suspended, 3 disabled
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON global.users (key_id, id);

-- Who a user is to an issuer of identity tokens, both as HMACs.
CREATE TABLE global.identities (
  issuer_hmac bytea NOT NULL CHECK (octet_length(issuer_hmac) = 32),
  subject_hmac bytea NOT NULL CHECK (octet_length(subject_hmac) = 32),
  user_id uuid NOT NULL REFERENCES global.users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer_hmac, subject_hmac)
);
CREATE INDEX ON global.identities (user_id);

-- A refresh token that was given out. A family is one sign-in; a token used twice revokes it.
CREATE TABLE global.sessions (
  id uuid PRIMARY KEY,
  family uuid NOT NULL,
  parent uuid,
  user_id uuid NOT NULL REFERENCES global.users ON DELETE CASCADE,
  tenant_id uuid NOT NULL,
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at timestamptz,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX ON global.sessions (family);
CREATE INDEX ON global.sessions (user_id);

CREATE TABLE global.feature_flags (
  name text PRIMARY KEY CHECK (name ~ '^[a-z0-9_]{1,64}$'),
  enabled boolean NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE global.plans (
  code text PRIMARY KEY CHECK (code ~ '^[A-Z0-9_]{1,32}$'),
  minutes_a_month integer NOT NULL CHECK (minutes_a_month >= 0),
  transcripts_a_day integer CHECK (transcripts_a_day >= 0), -- NULL: no daily rail
  overage_thousandths integer CHECK (overage_thousandths >= 0) -- of the currency's unit, a minute; NULL: blocked
);
INSERT INTO global.plans VALUES ('FREE', 150, 3, NULL), ('PRO', 1000, NULL, 25);

COMMENT ON COLUMN global.context_keys.key IS 'no-content: HMAC key, read by the owner alone';
COMMENT ON COLUMN global.keyring.key_id IS 'no-content: name of a key, checked';
COMMENT ON COLUMN global.keyring.check_value IS 'no-content: proves a key without holding it';
COMMENT ON COLUMN global.retired_keys.key_id IS 'no-content: id of a key, checked';
COMMENT ON COLUMN global.retired_keys.check_value IS 'no-content: proves that a given key is this one';
COMMENT ON COLUMN global.system_keys.key_id IS 'no-content: name of a key';
COMMENT ON COLUMN global.system_keys.sealed IS 'no-content: a key, sealed';
COMMENT ON COLUMN global.system_keys.public_key IS 'no-content: the public half of a key pair';
COMMENT ON COLUMN global.users.address_hmac IS 'no-content: HMAC under a global key';
COMMENT ON COLUMN global.users.credential IS 'no-content: bcrypt over a peppered HMAC';
COMMENT ON COLUMN global.users.key_id IS 'no-content: name of a key';
COMMENT ON COLUMN global.users.sealed_key IS 'no-content: record key, sealed under the key-encryption key';
COMMENT ON COLUMN global.identities.issuer_hmac IS 'no-content: HMAC under a global key';
COMMENT ON COLUMN global.identities.subject_hmac IS 'no-content: HMAC under a global key';
COMMENT ON COLUMN global.sessions.token_hash IS 'no-content: SHA-256 of a random token';
COMMENT ON COLUMN global.feature_flags.name IS 'no-content: name of a flag, checked';
COMMENT ON COLUMN global.plans.code IS 'no-content: code of a plan, checked';
