//! The stack: what it consists of, as CloudFormation tells.

use std::{collections::BTreeMap, sync::Arc};

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client as CloudFormation;
use aws_sdk_sqs::{Client as Sqs, types::QueueAttributeName};

use crate::{
    CliError,
    api::Api,
    aws::{said, sdk_config},
    error::OrFail,
    http,
    logs::Logs,
    place::{Place, PlaceArgs},
    queue_age::oldest_message_s,
    signing::Signer,
};

const IS_IT_THERE: &str = "Name a deployed stack of this account and region: --stack, --region, \
                           --profile.";

const MAY_LOOK: &str = "Use credentials that are allowed sqs:GetQueueAttributes.";

/// A stack that was found.
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) api: Api,
    pub(crate) aws: SdkConfig,
    /// For calls that are neither the API's nor an SDK's.
    pub(crate) http: reqwest::Client,
    signer: Arc<Signer>,
    webhook_url: String,
    outputs: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
}

impl Stack {
    /// Finds the stack that the command line means.
    pub(crate) async fn find(args: &PlaceArgs) -> Result<Self, CliError> {
        let here = std::env::current_dir().unwrap_or_default();
        Self::at(Place::find(args, &here)?).await
    }

    async fn at(place: Place) -> Result<Self, CliError> {
        let aws = sdk_config(&place).await;
        let name = match &place {
            Place::Deployed { stack, .. } => stack.clone(),
            Place::Local(local) => local.stack.clone(),
        };
        let (outputs, parameters) = described(&aws, &name).await?;
        let output = |key: &str| output(&outputs, key);
        let (api_url, webhook_url) = match place {
            // The local AWS serves the API under an address that no output has.
            Place::Local(local) => (local.api_url, local.webhook_url),
            Place::Deployed { .. } => (output("ApiUrl")?, output("WebhookUrl")?),
        };
        let http = http::client(&api_url)?;
        let signer = Arc::new(Signer::new(aws.clone()));
        let api = Api::new(http.clone(), Arc::clone(&signer), api_url);
        Ok(Self {
            name,
            api,
            aws,
            http,
            signer,
            webhook_url,
            outputs,
            parameters,
        })
    }

    /// An output of the template.
    pub(crate) fn output(&self, key: &str) -> Result<String, CliError> {
        output(&self.outputs, key)
    }

    /// A parameter of the template.
    pub(crate) fn parameter(&self, key: &str) -> Result<&str, CliError> {
        let value = self.parameters.get(key);
        value.map(String::as_str).ok_or_else(|| unlike(key))
    }

    /// A parameter of the template that is a number.
    pub(crate) fn number(&self, key: &str) -> Result<u64, CliError> {
        self.parameter(key)?.parse().map_err(|_| unlike(key))
    }

    /// The address that Belvo calls.
    pub(crate) fn webhook_url(&self) -> &str {
        &self.webhook_url
    }

    /// The age of the oldest message of the queue, in seconds, as CloudWatch last saw it.
    pub(crate) async fn oldest_message_s(&self) -> Result<Option<u64>, CliError> {
        let url = self.output("QueueUrl")?;
        let queue = url.rsplit('/').next().unwrap_or_default();
        let region = self.aws.region().map(ToString::to_string);
        let endpoint = self.aws.endpoint_url().map(str::to_owned);
        let endpoint = endpoint.unwrap_or_else(|| {
            let region = region.unwrap_or_default();
            format!("https://monitoring.{region}.amazonaws.com/")
        });
        oldest_message_s(&self.http, &self.signer, &endpoint, queue).await
    }

    /// About how many messages of the queue under this output wait, and how many somebody has
    /// received.
    pub(crate) async fn waiting(&self, output: &str) -> Result<(u64, u64), CliError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let answer = Sqs::new(&self.aws)
            .get_queue_attributes()
            .queue_url(self.output(output)?)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await;
        let answer = answer.map_err(said).or_fail("look at a queue", MAY_LOOK)?;
        let attributes = answer.attributes.unwrap_or_default();
        let [waiting, received] = names.map(|name| {
            let count = attributes.get(&name);
            count.and_then(|count| count.parse().ok()).unwrap_or(0)
        });
        Ok((waiting, received))
    }

    /// What the functions log.
    pub(crate) async fn logs(&self) -> Result<Logs, CliError> {
        let pages = CloudFormation::new(&self.aws)
            .list_stack_resources()
            .stack_name(&self.name)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let resources = pages
            .map_err(said)
            .or_fail("list what is in the stack", IS_IT_THERE)?;
        let groups = resources.into_iter().filter_map(|resource| {
            let function = function_of(resource.logical_resource_id()?)?;
            Some((function, resource.physical_resource_id()?.to_owned()))
        });
        Ok(Logs::new(&self.aws, groups.collect()))
    }
}

/// The function whose log group this is, by its name in template.yaml.
fn function_of(logical_id: &str) -> Option<String> {
    let function = logical_id.strip_suffix("LogGroup")?.to_lowercase();
    (function != "api").then_some(function)
}

type Values = BTreeMap<String, String>;

/// The outputs and the parameters of a stack.
async fn described(aws: &SdkConfig, name: &str) -> Result<(Values, Values), CliError> {
    let answer = CloudFormation::new(aws)
        .describe_stacks()
        .stack_name(name)
        .send()
        .await;
    let answer = answer
        .map_err(said)
        .or_fail(format!("find the stack {name}"), IS_IT_THERE)?;
    let Some(stack) = answer.stacks().first() else {
        let message = format!("there is no stack {name}");
        return Err(CliError::usage(message, IS_IT_THERE));
    };
    let outputs = stack.outputs().iter().filter_map(|output| {
        let value = output.output_value()?.to_owned();
        Some((output.output_key()?.to_owned(), value))
    });
    let parameters = stack.parameters().iter().filter_map(|parameter| {
        let value = parameter.parameter_value()?.to_owned();
        Some((parameter.parameter_key()?.to_owned(), value))
    });
    Ok((outputs.collect(), parameters.collect()))
}

fn output(outputs: &Values, key: &str) -> Result<String, CliError> {
    outputs.get(key).cloned().ok_or_else(|| unlike(key))
}

fn unlike(key: &str) -> CliError {
    CliError::usage(
        format!("the stack has no {key}"),
        "Is it a stack of belvo-ingest, and of the version of this command?",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_groups_of_the_functions_are_found_by_their_name() {
        assert_eq!(function_of("WebhookLogGroup").as_deref(), Some("webhook"));
        assert_eq!(function_of("ApiLogGroup"), None);
        assert_eq!(function_of("Queue"), None);
    }
}
