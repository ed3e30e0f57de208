//! What the demo prints at its end: a table, and what is wrong, if anything is.

use std::collections::BTreeMap;

use serde_json::Value;
use test_harness::shown;
use time::Duration;

use crate::{
    compare::{Comparison, id},
    hops::Hops,
};

/// How many of the documents that are wrong are shown.
const EXAMPLES: usize = 3;
const COMPLETE: &str = "complete";

/// A link, after its way through the pipeline.
pub(crate) struct Outcome {
    pub(crate) access_mode: &'static str,
    pub(crate) link: String,
    /// What the pipeline says of the retrieval.
    pub(crate) record: Value,
    /// How many retrievals the link has cost.
    pub(crate) retrievals: usize,
    pub(crate) hops: Hops,
    pub(crate) transactions: Comparison,
    pub(crate) accounts: Comparison,
}

impl Outcome {
    /// Whether everything is stored as Belvo has it, and the pipeline says so too.
    pub(crate) fn is_good(&self) -> bool {
        let is_equal = self.transactions.is_equal() && self.accounts.is_equal();
        is_equal && self.verdict() == COMPLETE
    }

    /// The record's own verdict, or how far it came.
    fn verdict(&self) -> String {
        match self.record["verdict"].as_str() {
            Some(verdict) => verdict.to_owned(),
            None => format!("none ({})", text(&self.record["status"])),
        }
    }

    /// The names of the table's rows, and what they are for this link.
    fn column(&self) -> Vec<(&'static str, String)> {
        let (hops, rows, accounts) = (&self.hops, &self.transactions, &self.accounts);
        let pages = count(&self.record["collection"]["pages"]);
        let declared = count(&self.record["declared"]["total_transactions"]);
        let both = |of: fn(&Comparison) -> usize| grouped(of(rows) + of(accounts));
        vec![
            ("Access mode", self.access_mode.to_owned()),
            ("POST /requests to its 202", duration(hops.request)),
            ("Belvo's 202 to its webhook", duration(hops.belvo_works)),
            ("Webhook acknowledged in", duration(hops.acknowledged)),
            ("Webhook to everything stored", duration(hops.store)),
            ("  of which fetching and storing", duration(hops.collect)),
            ("In all", duration(hops.total)),
            ("Attempts to deliver the webhook", grouped(hops.attempts)),
            ("Retrievals spent", grouped(self.retrievals)),
            ("Pages fetched", pages.map_or("-".to_owned(), grouped)),
            (
                "Transactions, by the webhook",
                declared.map_or("-".to_owned(), grouped),
            ),
            ("Transactions, at Belvo", grouped(rows.at_belvo)),
            ("Transactions, stored", grouped(rows.stored)),
            ("Accounts, at Belvo", grouped(accounts.at_belvo)),
            ("Accounts, stored", grouped(accounts.stored)),
            ("Missing", both(|found| found.missing.len())),
            ("Not at Belvo", both(|found| found.extra.len())),
            ("With other fields", both(|found| found.different.len())),
            ("Verdict of the record", self.verdict()),
        ]
    }

    /// Everything that is wrong with the link; nothing if it is good.
    fn complaints(&self) -> Vec<String> {
        let mut lines = complaints_about("transactions", &self.transactions);
        lines.extend(complaints_about("accounts", &self.accounts));
        if self.verdict() != COMPLETE {
            lines.push(format!(
                "  the verdict of its record is: {}",
                self.verdict()
            ));
        }
        if let Value::Object(failure) = &self.record["failure"] {
            let (code, message) = (text(&failure["code"]), text(&failure["message"]));
            lines.push(format!("  the retrieval failed: {code}: {message}"));
        }
        if !lines.is_empty() {
            let title = format!("The {} link {}:", self.access_mode, self.link);
            lines.insert(0, title);
        }
        lines
    }
}

/// The table, what is wrong, and the verdict on all links.
pub(crate) fn render(outcomes: &[Outcome]) -> String {
    let mut lines = table(outcomes);
    lines.push(String::new());
    let wrong: Vec<_> = outcomes.iter().flat_map(Outcome::complaints).collect();
    if !wrong.is_empty() {
        lines.extend(wrong);
        lines.push(String::new());
    }
    lines.push(verdict(outcomes));
    lines.join("\n")
}

/// What became of a consumer's copy.
pub(crate) fn copy_verdict(copy: &Comparison) -> String {
    if copy.is_equal() {
        let rows = grouped(copy.stored);
        return format!(
            "EQUAL: the consumer's copy has all {rows} transactions exactly as Belvo has them."
        );
    }
    let mut lines = complaints_about("transactions of the copy", copy);
    lines.push("NOT EQUAL: the consumer's copy, see above.".to_owned());
    lines.join("\n")
}

/// A number with a comma after each three digits: `2,500`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A column for each link.
fn table(outcomes: &[Outcome]) -> Vec<String> {
    let columns: Vec<_> = outcomes.iter().map(Outcome::column).collect();
    let names: Vec<_> = columns[0].iter().map(|(name, _)| *name).collect();
    let name_width = widest(names.iter().copied());
    let widths: Vec<_> = columns
        .iter()
        .map(|column| widest(column.iter().map(|(_, cell)| cell.as_str())))
        .collect();

    let line = |(row, name): (usize, &&str)| {
        let cells = columns.iter().zip(&widths);
        let cells = cells.map(|(column, width)| format!("  {:>width$}", column[row].1));
        format!("{name:<name_width$}{}", cells.collect::<String>())
    };
    let mut lines: Vec<_> = names.iter().enumerate().map(line).collect();
    lines.insert(1, "-".repeat(lines[0].len()));
    lines
}

fn widest<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(str::len).max().unwrap_or_default()
}

/// The last line.
fn verdict(outcomes: &[Outcome]) -> String {
    let bad: Vec<_> = outcomes.iter().filter(|one| !one.is_good()).collect();
    if !bad.is_empty() {
        let bad: Vec<_> = bad.iter().map(|one| one.access_mode).collect();
        return format!("NOT EQUAL: see the {} link above.", bad.join(" and "));
    }
    let sum = |of: fn(&Outcome) -> usize| grouped(outcomes.iter().map(of).sum::<usize>());
    let rows = sum(|one| one.transactions.stored);
    let accounts = sum(|one| one.accounts.stored);
    format!(
        "EQUAL: all {rows} transactions and {accounts} accounts are stored exactly as Belvo has \
         them."
    )
}

fn complaints_about(what: &str, found: &Comparison) -> Vec<String> {
    let at_belvo = grouped(found.at_belvo);
    let mut lines = Vec::new();
    if !found.missing.is_empty() {
        let missing = grouped(found.missing.len());
        let claim = format!("{missing} of {at_belvo} {what} are missing");
        lines.extend(listed(&claim, &found.missing));
    }
    if !found.extra.is_empty() {
        let extra = grouped(found.extra.len());
        let claim = format!("{extra} {what} are stored that Belvo does not have");
        lines.extend(listed(&claim, &found.extra));
    }
    if !found.repeated.is_empty() {
        let times = grouped(found.repeated.len());
        let examples: Vec<_> = found.repeated.iter().take(EXAMPLES).cloned().collect();
        let examples = examples.join(", ");
        lines.push(format!(
            "  {times} {what} came more than once, such as {examples}"
        ));
    }
    if !found.different.is_empty() {
        let (different, fields) = (grouped(found.different.len()), fields(found));
        lines.push(format!(
            "  {different} of {at_belvo} {what} differ, in {fields}, such as:"
        ));
        lines.extend(examples_of_differences(found));
    }
    lines
}

/// The places that differ and how often each does, the most frequent first.
fn fields(found: &Comparison) -> String {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, differences) in &found.different {
        for difference in differences {
            *times.entry(&difference.path).or_default() += 1;
        }
    }
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    let fields = times.into_iter();
    let fields: Vec<_> = fields
        .map(|(path, times)| format!("{path} ({})", grouped(times)))
        .collect();
    fields.join(", ")
}

fn examples_of_differences(found: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for (document, differences) in found.different.iter().take(EXAMPLES) {
        lines.push(named(document));
        lines.extend(differences.iter().map(|difference| {
            let belvo = shown(difference.one.as_ref());
            let stored = shown(difference.other.as_ref());
            format!(
                "      {}: Belvo has {belvo}, stored is {stored}",
                difference.path
            )
        }));
    }
    lines
}

/// A claim with the days of the documents it is about, and some of them.
fn listed(claim: &str, documents: &[Value]) -> Vec<String> {
    let days = || {
        documents
            .iter()
            .filter_map(|one| one["value_date"].as_str())
    };
    let span = match (days().min(), days().max()) {
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
        _ => String::new(),
    };
    let mut lines = vec![format!("  {claim}{span}, such as:")];
    lines.extend(documents.iter().take(EXAMPLES).map(named));
    lines
}

fn named(document: &Value) -> String {
    match document["value_date"].as_str() {
        Some(day) => format!("    {day}  {}", id(document)),
        None => format!("    {}", id(document)),
    }
}

/// A number of things, as a record or the sandbox's log has it.
pub(crate) fn count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|count| count.try_into().ok())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn duration(duration: Option<Duration>) -> String {
    match duration {
        None => "-".to_owned(),
        Some(short) if short < Duration::SECOND => format!("{} ms", short.whole_milliseconds()),
        Some(long) => format!("{:.2} s", long.as_seconds_f64()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const LINK: &str = "bcca0da9-a4c6-4830-9676-1d54682851d9";

    /// The rows that Belvo has.
    fn rows() -> Vec<Value> {
        let row = |number| {
            let day = format!("2026-01-{number:02}");
            json!({"id": format!("row-{number}"), "value_date": day, "amount": number})
        };
        (1..=12).map(row).collect()
    }

    /// A link of which these rows are stored.
    fn outcome(stored: &[Value], record: Value) -> Outcome {
        let noon = datetime!(2026-03-01 12:00 UTC);
        Outcome {
            access_mode: "recurrent",
            link: LINK.to_owned(),
            record,
            retrievals: 1,
            hops: Hops::of(noon, noon + Duration::milliseconds(85), &json!({}), &[]),
            transactions: Comparison::of(&rows(), stored),
            accounts: Comparison::of(&[], &[]),
        }
    }

    fn collected() -> Value {
        json!({"status": "collected", "verdict": "complete", "collection": {"pages": 1}})
    }

    #[test]
    fn an_equal_copy_is_called_equal_and_another_one_is_not() {
        assert_eq!(
            copy_verdict(&Comparison::of(&rows(), &rows())),
            "EQUAL: the consumer's copy has all 12 transactions exactly as Belvo has them."
        );
        assert_eq!(
            copy_verdict(&Comparison::of(&rows(), &rows()[1..])),
            "  1 of 12 transactions of the copy are missing, from 2026-01-01 to 2026-01-01, such as:
    2026-01-01  row-1
NOT EQUAL: the consumer's copy, see above."
        );
    }

    #[test]
    fn equal_rows_and_a_complete_record_are_good() {
        let report = render(&[outcome(&rows(), collected())]);
        assert!(report.ends_with(
            "\n\nEQUAL: all 12 transactions and 0 accounts are stored exactly as Belvo has them."
        ));
        assert!(!report.contains("NOT EQUAL") && !report.contains(LINK));
    }

    #[test]
    fn missing_rows_are_counted_and_named_with_their_days() {
        let found = outcome(&rows()[..2], collected());
        assert!(!found.is_good());
        let report = render(&[found]);
        let (table, wrong) = report.split_once("\n\n").unwrap();
        let missing = table.lines().find(|line| line.starts_with("Missing"));
        assert!(missing.unwrap().ends_with(" 10"), "{table}");
        assert_eq!(
            wrong,
            format!(
                "The recurrent link {LINK}:
  10 of 12 transactions are missing, from 2026-01-03 to 2026-01-12, such as:
    2026-01-03  row-3
    2026-01-04  row-4
    2026-01-05  row-5

NOT EQUAL: see the recurrent link above."
            )
        );
    }

    #[test]
    fn rows_that_belvo_does_not_have_and_rows_that_come_twice_are_named() {
        let mut stored = rows();
        stored.push(rows().remove(4));
        stored.push(json!({"id": "odd"}));
        let report = render(&[outcome(&stored, collected())]);
        let extra = "  1 transactions are stored that Belvo does not have, such as:\n    odd\n";
        assert!(report.contains(extra), "{report}");
        let repeated = "  1 transactions came more than once, such as row-5\n";
        assert!(report.contains(repeated), "{report}");
        assert!(report.ends_with("NOT EQUAL: see the recurrent link above."));
    }

    #[test]
    fn fields_that_differ_are_named() {
        let mut stored = rows();
        stored[0] = json!({"id": "row-1", "value_date": "2026-01-01", "amount": 7, "new": null});
        stored[1]["amount"] = json!("2");
        let report = render(&[outcome(&stored, collected())]);
        let differ = r#"  2 of 12 transactions differ, in amount (2), new (1), such as:
    2026-01-01  row-1
      amount: Belvo has 1, stored is 7
      new: Belvo has absent, stored is null
    2026-01-02  row-2
      amount: Belvo has 2, stored is "2"
"#;
        assert!(report.contains(differ), "{report}");
        assert!(report.ends_with("NOT EQUAL: see the recurrent link above."));
    }

    #[test]
    fn equal_rows_do_not_excuse_a_record_that_says_otherwise() {
        let mut record = collected();
        record["verdict"] = json!("short by 3");
        let found = outcome(&rows(), record);
        assert!(!found.is_good());
        let report = render(&[found]);
        assert!(report.contains("\n  the verdict of its record is: short by 3\n"));
    }

    #[test]
    fn a_retrieval_that_did_not_end_is_not_good() {
        let found = outcome(&rows(), json!({"status": "notified"}));
        assert!(!found.is_good());
        let report = render(&[found]);
        assert!(report.contains("\n  the verdict of its record is: none (notified)\n"));
    }

    #[test]
    fn a_failure_is_reported_in_belvos_words() {
        let failure = json!({"code": "login_error", "message": "Invalid credentials."});
        let found = outcome(&[], json!({"status": "failed", "failure": failure}));
        assert!(!found.is_good());
        let report = render(&[found]);
        let line = "\n  the retrieval failed: login_error: Invalid credentials.\n";
        assert!(report.contains(line), "{report}");
    }

    #[test]
    fn one_bad_link_makes_the_run_bad() {
        let links = [
            outcome(&rows(), collected()),
            outcome(&rows()[1..], collected()),
        ];
        assert!(render(&links).ends_with("\nNOT EQUAL: see the recurrent link above."));
    }

    #[test]
    fn every_line_of_the_table_has_the_width_of_its_head() {
        let issued = json!({"status": "issued"});
        let lines = table(&[outcome(&rows(), collected()), outcome(&rows()[..3], issued)]);
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{lines:#?}"
        );
    }

    #[test]
    fn numbers_are_grouped_and_times_are_in_the_unit_that_suits_them() {
        let numbers = [7, 180, 2_500, 1_234_567].map(grouped);
        assert_eq!(numbers, ["7", "180", "2,500", "1,234,567"]);
        let times = [0, 999, 1_009, 15_360].map(Duration::milliseconds);
        let times = times.map(|time| duration(Some(time)));
        assert_eq!(times, ["0 ms", "999 ms", "1.01 s", "15.36 s"]);
        assert_eq!(duration(None), "-");
    }
}
