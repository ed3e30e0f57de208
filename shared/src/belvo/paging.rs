//! Pages of fewer rows, for where a page has too many bytes.

use url::Url;

/// The address of the first of the smaller pages that together have the rows of the page at `url`:
/// 50 rows become 25, then 5, then 1. `None` if it has one row, or the address does not say how
/// many.
pub(super) fn smaller(url: &Url) -> Option<Url> {
    let (page, size) = (number(url, "page").unwrap_or(1), size(url)?);
    let divisor = (2..=size).find(|divisor| size % divisor == 0)?;
    let before = page.checked_sub(1)?.checked_mul(divisor)?;
    let first = before.checked_add(1)?;

    let kept = url.query_pairs().into_owned();
    let kept: Vec<_> = kept
        .filter(|(name, _)| name != "page" && name != "page_size")
        .collect();
    let mut smaller = url.clone();
    smaller
        .query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("page_size", &(size / divisor).to_string())
        .append_pair("page", &first.to_string());
    Some(smaller)
}

/// How many rows a page has, by its address.
pub(super) fn size(url: &Url) -> Option<u64> {
    number(url, "page_size")
}

fn number(url: &Url, name: &str) -> Option<u64> {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(url: &Url) -> std::ops::Range<u64> {
        let (page, size) = (number(url, "page").unwrap_or(1), size(url).unwrap());
        (page - 1) * size..page * size
    }

    #[test]
    fn a_smaller_page_begins_where_the_larger_one_does() {
        for page in [1, 3] {
            let of = format!("https://belvo.test/api/?link=l&page={page}&page_size=1000");
            let mut url: Url = of.parse().unwrap();
            let start = rows(&url).start;
            for size in [500, 250, 125, 25, 5, 1] {
                url = smaller(&url).unwrap();
                assert_eq!(rows(&url), start..start + size, "{url}");
                assert!(url.as_str().contains("link=l"), "{url}");
            }
            assert_eq!(smaller(&url), None);
        }
    }

    #[test]
    fn the_first_page_need_not_have_a_number() {
        let url = "https://belvo.test/api/?value_date__range=2026-01-01%2C2026-01-31&page_size=50";
        let smaller = smaller(&url.parse().unwrap()).unwrap();
        assert_eq!(rows(&smaller), 0..25);
        let mut pairs = smaller.query_pairs();
        assert_eq!(pairs.next().unwrap().1, "2026-01-01,2026-01-31");
    }

    #[test]
    fn a_page_of_unknown_size_or_beyond_all_numbers_has_no_smaller_one() {
        for query in [
            "",
            "page=2",
            "page_size=many",
            "page_size=0",
            "page=0&page_size=50",
            "page=18446744073709551615&page_size=50",
            // The last row before it has the highest number that there is.
            "page=3689348814741910324&page_size=5",
        ] {
            let url: Url = format!("https://belvo.test/api/?{query}").parse().unwrap();
            assert_eq!(smaller(&url), None, "{query}");
        }
    }
}
