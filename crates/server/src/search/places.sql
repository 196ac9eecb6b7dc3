SELECT t.place AS "token!", p.call_id AS call, p.positions, c.search_salt AS salt
FROM unnest($2::bytea[]) WITH ORDINALITY AS t (token, place)
CROSS JOIN LATERAL (
  SELECT s.call_id, s.positions FROM tenant.search_postings s
  WHERE s.tenant_id = $1 AND s.token = t.token AND s.call_id = ANY ($3)
) p
JOIN tenant.calls c ON c.tenant_id = $1 AND c.id = p.call_id
