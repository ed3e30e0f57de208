//! `POST /links` and `DELETE /links/{link}`.

use lambda_http::{Body, Request, Response, http::StatusCode, tracing};
use serde_json::json;
use shared::{
    belvo::LinkDeletion,
    cause::chain,
    domain::{Connection, Deletion, LinkId, LinkRecord, LinkView, RetrievalClass, Rows, Timestamp},
    http::{self, path_parameter, query_parameter},
    problem::Problem,
    queue::Delivery,
};

use crate::{
    Requesting,
    connect::external_id,
    fields::{Fields, link_id},
    repeatable, unavailable,
};

const SHAPE: &str = r#"the body must be a JSON object such as {"link": "bcca0da9-a4c6-4830-9676-1d54682851d9", "external_id": "56ab5706-6e00-48a4-91c9-ca55968678d9"}"#;

/// Registers the link that the widget's success callback names, or takes note that its user came
/// through the widget again. The callback comes from the user's browser, so the link is read from
/// Belvo, and has to carry the external id under which the caller opened the widget. Answers 201,
/// or 200 if it was registered before. May be repeated.
pub(crate) async fn register(
    requesting: &Requesting,
    request: &Request,
    gateway_request_id: &str,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::parse(request.body().as_ref(), SHAPE)?;
    let (link, expected) = (
        fields.required("link")?,
        external_id(fields.required("external_id")?)?,
    );
    fields.end("link and external_id")?;
    let link = link_id(&link)?;
    let connection = requesting.belvo.link(&link).await;
    let connection = connection.map_err(|error| repeatable(&error, gateway_request_id))?;
    let connection =
        connection.filter(|connection| connection.external_id.as_ref() == Some(&expected));
    // Whether Belvo has the link, a stranger to it is not told.
    let connection = connection.ok_or_else(|| {
        let detail = "Belvo has no such link with this external_id, so it is not registered";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-your-link", detail)
            .about(Some("external_id"))
    })?;
    let at = Timestamp::now();
    let register = |known: LinkRecord| Some(known.registered(connection.clone(), at));
    let record = requesting
        .requests
        .change_link(&link, register)
        .await
        .map_err(|error| unavailable(&error))?;
    let is_new = record.registered_at == Some(at);
    if is_new {
        count_what_belvo_fetched(requesting, &record, at).await;
    }
    tracing::info!(
        gateway.request_id = gateway_request_id,
        link.id = link.as_str(),
        is_new,
        blocked = record.block().is_some(),
        "link registered"
    );
    Ok(http::json(
        if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        &LinkView::from(&record),
    ))
}

/// The creation of a link takes one long retrieval, if transactions were fetched ("OFDA Brazil Data
/// Retrieval Limits", Belvo's documentation); what was sent for the link before it was known whose
/// it is counts for its customer. A count that is missed is corrected by Belvo's own refusal.
async fn count_what_belvo_fetched(requesting: &Requesting, record: &LinkRecord, at: Timestamp) {
    let (requests, holder, alone) = (
        &requesting.requests,
        record.quota_holder(),
        (&record.id).into(),
    );
    let Connection {
        fetch_resources,
        created_at,
        ..
    } = &record.connection;
    let counted = async {
        if holder != alone {
            requests.carry_over(&alone, &holder, at).await?;
        }
        if fetch_resources
            .iter()
            .any(|resource| resource == "TRANSACTIONS")
        {
            requests
                .count(&holder, RetrievalClass::Long, created_at.unwrap_or(at))
                .await?;
        }
        Ok::<_, shared::store::StoreError>(())
    };
    if let Err(error) = counted.await {
        tracing::warn!(link.id = record.id.as_str(), cause = %chain(&error), "retrieval of the creation not counted");
    }
}

/// Has Belvo delete a link, and says what becomes of its rows here once Belvo has: `?rows=keep` or
/// `?rows=erase`. Answers 202 before that, with Belvo's id of the deletion. May be repeated, also
/// to have kept rows erased after all.
pub(crate) async fn delete(
    requesting: &Requesting,
    request: &Request,
    gateway_request_id: &str,
) -> Result<Response<Body>, Problem> {
    let link = link_id(&path_parameter(request, "link"))?;
    let rows = query_parameter(request, "rows").as_deref().and_then(Rows::parse).ok_or_else(|| {
        let detail = "rows must be `erase`, which erases what is stored of the link, or `keep`; what is kept can be erased later";
        Problem::field("rows", detail)
    })?;
    let (requests, at) = (&requesting.requests, Timestamp::now());
    let before = requests
        .link(&link)
        .await
        .map_err(|error| unavailable(&error))?
        .and_then(|known| known.deletion);
    // Written first: should Belvo delete the link and the rest be lost, the sweep still finds what
    // is to be done.
    let wish = |known: LinkRecord| Some(known.deletion_asked_for(rows, at));
    let record = requests
        .change_link(&link, wish)
        .await
        .map_err(|error| unavailable(&error))?;
    let request_id = match requesting.belvo.delete_link(&link).await {
        Ok(LinkDeletion::Accepted(id)) => {
            let accepted = |known: LinkRecord| Some(known.deletion_accepted(&id));
            if let Err(error) = requests.change_link(&link, accepted).await {
                tracing::warn!(link.id = link.as_str(), cause = %chain(&error), "id of the deletion not recorded");
            }
            Some(id)
        }
        Ok(LinkDeletion::Done) => {
            let delivery = Delivery::of_deleted_link(&link).map_err(|error| not_queued(&error))?;
            requesting
                .queue
                .send(&delivery)
                .await
                .map_err(|error| not_queued(&error))?;
            None
        }
        Err(error) => {
            if !error.is_ambiguous() {
                take_back(requesting, &link, before.as_ref(), record.deletion.as_ref()).await;
            }
            return Err(repeatable(&error, gateway_request_id));
        }
    };
    let rows = record.deletion.map_or(rows, |deletion| deletion.rows);
    tracing::info!(
        gateway.request_id = gateway_request_id,
        link.id = link.as_str(),
        ?rows,
        "link being deleted"
    );
    let body =
        json!({ "link": link, "status": "deleting", "rows": rows, "request_id": request_id });
    Ok(http::json(StatusCode::ACCEPTED, &body))
}

/// Puts back what stood before a wish that Belvo surely did not act on, unless something has
/// happened since. A wish that stays is looked after by the sweep.
async fn take_back(
    requesting: &Requesting,
    link: &LinkId,
    before: Option<&Deletion>,
    wished: Option<&Deletion>,
) {
    let restore = |known: LinkRecord| {
        let untouched = known.deletion.as_ref() == wished;
        untouched.then(|| LinkRecord {
            deletion: before.cloned(),
            ..known
        })
    };
    if let Err(error) = requesting.requests.change_link(link, restore).await {
        tracing::warn!(link.id = link.as_str(), cause = %chain(&error), "deletion not taken back");
    }
}

fn not_queued(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(cause = %chain(error), "link gone from Belvo but not queued");
    Problem::unavailable(
        "the link is gone from Belvo; its end could not be recorded yet, ask again",
    )
    .retry_after(1)
}
