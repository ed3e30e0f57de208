//! The links of which there is news, in the order in which it was recorded (docs/decisions/0030).

use domain::{Digest, LinkId, LinkNews, LinkRecord, NewsPlace, Sequence};
use futures::future::try_join_all;

use super::{KIND, Links, RECORD};
use crate::store::{
    StoreError,
    item::{Item, text},
    table::{BY_NEWS, Listing},
};

/// The partitions of the index. Each takes 1,000 write units a second, of which a change takes two.
const SHARDS: u8 = 16;
/// So many are read of each at least: they cost no more than one.
const LEAST_OF_EACH: u16 = 10;

impl Links {
    /// The links of which there is news after a place, at most `limit`, and whether there is more.
    /// Read from an index that may lag slightly behind the table.
    pub async fn news(
        &self,
        place: &NewsPlace,
        limit: u16,
    ) -> Result<(Vec<LinkNews>, bool), StoreError> {
        let after = key(&place.after);
        let of_each = limit.div_ceil(SHARDS.into()).max(LEAST_OF_EACH);
        let shards = (0..SHARDS).map(|shard| self.news_of(shard, &after, of_each));
        let shards = try_join_all(shards).await?;
        Ok(merged(shards, of_each.into(), limit.into()))
    }

    async fn news_of(
        &self,
        shard: u8,
        after: &str,
        limit: u16,
    ) -> Result<Vec<LinkNews>, StoreError> {
        let listing = Listing {
            index: BY_NEWS,
            kind: KIND,
            under: &shard.to_string(),
        };
        let items = self.0.following(listing, after, limit).await?;
        let news = items.iter().map(news).collect::<Option<_>>();
        news.ok_or(StoreError::Corrupt(RECORD))
    }
}

/// The news of all shards, of which up to `of_each` were read, in their order: at most `limit`, and
/// whether there may be more. What is returned goes no further than any shard of which there may be
/// more was read.
fn merged(shards: Vec<Vec<LinkNews>>, of_each: usize, limit: usize) -> (Vec<LinkNews>, bool) {
    let unfinished = shards.iter().filter(|shard| shard.len() >= of_each);
    let read_to = unfinished.filter_map(|shard| shard.last()).min().cloned();
    let mut news: Vec<_> = shards.into_iter().flatten().collect();
    news.sort_unstable();
    if let Some(read_to) = &read_to {
        news.retain(|one| one <= read_to);
    }
    let has_more = read_to.is_some() || news.len() > limit;
    news.truncate(limit);
    (news, has_more)
}

/// The attributes that put a link into the index `by_news`.
pub(super) fn attributes(record: &LinkRecord) -> Item {
    if record.sequence.is_none() {
        return Item::new();
    }
    let news = LinkNews {
        sequence: record.sequence,
        link: Some(record.id.clone()),
    };
    let shard = Digest::of(record.id.as_str()).as_bytes()[0] % SHARDS;
    Item::from([
        ("news".to_owned(), text(shard.to_string())),
        ("news_at".to_owned(), text(key(&news))),
    ])
}

/// Sorts as text as news does.
fn key(news: &LinkNews) -> String {
    let link = news.link.as_ref().map_or("", LinkId::as_str);
    format!("{:020}#{link}", news.sequence.number())
}

fn news(item: &Item) -> Option<LinkNews> {
    let (sequence, link) = item.get("news_at")?.as_s().ok()?.split_once('#')?;
    Some(LinkNews {
        sequence: Sequence::of(sequence.parse().ok()?),
        link: Some(LinkId::parse(link).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::Timestamp;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn news(sequence: u64) -> LinkNews {
        LinkNews {
            sequence: Sequence::of(sequence),
            link: None,
        }
    }

    fn merge(shards: &[&[u64]], of_each: usize, limit: usize) -> (Vec<u64>, bool) {
        let shards = shards
            .iter()
            .map(|shard| shard.iter().copied().map(news).collect());
        let (all, has_more) = merged(shards.collect(), of_each, limit);
        let numbers = all.iter().map(|one| one.sequence.number());
        (numbers.collect(), has_more)
    }

    #[test]
    fn nothing_is_returned_beyond_what_was_read_of_every_shard() {
        assert_eq!(merge(&[&[1, 9], &[2, 3]], 2, 4), (vec![1, 2, 3], true));
        assert_eq!(merge(&[&[1, 9], &[2], &[]], 3, 9), (vec![1, 2, 9], false));
        assert_eq!(merge(&[&[1, 2], &[3, 4]], 3, 3), (vec![1, 2, 3], true));
        assert_eq!(merge(&[&[], &[]], 1, 1), (vec![], false));
    }

    #[test]
    fn keys_sort_as_news_does() {
        let of = |sequence, link: Option<&str>| LinkNews {
            sequence: Sequence::of(sequence),
            link: link.map(|link| LinkId::parse(link).unwrap()),
        };
        let one = "bcca0da9-a4c6-4830-9676-1d54682851d9";
        let other = "c40cbdd8-9b2c-4b04-9d3b-2b8a4f0d9c11";
        let mut all = [
            of(9, None),
            of(9, Some(other)),
            of(9, Some(one)),
            of(10, None),
            of(100, Some(one)),
        ];
        all.sort_unstable();
        let keys: Vec<_> = all.iter().map(key).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    /// News of a link: when its sequence was taken, and how much later the index had it.
    type Written = (usize, i64, i64);

    /// What the index has at a time: of each link the latest news that it has got so far.
    fn index(written: &[Written], at: i64) -> BTreeMap<usize, LinkNews> {
        let mut index: BTreeMap<usize, (LinkNews, i64)> = BTreeMap::new();
        for (link, taken, lag) in written {
            let of_link = index.get(link).cloned();
            // What is written later of one link appears later.
            let appears = of_link
                .as_ref()
                .map_or(0, |(_, before)| *before)
                .max(taken + lag);
            let known = of_link
                .map(|(news, _)| news.sequence.number())
                .unwrap_or_default();
            if appears <= at {
                let sequence = (known + 1).max(u64::try_from(*taken).unwrap());
                index.insert(*link, (news_of(*link, sequence), appears));
            }
        }
        index
            .into_iter()
            .map(|(link, (news, _))| (link, news))
            .collect()
    }

    fn news_of(link: usize, sequence: u64) -> LinkNews {
        let id = format!("00000000-0000-0000-0000-{link:012}");
        LinkNews {
            sequence: Sequence::of(sequence),
            link: Some(LinkId::parse(&id).unwrap()),
        }
    }

    /// What one question reads of each partition, as [`Links::news`] does.
    fn read(
        index: &BTreeMap<usize, LinkNews>,
        after: &LinkNews,
        limit: usize,
    ) -> (Vec<LinkNews>, bool) {
        let of_each = limit.div_ceil(SHARDS.into());
        let shards = (0..usize::from(SHARDS)).map(|shard| {
            let of_shard = index
                .iter()
                .filter(|(link, _)| **link % usize::from(SHARDS) == shard);
            let mut news: Vec<_> = of_shard.map(|(_, news)| news.clone()).collect();
            news.retain(|news| news > after);
            news.sort_unstable();
            news.truncate(of_each);
            news
        });
        merged(shards.collect(), of_each, limit)
    }

    proptest! {
        /// However late the index has what was written, within two minutes, and whenever a reader
        /// asks: in the end it has the latest news of every link.
        #[test]
        fn a_reader_gets_the_latest_news_of_every_link(
            mut written in vec((0..40_usize, 0..600_000_i64, 0..120_000_i64), 1..120),
            mut questions in vec(0..600_000_i64, 0..30),
            limit in 1..40_usize,
        ) {
            const BEGINNING: i64 = 1_772_323_200_000;
            written.sort_by_key(|(_, taken, _)| *taken);
            for (_, taken, _) in &mut written {
                *taken += BEGINNING;
            }
            questions.sort_unstable();
            // The last one when the index has everything.
            questions.push(720_001);
            let (mut place, mut seen) = (NewsPlace::default(), BTreeMap::new());
            for question in questions {
                let mut at = BEGINNING + question;
                loop {
                    let now = Timestamp::of_unix_millis(at).unwrap();
                    place = place.in_round(now);
                    let (news, has_more) = read(&index(&written, at), &place.after, limit);
                    prop_assert!(news.len() <= limit && (!has_more || !news.is_empty()));
                    let last = news.last().cloned();
                    seen.extend(news.into_iter().map(|news| (news.link.clone(), news)));
                    place = place.advanced(last, has_more);
                    if !has_more {
                        break;
                    }
                    at += 50;
                }
            }
            let latest = index(&written, i64::MAX).into_values();
            let latest: BTreeMap<_, _> = latest.map(|news| (news.link.clone(), news)).collect();
            prop_assert_eq!(seen, latest);
        }
    }
}
