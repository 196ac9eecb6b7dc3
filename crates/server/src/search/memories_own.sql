SELECT a.call_id AS call, a.updated_at AS version FROM tenant.artifacts a
WHERE a.tenant_id = $1 AND a.kind = 11 AND a.owner_id = $3 ORDER BY a.call_id DESC LIMIT $2
