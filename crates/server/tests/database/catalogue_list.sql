-- Everything that may be done, by whom, and everything that restricts it, one line each; compared with catalogue.txt word for word.
SELECT line FROM (
  SELECT format('grant %s on %s to %s', string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type), c.oid::regclass, e.grantee::regrole) AS line
    FROM pg_class c, aclexplode(c.relacl) e WHERE c.relnamespace IN ('tenant'::regnamespace, 'global'::regnamespace, 'app'::regnamespace)
      AND e.grantee <> c.relowner GROUP BY c.oid, e.grantee
  UNION ALL
  SELECT format('grant %s (%s) on %s to %s', e.privilege_type, string_agg(a.attname, ', ' ORDER BY a.attname), a.attrelid::regclass, e.grantee::regrole)
    FROM pg_attribute a, aclexplode(a.attacl) e WHERE a.attrelid >= 16384 GROUP BY e.privilege_type, a.attrelid, e.grantee
  UNION ALL
  SELECT format('grant execute on %s of %s to %s', p.oid::regprocedure, p.proowner::regrole, string_agg(e.grantee::regrole::text, ', ' ORDER BY e.grantee::regrole::text))
    FROM pg_proc p, aclexplode(p.proacl) e WHERE p.pronamespace = 'app'::regnamespace AND e.grantee <> p.proowner GROUP BY p.oid
  UNION ALL
  SELECT format('grant %s on schema %s to %s', string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type), n.nspname, e.grantee::regrole)
    FROM pg_namespace n, aclexplode(n.nspacl) e WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND e.grantee <> n.nspowner
    GROUP BY n.oid, e.grantee
  UNION ALL
  SELECT format('grant %s on database to %s', string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type), e.grantee::regrole)
    FROM pg_database d, aclexplode(d.datacl) e WHERE d.datname = current_database() AND e.grantee <> d.datdba GROUP BY e.grantee
  UNION ALL
  SELECT format('set %s for %s', unnest(s.setconfig), s.setrole::regrole) FROM pg_db_role_setting s
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
  UNION ALL
  SELECT format('policy %s on %s as %s for %s to %s using (%s) check (%s)', p.polname, p.polrelid::regclass,
      CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
      CASE p.polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' ELSE 'delete' END,
      (SELECT string_agg(r::regrole::text, ', ') FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p
  UNION ALL
  SELECT format('constraint on %s %s', k.conrelid::regclass, pg_get_constraintdef(k.oid)) FROM pg_constraint k
    WHERE k.connamespace IN ('tenant'::regnamespace, 'global'::regnamespace) AND k.contype IN ('p', 'u', 'f')
  UNION ALL
  SELECT format('domain %s %s', k.contypid::regtype, pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.contypid = 'app.enc'::regtype
) l ORDER BY line COLLATE "C"
