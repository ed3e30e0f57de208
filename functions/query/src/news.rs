//! Which links have news since a reader last asked.

use domain::{LinkId, LinkNews, NewsPlace, Sequence, Timestamp};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use serde_json::json;
use shared::{http, problem::Problem, store::opaque};

use crate::{App, parameters, unavailable};

/// A link with something new among its changes. It is returned again for a while; a reader who has
/// seen this sequence has seen the news.
#[derive(Serialize)]
struct NewsView<'a> {
    link: &'a LinkId,
    sequence: Sequence,
}

pub(crate) async fn list(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let place: NewsPlace = parameters::place(request)?;
    let (place, limit) = (
        place.in_round(Timestamp::now()),
        parameters::limit(request)?,
    );
    let news = app.control.links.news(&place, limit).await;
    let (news, has_more) = news.map_err(unavailable)?;

    let next = place.advanced(news.last().cloned(), has_more);
    let answer = json!({
        "links": news.iter().filter_map(view).collect::<Vec<_>>(),
        "next_cursor": opaque(&next),
        "has_more": has_more,
    });
    Ok(http::json(StatusCode::OK, &answer))
}

fn view(news: &LinkNews) -> Option<NewsView<'_>> {
    let link = news.link.as_ref()?;
    Some(NewsView {
        link,
        sequence: news.sequence,
    })
}
