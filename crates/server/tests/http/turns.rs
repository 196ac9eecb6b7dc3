//! Upkeep goes through what calls mean in turns, of each tenant some calls.

use std::time::Instant;

use server::background;
use tokio::join;

use crate::{
    client::Service,
    people::Person,
    search::{call, count},
};

#[tokio::test]
async fn a_call_that_fails_is_not_tried_again_in_the_turns_of_a_tenant_that_has_many() {
    let service = Service::new().await;
    let mut people = [Person::new(&service).await, Person::new(&service).await];
    // Tenants have their turn in this order.
    people.sort_by_key(|person| person.scope.tenant());
    let [first, second] = &people;
    let said = ("en", &["A trombone was sold."][..]);
    let failing = call(first, "-", said).await;
    for _ in 0..11 {
        call(second, "-", said).await;
    }
    // Nothing is remembered of them; a sequence counts what is rolled back as well.
    let before = format!(
        "UPDATE tenant.calls SET search_memory = 0; DELETE FROM tenant.artifacts WHERE kind = 11; CREATE SEQUENCE public.tries;
         CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
           $$BEGIN PERFORM nextval('public.tries'); ASSERT false; END$$;
         CREATE TRIGGER refuse BEFORE INSERT ON tenant.artifacts FOR EACH ROW WHEN (NEW.kind = 11 AND NEW.call_id = '{failing}')
           EXECUTE FUNCTION public.refuse()"
    );
    first.sql(before).await;
    let left = "SELECT count(*) FROM tenant.calls WHERE search_memory = 0";
    let look = async {
        while count(&service, left).await > 1 {}
        service.app.operation.stop();
    };
    let began = Instant::now();
    join!(background::run(&service.app, None, None), look);
    // Upkeep comes by once a minute.
    let minutes = i64::try_from(began.elapsed().as_secs() / 60).unwrap();
    let tries = count(&service, "SELECT last_value FROM public.tries WHERE is_called").await;
    assert!((1..=1 + minutes).contains(&tries), "{tries}");
}
