//! Are the secrets in use those that Belvo knows? No value of one is ever shown.

use aws_sdk_secretsmanager::Client;
use clap::{Args, Subcommand};
use domain::Timestamp;
use reqwest::{StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Context;
use crate::{
    CliError, Outcome,
    aws::said,
    error::OrFail,
    logs::{Line, Wanted, What},
    output::{Page, Report, Style, Table},
    stack::Stack,
};

const MAY_READ: &str = "Use credentials that are allowed secretsmanager:GetSecretValue on both \
                        secrets of the stack.";
const HOUR_S: i64 = 3_600;
const WEBHOOK_EVENTS: [&str; 2] = ["webhook_queued", "webhook_refused"];

/// Check that the secrets in use are those that Belvo knows
#[derive(Debug, Args)]
pub(crate) struct SecretsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try Belvo's keys at Belvo, and the webhook's values at the webhook
    #[command(after_help = "Examples:
  belvo-ingest secrets check
  belvo-ingest secrets check --json | jq -r '.checks[] | select(.result != \"accepted\")'

To rotate the webhook's authorization: put {\"current\": new, \"previous\": old} into its secret,
wait until both are accepted here, change it at Belvo, wait until Belvo's webhooks are accepted,
and remove `previous`.")]
    Check,
}

/// What was tried, and how it went.
#[derive(Debug, Serialize)]
pub(crate) struct SecretsReport {
    pub(crate) checks: Vec<Check>,
    /// Belvo's own webhooks, which show what Belvo sends.
    pub(crate) webhooks: Option<Webhooks>,
}

/// One value that was tried.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) secret: &'static str,
    pub(crate) value: &'static str,
    pub(crate) result: Tried,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tried {
    Accepted,
    Refused,
    /// The secret has no such value.
    Missing,
    /// The value cannot be read as it should be.
    Malformed,
    /// The other side does not say.
    Unanswered,
    /// This machine's address may not call the webhook.
    ForbiddenAddress,
}

/// The webhooks of the last hour.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Webhooks {
    pub(crate) accepted: u64,
    pub(crate) unauthorized: u64,
}

/// The shape of the secret of Belvo's keys (README, "Deploy it to AWS").
#[derive(Deserialize)]
struct Keys {
    secret_id: SecretString,
    secret_password: SecretString,
}

/// The shape of the webhook's secret.
#[derive(Default, Deserialize)]
struct Authorizations {
    current: Option<SecretString>,
    previous: Option<SecretString>,
}

pub(crate) async fn run(args: SecretsArgs, context: &Context) -> Result<Outcome, CliError> {
    let Command::Check = args.command;
    let stack = context.stack().await?;
    let mut checks = vec![check_keys(&stack).await?];
    checks.extend(check_webhook(&stack).await?);
    let webhooks = webhooks(&stack).await.ok();
    context.output.show(&SecretsReport { checks, webhooks })
}

async fn check_keys(stack: &Stack) -> Result<Check, CliError> {
    let text = value_of(stack, "BelvoKeysSecretArn").await?;
    let result = match text.map(|text| serde_json::from_str(text.expose_secret())) {
        None => Tried::Missing,
        Some(Err(_)) => Tried::Malformed,
        Some(Ok(keys)) => at_belvo(stack, &keys).await?,
    };
    Ok(Check {
        secret: "Belvo's API keys",
        value: "current",
        result,
    })
}

/// Asks Belvo for what its own client checks keys with: the root of its API.
async fn at_belvo(stack: &Stack, keys: &Keys) -> Result<Tried, CliError> {
    let url = format!("{}/api/", stack.parameter("BelvoBaseUrl")?);
    let (id, password) = (
        keys.secret_id.expose_secret(),
        keys.secret_password.expose_secret(),
    );
    let answer = stack
        .http
        .get(url)
        .basic_auth(id, Some(password))
        .send()
        .await;
    Ok(match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Tried::Accepted,
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Tried::Refused,
        _ => Tried::Unanswered,
    })
}

async fn check_webhook(stack: &Stack) -> Result<[Check; 2], CliError> {
    let text = value_of(stack, "WebhookSecretArn").await?;
    let parsed = text.map(|text| serde_json::from_str::<Authorizations>(text.expose_secret()));
    let is_malformed = matches!(parsed, Some(Err(_)));
    let values = parsed.and_then(Result::ok).unwrap_or_default();
    let check = async |name, value: Option<SecretString>| Check {
        secret: "the webhook's authorization",
        value: name,
        result: match value {
            Some(value) => at_the_webhook(stack, &value).await,
            None if is_malformed => Tried::Malformed,
            None => Tried::Missing,
        },
    };
    Ok([
        check("current", values.current).await,
        check("previous", values.previous).await,
    ])
}

/// Posts an empty object, which the webhook acknowledges as a check of its address and does not
/// queue.
async fn at_the_webhook(stack: &Stack, value: &SecretString) -> Tried {
    let request = stack.http.post(stack.webhook_url()).body("{}");
    let answer = request
        .header(AUTHORIZATION, value.expose_secret())
        .send()
        .await;
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Tried::Accepted,
        Ok(StatusCode::UNAUTHORIZED) => Tried::Refused,
        Ok(StatusCode::FORBIDDEN) => Tried::ForbiddenAddress,
        _ => Tried::Unanswered,
    }
}

/// `None` if the secret has no value yet.
async fn value_of(stack: &Stack, output: &str) -> Result<Option<SecretString>, CliError> {
    let answer = Client::new(&stack.aws)
        .get_secret_value()
        .secret_id(stack.output(output)?)
        .send()
        .await;
    let has_none =
        |error: &aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError| {
            error.is_resource_not_found_exception()
        };
    match answer {
        Err(error) if error.as_service_error().is_some_and(has_none) => Ok(None),
        answer => {
            let answer = answer.map_err(said).or_fail("read a secret", MAY_READ)?;
            Ok(answer.secret_string.map(SecretString::from))
        }
    }
}

async fn webhooks(stack: &Stack) -> Result<Webhooks, CliError> {
    let wanted = Wanted {
        functions: &["webhook"],
        since: Timestamp::now().plus_seconds(-HOUR_S),
        what: What::Events(&WEBHOOK_EVENTS),
    };
    Ok(Webhooks::of(&stack.logs().await?.lines(wanted).await?))
}

impl Webhooks {
    fn of(lines: &[Line]) -> Self {
        let is_unauthorized = |line: &&Line| line.text("problem") == Some("unauthorized");
        let accepted = lines
            .iter()
            .filter(|line| line.event == "webhook_queued")
            .count();
        let unauthorized = lines.iter().filter(is_unauthorized).count();
        Self {
            accepted: accepted as u64,
            unauthorized: unauthorized as u64,
        }
    }
}

impl Check {
    /// `previous` is only there during a rotation.
    fn is_bad(&self) -> bool {
        match self.result {
            Tried::Accepted => false,
            Tried::Missing => self.value == "current",
            _ => true,
        }
    }

    fn next(&self) -> &'static str {
        match self.result {
            Tried::Accepted => "",
            Tried::Missing if !self.is_bad() => "none: no rotation is under way",
            Tried::Missing => "put a value into the secret",
            Tried::Malformed => "put JSON into the secret, as the README shows it",
            Tried::Refused => "put the right value; a new one is noticed within half a minute",
            Tried::Unanswered => "try again; is it down?",
            Tried::ForbiddenAddress => "check from an address of AllowedSourceIps",
        }
    }
}

impl Report for SecretsReport {
    fn page(&self) -> Page {
        let mut page = Page::new();
        let mut table = Table::new(["secret", "value", "result", "next"]);
        for check in &self.checks {
            let result = serde_json::to_value(check.result).unwrap_or_default();
            table.row([
                check.secret.to_owned(),
                check.value.to_owned(),
                result.as_str().unwrap_or_default().replace('_', " "),
                check.next().to_owned(),
            ]);
        }
        page.table(&table);
        if let Some(webhooks) = &self.webhooks {
            page.blank();
            let unauthorized = format!("{} refused as unauthorized", webhooks.unauthorized);
            let unauthorized = if webhooks.unauthorized > 0 {
                Style::Bad.of(unauthorized)
            } else {
                unauthorized
            };
            page.line(format_args!(
                "Webhooks in the last hour: {} accepted, {unauthorized}.",
                webhooks.accepted
            ));
        }
        page
    }

    fn outcome(&self) -> Outcome {
        let refused = self
            .webhooks
            .as_ref()
            .is_some_and(|webhooks| webhooks.unauthorized > 0);
        Outcome::attention_if(refused || self.checks.iter().any(Check::is_bad))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::logs::tests::line;

    fn report(current: Tried, previous: Tried) -> SecretsReport {
        let check = |value, result| Check {
            secret: "the webhook's authorization",
            value,
            result,
        };
        SecretsReport {
            checks: vec![check("current", current), check("previous", previous)],
            webhooks: None,
        }
    }

    #[test]
    fn a_previous_value_is_only_needed_during_a_rotation() {
        let outcome = |current, previous| report(current, previous).outcome();
        assert_eq!(outcome(Tried::Accepted, Tried::Missing), Outcome::Fine);
        assert_eq!(outcome(Tried::Accepted, Tried::Accepted), Outcome::Fine);
        assert_eq!(
            outcome(Tried::Missing, Tried::Accepted),
            Outcome::NeedsAttention
        );
        assert_eq!(
            outcome(Tried::Accepted, Tried::Refused),
            Outcome::NeedsAttention
        );
    }

    #[test]
    fn webhooks_that_belvo_sends_with_another_value_need_attention() {
        let at = "2026-03-01T00:00:00Z";
        let lines = [
            line(at, "webhook", &json!({"event": "webhook_queued"})),
            line(
                at,
                "webhook",
                &json!({"event": "webhook_refused", "problem": "unauthorized"}),
            ),
            line(
                at,
                "webhook",
                &json!({"event": "webhook_refused", "problem": "invalid-webhook"}),
            ),
        ];
        let webhooks = Webhooks::of(&lines);
        assert_eq!(
            webhooks,
            Webhooks {
                accepted: 1,
                unauthorized: 1
            }
        );
        let report = SecretsReport {
            webhooks: Some(webhooks),
            ..report(Tried::Accepted, Tried::Missing)
        };
        assert_eq!(report.outcome(), Outcome::NeedsAttention);
    }
}
