//! Sealing the keys of 100,000 tenants again under a new key.

use std::time::Instant;

use server::vault::rotation;
use uuid::Uuid;

use crate::support::TestDatabase;

/// Tenants.
const TENANTS: usize = 100_000;

pub(crate) async fn run() {
    let test = TestDatabase::new().await;
    let old = crate::key("k1");
    let (_, vault) = crate::open_with(&test, &old).await;
    let mut superuser = test.superuser().await;
    for _ in 0..TENANTS / 1000 {
        let ids: Vec<Uuid> = (0..1000).map(|_| Uuid::now_v7()).collect();
        let sealed: Vec<Vec<u8>> = ids.iter().map(|id| vault.new_tenant_key(*id).unwrap().1).collect();
        sqlx::query(
            "INSERT INTO tenant.tenants (tenant_id, key_id, sealed_key) SELECT t, 'k1', s FROM unnest($1::uuid[], $2::bytea[]) AS u (t, s)",
        )
        .bind(ids)
        .bind(sealed)
        .execute(&mut superuser)
        .await
        .unwrap();
    }
    let (database, vault) = crate::open_with(&test, &format!("{},{old}", crate::key("k2"))).await;
    let start = Instant::now();
    let done = rotation::rotate(&database, &vault, |_| {}).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("\nRotation of {} keys: {seconds:.1} s, {:.0} keys a second", done.done, done.done as f64 / seconds);
}
