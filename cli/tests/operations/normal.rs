//! An output without what differs from run to run: ids, times, and how long something took.

/// The output with such words replaced, and without what the width of a column makes of them.
pub(crate) fn normal(output: &str) -> String {
    let lines = output.lines().map(|line| {
        let line = without_ages(line);
        let words: Vec<_> = line.split_whitespace().collect();
        let following = words.iter().skip(1).copied().chain([""]);
        let words = words.iter().zip(following);
        let words: Vec<_> = words.map(|(this, next)| word(this, next)).collect();
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `(5 min ago)` and `(in 5 min)` are `(<age>)`.
fn without_ages(line: &str) -> String {
    let mut parts = line.split('(');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((inner, rest)) if inner.ends_with(" ago") || inner.starts_with("in ") => {
                text = format!("{text}(<age>){rest}");
            }
            _ => text = format!("{text}({part}"),
        }
    }
    text
}

fn word(word: &str, next: &str) -> String {
    let is_edge = |c: char| "(),;:\"".contains(c);
    let core = word.trim_matches(is_edge);
    let is_duration = next.trim_matches(is_edge) == "ms" && core.parse::<u64>().is_ok();
    if let Some(kind) = kind(core).or(is_duration.then_some("<number>")) {
        return word.replace(core, kind);
    }
    match core.split_once('=') {
        Some((name, value)) if name.ends_with("_ms") || kind(value).is_some() => {
            format!("{name}=<varies>")
        }
        _ => word.to_owned(),
    }
}

/// What a word is, if it differs from run to run.
fn kind(word: &str) -> Option<&'static str> {
    let like = |pattern: &str| {
        word.len() == pattern.len()
            && word.chars().zip(pattern.chars()).all(|(c, p)| match p {
                'x' => c.is_ascii_hexdigit(),
                '0' => c.is_ascii_digit(),
                p => c == p,
            })
    };
    let kinds = [
        ("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "<uuid>"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "<id>"),
        ("0-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx", "<trace>"),
        ("0000-00-00", "<day>"),
        ("0000-00", "<month>"),
        ("0000-00-00..0000-00-00", "<days>"),
        ("00:00:00Z", "<time>"),
        ("00:00:00.000", "<time>"),
    ];
    let is_digest = word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    if is_digest {
        return Some("<digest>");
    }
    let known = kinds.into_iter().find(|(pattern, _)| like(pattern));
    known.map(|(_, kind)| kind)
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let line = "16f68516-bcbc-4cf7-b815-c500d4204e28  2026-03-01 12:34:56Z (5 min ago)   3 of 8";
    assert_eq!(normal(line), "<uuid> <day> <time> (<age>) 3 of 8");
    let line = "12:34:56.789 collect  rows collected duration_ms=250 rows=20 (92 ms)";
    let expected = "<time> collect rows collected duration_ms=<varies> rows=20 (<number> ms)";
    assert_eq!(normal(line), expected);
}

#[test]
fn what_is_said_is_compared() {
    assert_ne!(normal("complete"), normal("short by 3"));
    assert_ne!(normal("rows 20"), normal("rows 21"));
}
