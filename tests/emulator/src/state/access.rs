//! Whether a request may reach a service: what is asked of the policies, and with which values.

use super::plan::{Arrival, Via};
use super::{Moment, State};
use crate::iam::{
    Context, Denial, Identity, Payload, Policies, Question, Scope, SignatureError, Signed, decide, verify,
};

/// Action of HTTP requests.
const INVOKE: &str = "vpc-lattice-svcs:Invoke";

/// Action of connections that are passed through.
const CONNECT: &str = "vpc-lattice-svcs:Connect";

/// Service name that requests to services are signed for.
const SERVICES: &str = "vpc-lattice-svcs";

/// Auth type that makes policies count.
const AWS_IAM: &str = "AWS_IAM";

impl State {
    /// Who a request comes from, if it may pass. A signed request is always verified, also where nobody asks.
    pub(super) fn permit(
        &self,
        now: Moment,
        via: &Via,
        arrival: Arrival<'_>,
    ) -> Result<Option<&Identity>, Denial> {
        let signed = Signed {
            method: arrival.method,
            path: arrival.path,
            query: arrival.query,
            host: arrival.authority,
            headers: arrival.headers,
        };
        let scope = Scope {
            region: &self.home.region,
            service: SERVICES,
            payload: Payload::Unsigned,
            now: arrival.machine_time,
        };
        let caller = verify(signed, scope, &self.settings.identities)
            .map_err(|error| Denial { side: None, message: format!("{}: {error}", error.code()) })?;
        let policies = self.policies(now, via);
        if policies.ask_nothing() {
            return Ok(caller);
        }
        let resource = format!("{}{}", via.service_arn, arrival.path);
        let mut context = self.common_context(via, arrival.vpc, arrival.port, caller);
        let mut put = |key: String, value: &str| {
            context.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
        };
        put("vpc-lattice-svcs:RequestMethod".to_owned(), arrival.method);
        put("vpc-lattice-svcs:RequestPath".to_owned(), arrival.path);
        for (name, value) in arrival.headers {
            if let Ok(value) = value.to_str() {
                put(format!("vpc-lattice-svcs:RequestHeader/{name}"), value);
            }
        }
        for pair in arrival.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            put(format!("vpc-lattice-svcs:RequestQueryString/{name}"), value);
        }
        let question = Question { caller, action: INVOKE, resource, context };
        decide(&policies, &question)?;
        Ok(caller)
    }

    /// Whether a call of the control plane, or of a neighbour, is signed by somebody who is known; `service` is the
    /// name that it must be signed for. Everybody passes unless the settings ask for signatures.
    ///
    /// # Errors
    /// When they ask and the signature is missing or not good.
    pub fn authenticate(
        &self,
        machine_time: Moment,
        request: Signed<'_>,
        service: &str,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        if !self.settings.check_signatures {
            return Ok(());
        }
        let scope =
            Scope { region: &self.home.region, service, payload: Payload::Signed(body), now: machine_time };
        verify(request, scope, &self.settings.identities)?.map(|_| ()).ok_or(SignatureError::Missing)
    }

    /// Whether a connection may be passed through. Its caller is always anonymous.
    pub(super) fn permit_connection(
        &self,
        now: Moment,
        via: &Via,
        vpc: &str,
        port: u16,
    ) -> Result<(), Denial> {
        let context = self.common_context(via, vpc, port, None);
        let question = Question { caller: None, action: CONNECT, resource: via.service_arn.clone(), context };
        decide(&self.policies(now, via), &question)
    }

    /// The policies that count for a way, as requests feel them now.
    fn policies(&self, now: Moment, via: &Via) -> Policies<'_> {
        let policy = |id: &str| {
            let policy = self.store.auth_policies.get(id)?;
            let felt = now >= policy.updated.after(self.settings.delays.auth_policy);
            if felt { Some(policy.text.as_str()) } else { policy.previous.as_deref() }
        };
        let network = self.store.networks.get(&via.network).map(|it| it.auth_type.as_str());
        let service = self.store.services.get(&via.service).map(|it| it.auth_type.as_str());
        Policies {
            network: (network == Some(AWS_IAM)).then(|| policy(&via.network)),
            service: (service == Some(AWS_IAM)).then(|| policy(&via.service)),
        }
    }

    fn common_context(&self, via: &Via, vpc: &str, port: u16, caller: Option<&Identity>) -> Context {
        let mut context = Context::new();
        let mut put = |key: &str, value: &str| {
            context.insert(key.to_ascii_lowercase(), vec![value.to_owned()]);
        };
        put("vpc-lattice-svcs:Port", &port.to_string());
        put("vpc-lattice-svcs:ServiceArn", &via.service_arn);
        put("vpc-lattice-svcs:ServiceNetworkArn", &via.network_arn);
        put("vpc-lattice-svcs:SourceVpc", vpc);
        put("vpc-lattice-svcs:SourceVpcOwnerAccount", &self.home.account);
        put("aws:SourceVpc", vpc);
        match caller {
            None => put("aws:PrincipalType", "Anonymous"),
            Some(caller) => {
                put("aws:PrincipalArn", &caller.role().unwrap_or_else(|| caller.principal.clone()));
                put("aws:PrincipalAccount", caller.account());
                put("aws:PrincipalType", if caller.role().is_some() { "AssumedRole" } else { "User" });
                if let Some(org) = &caller.org_id {
                    put("aws:PrincipalOrgID", org);
                }
                for (key, value) in &caller.tags {
                    put(&format!("aws:PrincipalTag/{key}"), value);
                }
            }
        }
        context
    }
}
