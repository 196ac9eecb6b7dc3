-- The address book and what follows from calls, now that both are written.

-- By what a contact is found: a row for each number, way to write it, address and name. Nobody wrote the two columns that these replace.
CREATE TABLE tenant.contact_tokens (
  tenant_id uuid NOT NULL,
  contact_id uuid NOT NULL,
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 4),
  token bytea NOT NULL CHECK (octet_length(token) = 32),
  owner_id uuid NOT NULL,
  PRIMARY KEY (tenant_id, contact_id, kind, token),
  FOREIGN KEY (tenant_id, contact_id, owner_id) REFERENCES tenant.contacts (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.contact_tokens (tenant_id, contact_id, owner_id);
CREATE INDEX ON tenant.contact_tokens (tenant_id, owner_id, token);
-- A number and an address belong to one contact of a user's.
CREATE UNIQUE INDEX contact_tokens_one ON tenant.contact_tokens (tenant_id, owner_id, kind, token) WHERE kind IN (1, 3);
COMMENT ON COLUMN tenant.contact_tokens.kind IS '1 number, 2 the number without its country, 3 e-mail address, 4 name';
COMMENT ON COLUMN tenant.contact_tokens.token IS 'no-content: HMAC under an index key of the tenant';
CALL app.protect('tenant.contact_tokens', 'owned');
GRANT SELECT, INSERT, DELETE ON tenant.contact_tokens TO subrosa_app;

ALTER TABLE tenant.contacts DROP COLUMN phone_token, DROP COLUMN email_token;
CREATE INDEX ON tenant.contacts (tenant_id, owner_id, created_at DESC, id);
CREATE INDEX ON tenant.contacts (tenant_id, created_at DESC, id);

ALTER TABLE tenant.action_items ADD COLUMN is_removed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tenant.action_items.is_removed IS
  'a person removed what analysis found: only what it was found by is left, so that it does not come back';
CREATE INDEX ON tenant.action_items (tenant_id, created_at DESC, id);

-- An answer about a contact or an action item goes with the record whose content it holds.
ALTER TABLE tenant.idempotency_keys
  ADD COLUMN record_kind smallint CHECK (record_kind BETWEEN 1 AND 5),
  ADD COLUMN record_id uuid,
  ADD CHECK ((record_kind IS NULL) = (record_id IS NULL));
COMMENT ON COLUMN tenant.idempotency_keys.record_kind IS
  'under whose key the answer is sealed where the address of the request does not say: 1 call, 2 contact';
