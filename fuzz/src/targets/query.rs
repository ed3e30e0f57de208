//! The parameters of every call that reads.

use domain::Limits;
use query::{App, handle};

use crate::{
    api::{Answer, Call},
    stock::Stock,
};

const ROUTES: [&str; 17] = [
    "GET /changes",
    "GET /links",
    "GET /links/{link}",
    "GET /links/{link}/accounts",
    "GET /links/{link}/accounts/{account}/balances",
    "GET /links/{link}/changes",
    "GET /links/{link}/quota",
    "GET /links/{link}/requests",
    "GET /links/{link}/resources/{resource}",
    "GET /links/{link}/resources/{resource}/{id}/history",
    "GET /links/{link}/transactions",
    "GET /links/{link}/transactions/{id}/history",
    "GET /links/{link}/webhooks",
    "GET /quotas",
    "GET /requests",
    "GET /requests/{id}",
    "GET /webhooks/{id}",
];
/// Lambda answers at most 6 MB; what is stored here is far from it.
const LONGEST_ANSWER: usize = 20_000;

/// The function, over tables with something of everything.
pub(crate) struct Function {
    stock: Stock,
    app: App,
}

thread_local! {
    static FUNCTION: Function = Function::new();
}

impl Function {
    pub(crate) fn new() -> Self {
        let stock = Stock::full();
        let app = App {
            control: stock.control.clone(),
            transactions: stock.transactions.clone(),
            limits: Limits {
                long: 8,
                short: 240,
            },
        };
        Self { stock, app }
    }

    pub(crate) fn answer(&self, call: &Call<'_>) -> Answer {
        let answer = handle(&self.app, call.request(""));
        Answer::read(call.route, &self.stock.runtime.block_on(answer))
    }
}

/// What is asked for is answered, or a parameter is refused by its name: the store never refuses
/// what the parameters let through.
pub(crate) fn check(input: &[u8]) {
    let Some(call) = Call::parse(input, &ROUTES) else {
        return;
    };
    let answer = FUNCTION.with(|function| function.answer(&call));
    assert!(answer.body.to_string().len() < LONGEST_ANSWER);
    match answer.status {
        200 => assert_asked(&call),
        400 | 410 => {
            let field = answer.field().expect("a parameter's name");
            assert!(
                call.route.contains(field) || call.parameter(field).is_some() || {
                    // The only one that is required.
                    (call.route, field) == ("GET /requests", "status")
                }
            );
        }
        404 => assert!(call.route.contains('{')),
        status => panic!("{status} {}", answer.body),
    }
}

/// What was answered was asked for as it is documented.
fn assert_asked(call: &Call<'_>) {
    call.assert_acceptable();
    let is_filtered = ["/transactions", "{resource}"];
    if is_filtered.iter().any(|end| call.route.ends_with(end)) {
        let days = ["date_from", "date_to"].map(|name| call.parameter(name));
        assert!(days.iter().flatten().all(|day| is_day(day)), "{days:?}");
        if let [Some(from), Some(to)] = days {
            assert!(from <= to, "{from} {to}");
        }
    }
}

/// Whether a text is a day of the calendar, by counting.
fn is_day(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let is_number =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(is_number(year, 4) && is_number(month, 2) && is_number(day, 2)) {
        return false;
    }
    let number = |text: &str| text.parse::<u32>().expect("digits");
    let (year, month, day) = (number(year), number(month), number(day));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    };
    (1..=12).contains(&month) && (1..=days).contains(&day)
}
