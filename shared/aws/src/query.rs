//! Services that speak AWS's Query protocols: a form is sent, XML comes back.

use crate::answer::Element;
use crate::counts::CallCounts;
use crate::direct::{Direct, Request, Service};
use crate::{AwsError, ErrorClass};
use aws_config::SdkConfig;
use aws_runtime::auth::SigningOptions;
use aws_sdk_vpclattice::error::ErrorMetadata;
use aws_smithy_query::QueryWriter;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use std::collections::BTreeSet;

/// Pages of one listing, so that answers without end cannot keep a function busy.
const PAGES_MAX: usize = 100;

/// A client of one service.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    direct: Direct,
    version: &'static str,
}

impl Query {
    /// A client of the service with these names, of this version of its API.
    pub(crate) fn new(
        (id, name): (&'static str, &'static str),
        version: &'static str,
        config: SdkConfig,
        counts: CallCounts,
    ) -> Self {
        let service = Service { id, name, error, signing: SigningOptions::default };
        Self { direct: Direct::new(service, config, counts), version }
    }

    /// One call. An answer that cannot be read did not come from the service itself.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut QueryWriter),
    ) -> Result<Element, AwsError> {
        let mut body = String::new();
        let mut writer = QueryWriter::new(&mut body, operation, self.version);
        write(&mut writer);
        writer.finish();
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let request = Request { method: "POST", path: "/".to_owned(), content_type, body };
        let answer = self.direct.call(operation, request).await?;
        Element::read(&answer).map_err(|error| AwsError::unreadable(operation, ErrorClass::Retry, error))
    }

    /// All pages of a listing. `token`: what an answer and a request call the place of the next page.
    pub(crate) async fn pages(
        &self,
        operation: &'static str,
        token: &'static str,
        next: fn(&Element) -> Option<&str>,
        write: &(impl Fn(&mut QueryWriter) + Sync),
    ) -> Result<Vec<Element>, AwsError> {
        let (mut pages, mut at): (Vec<Element>, Option<String>) = (vec![], None);
        loop {
            let page = self.call(operation, |writer| {
                write(writer);
                if let Some(at) = &at {
                    writer.prefix(token).string(at);
                }
            });
            let page = page.await?;
            at = next(&page).map(str::to_owned);
            pages.push(page);
            if at.is_none() {
                return Ok(pages);
            }
            if pages.len() >= PAGES_MAX {
                return Err(AwsError::refused(operation, format!("more than {PAGES_MAX} pages")));
            }
        }
    }
}

/// What an answer of XML that is no success tells.
pub(crate) fn error(response: &HttpResponse) -> ErrorMetadata {
    crate::answer::error(response.body().bytes().unwrap_or_default())
}

/// A list of texts; `is_flat` as EC2 has them.
pub(crate) fn list(writer: &mut QueryWriter, name: &'static str, values: &BTreeSet<String>, is_flat: bool) {
    let mut list = writer.prefix(name).start_list(is_flat, None);
    for value in values {
        list.entry().string(value);
    }
    list.finish();
}
