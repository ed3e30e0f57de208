//! The counters of retrievals.

use domain::{Limits, LinkId, Quota, QuotaHolder, QuotaMonth, RetrievalClass, Timestamp};
use futures::future::join_all;
use shared::store::{Counters, Reservation};

use crate::{
    databases::{Tables, both},
    webhooks,
};

const LIMITS: Limits = Limits { long: 3, short: 5 };

fn now() -> Timestamp {
    Timestamp::parse("2026-03-15T00:00:00Z").unwrap()
}

async fn reserve(tables: &Tables, at: Timestamp) -> Reservation {
    tables
        .control
        .quotas
        .reserve(
            &(&tables.link).into(),
            RetrievalClass::Long,
            LIMITS.long,
            at,
        )
        .await
        .unwrap()
}

async fn long(tables: &Tables) -> Quota {
    let quotas = tables
        .control
        .quotas
        .left(&(&tables.link).into(), LIMITS, now())
        .await
        .unwrap();
    quotas
        .into_iter()
        .find(|quota| quota.class == RetrievalClass::Long)
        .unwrap()
}

#[tokio::test]
async fn concurrent_reservations_are_granted_up_to_the_limit() {
    for tables in both().await {
        let reservations = join_all((0..12).map(|_| reserve(&tables, now()))).await;
        let granted = reservations
            .iter()
            .filter(|outcome| matches!(outcome, Reservation::Granted { .. }))
            .count();
        assert_eq!(granted, 3, "{}", tables.name);
        assert_eq!((long(&tables).await.used, long(&tables).await.left), (3, 0));
    }
}

#[tokio::test]
async fn classes_months_and_links_are_counted_separately() {
    let [one, other] = [both().await, both().await];
    for (tables, other) in one.into_iter().zip(other) {
        for left in [2, 1, 0] {
            assert_eq!(reserve(&tables, now()).await, Reservation::Granted { left });
        }
        assert_eq!(reserve(&tables, now()).await, Reservation::Exhausted);
        let short = tables
            .control
            .quotas
            .reserve(
                &(&tables.link).into(),
                RetrievalClass::Short,
                LIMITS.short,
                now(),
            )
            .await
            .unwrap();
        let left = LIMITS.short - 1;
        assert_eq!(short, Reservation::Granted { left });
        let april = Timestamp::parse("2026-04-01T00:00:00Z").unwrap();
        let first = Reservation::Granted { left: 2 };
        assert_eq!(reserve(&tables, april).await, first);
        assert_eq!(reserve(&other, now()).await, first);
        assert_eq!(long(&tables).await.resets_at, Some(april));
    }
}

#[tokio::test]
async fn released_reservations_may_be_used_again_and_no_more() {
    for tables in both().await {
        let release = async || {
            tables
                .control
                .quotas
                .release(&(&tables.link).into(), RetrievalClass::Long, now())
                .await
                .unwrap();
        };
        release().await;
        assert_eq!(long(&tables).await.left, 3, "{}", tables.name);
        reserve(&tables, now()).await;
        reserve(&tables, now()).await;
        release().await;
        assert_eq!((long(&tables).await.used, long(&tables).await.left), (1, 2));
    }
}

#[tokio::test]
async fn belvos_refusal_overrides_our_count() {
    for tables in both().await {
        reserve(&tables, now()).await;
        tables
            .control
            .quotas
            .refused(&(&tables.link).into(), RetrievalClass::Long, now())
            .await
            .unwrap();
        assert_eq!(
            reserve(&tables, now()).await,
            Reservation::Exhausted,
            "{}",
            tables.name
        );
        assert_eq!((long(&tables).await.used, long(&tables).await.left), (1, 0));
        let in_an_hour = now().plus_seconds(60 * 60);
        assert_eq!(long(&tables).await.closed_until, Some(in_an_hour));
        let just_before = in_an_hour.plus_seconds(-1);
        assert_eq!(reserve(&tables, just_before).await, Reservation::Exhausted);
        let granted = reserve(&tables, in_an_hour).await;
        assert_eq!(granted, Reservation::Granted { left: 1 });
    }
}

#[tokio::test]
async fn a_refusal_of_one_month_does_not_close_another() {
    for tables in both().await {
        let at = |text| Timestamp::parse(text).unwrap();
        let holder = (&tables.link).into();
        let last_second = at("2026-02-28T23:59:59Z");
        let quotas = &tables.control.quotas;
        let refused = quotas.refused(&holder, RetrievalClass::Long, last_second);
        refused.await.unwrap();
        let next = reserve(&tables, at("2026-03-01T00:00:00Z")).await;
        assert_eq!(next, Reservation::Granted { left: 2 }, "{}", tables.name);
    }
}

#[tokio::test]
async fn a_limit_of_zero_grants_nothing() {
    for tables in both().await {
        let outcome = tables
            .control
            .quotas
            .reserve(&(&tables.link).into(), RetrievalClass::Long, 0, now())
            .await
            .unwrap();
        assert_eq!(outcome, Reservation::Exhausted, "{}", tables.name);
    }
}

/// Every counter of a month, in the order of the listing, two a page.
async fn listed(tables: &Tables, month: &str) -> Vec<Counters> {
    let (quotas, month) = (&tables.control.quotas, QuotaMonth::parse(month).unwrap());
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = quotas.of_month(month, after.as_ref(), 2).await;
        let (page, next) = page.unwrap();
        listed.extend(page);
        match next {
            Some(cursor) => after = Some(cursor),
            None => return listed,
        }
    }
}

/// Of the listed counters those that have a link.
fn of<'a>(counters: &'a [Counters], link: &LinkId) -> Vec<&'a Counters> {
    let has_link = |one: &&Counters| one.links.contains(link);
    counters.iter().filter(has_link).collect()
}

fn used(counters: &Counters) -> [u32; 2] {
    let left = counters.left(LIMITS, now());
    [left[0].used, left[1].used]
}

#[tokio::test]
async fn a_month_is_listed_by_customer_with_the_links_that_spent() {
    for tables in both().await {
        let quotas = &tables.control.quotas;
        let customer = uuid::Uuid::new_v4().to_string();
        let others = [webhooks::link(), webhooks::link()];
        let mut links = vec![tables.link.clone()];
        links.extend(others);
        links.sort_unstable();
        let class = RetrievalClass::Short;
        for link in &links {
            let holder = QuotaHolder::customer(&customer, link.clone());
            let reserved = quotas.reserve(&holder, class, 9, now());
            let granted = reserved.await.unwrap();
            assert!(matches!(granted, Reservation::Granted { .. }));
            let alone = QuotaHolder::from(&webhooks::link());
            quotas.reserve(&alone, class, 9, now()).await.unwrap();
        }

        let march = listed(&tables, "2026-03").await;
        let found = of(&march, &tables.link);
        let [one] = found.as_slice() else {
            panic!("{}: {found:?}", tables.name)
        };
        assert_eq!(one.counted_for(), "customer");
        assert!(one.links.iter().eq(&links), "{}: {one:?}", tables.name);
        assert_eq!(used(one), [0, 3], "{}", tables.name);
        let april = listed(&tables, "2026-04").await;
        assert!(of(&april, &tables.link).is_empty(), "{}", tables.name);
    }
}

#[tokio::test]
async fn what_a_link_has_spent_is_listed_for_its_customer_once_that_is_known() {
    for tables in both().await {
        let quotas = &tables.control.quotas;
        reserve(&tables, now()).await;
        let alone = QuotaHolder::from(&tables.link);
        let customer = uuid::Uuid::new_v4().to_string();
        let customer = QuotaHolder::customer(&customer, tables.link.clone());
        quotas.carry_over(&alone, &customer, now()).await.unwrap();

        let march = listed(&tables, "2026-03").await;
        let found = of(&march, &tables.link);
        let [one] = found.as_slice() else {
            panic!("{}: {found:?}", tables.name)
        };
        assert_eq!((one.counted_for(), used(one)), ("customer", [1, 0]));
    }
}

#[tokio::test]
async fn what_belvo_refused_is_listed_although_nothing_was_counted() {
    for tables in both().await {
        let (quotas, holder) = (&tables.control.quotas, QuotaHolder::from(&tables.link));
        let refused = quotas.refused(&holder, RetrievalClass::Long, now());
        refused.await.unwrap();
        let march = listed(&tables, "2026-03").await;
        let left = of(&march, &tables.link)[0].left(LIMITS, now());
        assert_eq!((left[0].used, left[0].left), (0, 0), "{}", tables.name);
        let later = now().plus_seconds(40 * 86_400);
        let left = of(&march, &tables.link)[0].left(LIMITS, later);
        assert_eq!((left[0].left, left[0].closed_until), (LIMITS.long, None));
    }
}
