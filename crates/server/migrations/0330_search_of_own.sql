-- Search by somebody who sees their own calls alone. Row-level security takes away what others own only once it was read, so that a word
-- would cost as many rows as the tenant has calls with it.
CREATE INDEX search_postings_own ON tenant.search_postings (tenant_id, owner_id, token, call_id);
