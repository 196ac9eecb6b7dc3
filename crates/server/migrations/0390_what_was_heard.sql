-- What recognition gave of a call goes with the first correction of its transcript. The program kept it before: where a transcript was
-- written again, by a person or with a warning, it goes now, unless a legal hold keeps it. Postings of a call under legal hold are made anew,
-- since they may hold what a correction took away. Policies hold the owner too, but for these statements, which lock as the program does.
ALTER TABLE tenant.calls NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tenant.artifacts NO FORCE ROW LEVEL SECURITY;
UPDATE tenant.calls SET search_words = NULL WHERE legal_hold;
DELETE FROM tenant.artifacts heard USING tenant.artifacts said, tenant.calls call
  WHERE heard.kind = 3 AND heard.run_id IS NULL
    AND said.tenant_id = heard.tenant_id AND said.call_id = heard.call_id AND said.kind = 4 AND said.updated_at > heard.updated_at
    AND call.tenant_id = heard.tenant_id AND call.id = heard.call_id AND NOT call.legal_hold;
ALTER TABLE tenant.artifacts FORCE ROW LEVEL SECURITY;
ALTER TABLE tenant.calls FORCE ROW LEVEL SECURITY;
