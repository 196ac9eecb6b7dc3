SELECT t.place AS "token!", p.call_id AS call, p.term_frequency AS frequency, p.call_words AS words
FROM unnest($2::bytea[]) WITH ORDINALITY AS t (token, place)
CROSS JOIN LATERAL (
  SELECT s.call_id, s.term_frequency, s.call_words FROM tenant.search_postings s
  WHERE s.tenant_id = $1 AND s.owner_id = $4 AND s.token = t.token ORDER BY s.call_id DESC LIMIT $3
) p
