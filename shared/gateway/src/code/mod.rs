//! The codes of findings: the one list of them, with what each means and what helps.
//!
//! A code never changes its meaning and is never used again for another. It stands in the webhook's warnings, in what the
//! command line finds, and in the list that is made of this table. Conditions have reasons in its place; each reason of
//! one that is not as wanted has a code ([`Code::of_condition`]).

mod level;
mod of;

pub use level::{Explanation, Level};

use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal $level:ident $title:literal, $meaning:literal, $remedy:literal;)+) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $meaning] $name = $number,)+
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// How much findings of it matter.
            pub const fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)+ }
            }

            /// What it means and what helps.
            pub const fn explanation(self) -> Explanation {
                match self {
                    $(Self::$name => Explanation { title: $title, meaning: $meaning, remedy: $remedy },)+
                }
            }
        }
    };
}

codes! {
    // Objects and their fields.
    Unreadable = 1 Error "A field cannot be read",
        "A field has a value of a type or form that its kind does not have, so nothing of the object is known.",
        "Correct the field that the message names.";
    UnknownField = 2 Warning "A field is not known",
        "This version of Trellis does not know the field and cannot honour it.",
        "Remove the field, or use a version that knows it.";
    UnsupportedValue = 3 Error "A value cannot be had",
        "VPC Lattice cannot do what a field asks for.",
        "Do what the message says of the field.";
    // Matches.
    PathMatch = 10 Error "A path cannot be matched",
        "VPC Lattice matches a path whole or by its beginning, not by a regular expression, and takes no path that is too long or has certain characters.",
        "Use Exact or PathPrefix with a shorter or simpler path.";
    HeaderMatch = 11 Error "A header cannot be matched",
        "VPC Lattice matches a header by its whole value, at most five in a rule, with bounded names and values.",
        "Use Exact, and fewer or shorter headers.";
    QueryMatch = 12 Error "Query parameters cannot be matched",
        "VPC Lattice cannot match query parameters, so the rule is left out.",
        "Match the path, the method or headers instead.";
    MethodMatch = 13 Error "A method cannot be matched",
        "VPC Lattice does not match requests by this method.",
        "Name another method, or none.";
    GrpcMatch = 14 Error "A gRPC method cannot be matched",
        "VPC Lattice matches a gRPC service, or a method of a named service, exactly.",
        "Name the service, and the method exactly.";
    TlsMatch = 15 Error "A TLSRoute asks for more than hostnames",
        "VPC Lattice passes TLS on by hostname and by one rule.",
        "Remove the matches and put all backendRefs into the first rule.";
    PrefixWidened = 16 Warning "A path prefix matches more than whole path elements",
        "One rule of VPC Lattice stands for a path prefix where two would exceed the quota, so paths that go on without a slash match too.",
        "Raise the quota of rules per listener, or use fewer rules.";
    MatchShadowed = 17 Error "An older route has the match",
        "Another route that is older matches the same requests, so they go there.",
        "Match something else, or take the match out of one of the two.";
    // Hostnames.
    HostnameWildcard = 20 Error "A wildcard hostname cannot be served",
        "VPC Lattice serves no wildcard hostname.",
        "Name the hostnames one by one.";
    HostnameNeeded = 21 Error "A hostname is needed",
        "VPC Lattice passes TLS on by hostname, and the route and its listeners name none.",
        "Name at least one hostname on the route or on the listener.";
    HostnameIsolated = 22 Error "A listener with a narrower hostname takes the requests",
        "Requests for the hostname come to another listener of the Gateway, whose hostname is the narrower one.",
        "Attach the route to that listener too, or take the hostname out.";
    HostnameTaken = 23 Error "A hostname is another's",
        "A hostname has one service in a network, and an older route or the Gateway's own service has it in a way that this route cannot share.",
        "Use another hostname, or do what the message says to share it.";
    HostnameUnanswered = 24 Warning "Requests that no rule matches are not answered by the open route",
        "In VPC Lattice a route without hostnames is a service of its own, so it does not answer what another route's hostname gets.",
        "Name the hostname in the route without hostnames too.";
    HostnameNoDomain = 25 Error "A hostname can be no custom domain",
        "VPC Lattice takes only names of at least three characters with parts of at most 63 for custom domains, and no address.",
        "Name a hostname that DNS can have.";
    HostnameUnheard = 26 Warning "No listener is for a hostname",
        "None of the listeners that take the route is for the hostname, so no request for it is answered.",
        "Attach the route to a listener that is for it, or take it out.";
    // What VPC Lattice does not do.
    Filter = 31 Error "A filter is not supported",
        "VPC Lattice cannot redirect, rewrite, mirror or change headers, so the rule is left out.",
        "Remove the filter, and do in client or server what it did.";
    Timeouts = 32 Error "Time-outs are not supported",
        "VPC Lattice has no time-outs of a rule.",
        "Remove the field and set them in client and server; for idle streams there is an annotation.";
    Retry = 33 Error "Retries are not supported",
        "VPC Lattice does not retry requests.",
        "Remove the field and retry in the client.";
    SessionPersistence = 34 Error "Session persistence is not supported",
        "VPC Lattice has no session persistence.",
        "Remove the field.";
    ClientCertificates = 35 Error "Client certificates are not checked",
        "VPC Lattice checks no client certificates and shows none to targets.",
        "Remove the field, or check them behind a listener of protocol TLS that passes them through.";
    Infrastructure = 36 Warning "There are no objects for labels or annotations",
        "VPC Lattice makes no objects that a Gateway's infrastructure labels or annotations could go to.",
        "Remove the field.";
    ListenerSets = 37 Warning "ListenerSets are not served",
        "Listeners of ListenerSets are not served.",
        "Put the listeners into the Gateway.";
    Weight = 38 Error "A weight is none",
        "A backend's weight is outside of what VPC Lattice takes.",
        "Set one within the range that the message names.";
    Addresses = 39 Error "A Gateway's addresses cannot be chosen",
        "VPC Lattice gives each service a name of its own and takes no addresses.",
        "Remove the field.";
    // What rules lead to.
    BackendNotFound = 40 Error "A backend is not there",
        "The Service, ServiceImport or port that a backendRef names is not there, and its requests are answered 500.",
        "Create it, or correct the name or the port.";
    BackendKind = 41 Error "A backend cannot be of that kind",
        "Routes lead to Services and ServiceImports.",
        "Name a Service or a ServiceImport.";
    RefNotPermitted = 42 Error "A reference into another namespace is not permitted",
        "No ReferenceGrant of the other namespace lets the reference be.",
        "Create a ReferenceGrant there.";
    AppProtocol = 43 Error "A protocol of the backend cannot be had",
        "VPC Lattice does not speak the Service's appProtocol, or not from these listeners.",
        "Use another appProtocol, or listeners that allow it.";
    ServiceTerminating = 44 Warning "A Service is being deleted",
        "The Service's endpoints serve until they go, and then nothing answers.",
        "Name another Service.";
    EndpointsLeftOut = 45 Warning "An endpoint gets no requests",
        "An endpoint is no address of a VPC, so VPC Lattice sends no requests there.",
        "Name addresses of the cluster's VPC.";
    TooManyEndpoints = 46 Warning "A Service has more endpoints than a target group takes",
        "Endpoints beyond the quota get no requests.",
        "Raise the quota of targets per target group.";
    ExternalGroup = 47 Error "A target group of others cannot be used",
        "The target group that a ServiceImport names is not there, not of this account and Region, or used by another service.",
        "Correct the annotation, or make a target group for this route alone.";
    BackendAsItIs = 48 Warning "What a backend leads to stays as it is",
        "What a policy asks for is not known or not served any more, so the target groups stay as they are.",
        "Do what the message says of the policy.";
    BackendValue = 49 Error "A Backend cannot be had as it is written",
        "A Backend is one function, some addresses or instances, one load balancer or one target group, and a field of it has a value that this cannot have.",
        "Correct the field that the message names.";
    // Gateways and listeners.
    ListenerProtocol = 50 Error "A listener's protocol cannot be had",
        "VPC Lattice has listeners of protocol HTTP, HTTPS and TLS passthrough.",
        "Use one of them.";
    ListenerMode = 51 Error "A listener's TLS mode cannot be had",
        "VPC Lattice ends TLS at HTTPS listeners and passes it through at TLS listeners.",
        "Use HTTPS with Terminate or TLS with Passthrough.";
    ListenerPort = 52 Error "A listener's port is none",
        "A port is from 1 to 65535.",
        "Set one.";
    ListenerConflict = 53 Error "Listeners cannot be told apart",
        "Listeners of one port have one hostname, or protocols that do not go together.",
        "Change the port or the hostname of one of them.";
    RouteKinds = 54 Error "A listener cannot carry the kind",
        "A listener's protocol cannot carry routes of a kind that it allows.",
        "Remove the kind.";
    ListenersNotValid = 55 Error "Listeners of the Gateway are not valid",
        "Some or all listeners of the Gateway are no good.",
        "See what is said of each listener.";
    TlsOption = 56 Warning "A TLS option is not known",
        "VPC Lattice knows no such option.",
        "Remove it.";
    NetworkName = 57 Error "The name cannot be a service network's",
        "A Gateway's or ServiceNetwork's name is that of its service network in VPC Lattice, which takes fewer names than Kubernetes.",
        "Choose another name, as the message says.";
    OneService = 58 Error "One service cannot have all of the Gateway's listeners",
        "All routes of the Gateway are in one service, which cannot have what its listeners ask for.",
        "Change the listeners, or the annotation service-per.";
    PortTaken = 59 Error "A port has another protocol",
        "A VPC Lattice service has one protocol on a port, and an older route or the first listener has it.",
        "Use another hostname, another port, or a route for each protocol.";
    // Attachment.
    ParentNotFound = 60 Error "The parent is not there",
        "The Gateway, or the listener that a parentRef names, is not there.",
        "Create it, or correct the parentRef.";
    NotAllowed = 61 Error "The Gateway does not take the route",
        "No listener takes routes of this kind or namespace.",
        "Change the listener's allowedRoutes, or attach the route elsewhere.";
    NoListenerHostname = 62 Error "No hostname is within a listener's",
        "None of the route's hostnames is within the hostname of a listener.",
        "Use a hostname that a listener takes.";
    NotMerged = 63 Warning "The route is not merged with those of other clusters",
        "The Gateways of the route do not all say that its routes are merged, or the route asks for something that merged routes cannot have.",
        "Do what the message says.";
    // Certificates.
    CertificateMissing = 70 Error "There is no certificate for a hostname",
        "ACM has no certificate for the hostname of an HTTPS listener in this account and Region.",
        "Request or import one, or name one in the listener's tls.options.";
    CertificateRef = 71 Error "A certificateRef cannot be used",
        "A certificateRef leads to no Secret with a certificate that can be imported.",
        "Correct the reference or the Secret.";
    CertificateSecretsOff = 72 Warning "Certificates of Secrets are not imported",
        "The installation imports certificates of Secrets only where its parameter CertificateSecrets says so.",
        "Set the parameter, or have a certificate in ACM for each hostname.";
    CertificateDiffers = 73 Warning "Listeners name different certificates for one service",
        "A VPC Lattice service has one certificate.",
        "Name the same one, or the listener in the parentRef's sectionName.";
    // Annotations.
    AnnotationUnknown = 80 Warning "An annotation is read by nobody",
        "An annotation with the common prefix is none of this kind.",
        "Correct or remove it.";
    AnnotationValue = 81 Warning "An annotation's value is no good",
        "An annotation has a value that it cannot have, and counts as if it were not there.",
        "Write a value that the message names.";
    TagLeftOut = 82 Warning "A tag is left out",
        "A tag that an annotation asks for cannot be had.",
        "Correct or remove it.";
    AnnotationMoot = 83 Warning "An annotation does not count here",
        "An annotation says something that counts only beside another, or on another object.",
        "Put it where the message says, or remove it.";
    // Policies.
    PolicyTarget = 90 Error "A policy's target cannot be used",
        "What a policy names is not there, is not ours, or is of a kind that the policy is not for.",
        "Correct the targetRef.";
    PolicyValue = 91 Error "A policy's value cannot be had",
        "A field of a policy has a value that VPC Lattice does not take.",
        "Write a value that the message names.";
    PolicyDocument = 92 Error "An auth policy is no IAM policy document",
        "The policy is no JSON object, or too long.",
        "Write an IAM policy document.";
    PolicyUnheeded = 93 Warning "A part of a policy is not heeded",
        "Target groups of some routes cannot have what a policy asks for.",
        "Do what the message says of the field.";
    AuthStays = 94 Warning "An auth policy stays in force",
        "What an IAMAuthPolicy closed stays closed until a person opens it.",
        "Make a policy anew, or set the annotation auth-type to NONE.";
    // The state of things.
    Pending = 100 Note "It is under way, or not known yet",
        "Something is being made, or cannot be known now; Trellis looks again by itself.",
        "Wait; if it stays, see what the message names.";
    Invalid = 101 Error "It cannot be had",
        "What the object asks for cannot be had, or a call to AWS failed for good.",
        "Do what the message says.";
    Kept = 102 Error "An edit is refused, and what was there stays",
        "VPC Lattice keeps what it had before the edit.",
        "Undo or correct the edit.";
    PartlyServed = 103 Error "Some of what the route asks for is not served",
        "All else of the route is in place.",
        "See the other findings on the route.";
    NotWritten = 104 Error "An object that is made of this one cannot be written",
        "The API server refused it.",
        "Do what the message says.";
    DeleteBlocked = 105 Error "What is being deleted is still used",
        "Something still uses the service network.",
        "Delete what the message names first.";
    AccessDenied = 106 Error "It is not for this account to do",
        "The VPC's or the network's owner has to do or to allow it.",
        "Ask the owner, as the message says.";
    AssociatedElsewhere = 107 Error "The VPC is with another service network",
        "A VPC can be associated with one service network only.",
        "Delete that association, name the Gateway as that network, or have the VPC come by an endpoint.";
    NotAssociated = 108 Warning "The VPC is not associated, as a policy asks",
        "A VpcAssociationPolicy says that the VPC is not to be in the network.",
        "Nothing, if that is meant.";
    TargetsRefused = 109 Error "VPC Lattice does not take some endpoints",
        "VPC Lattice refused addresses, mostly since they are outside of the VPC's subnets.",
        "Give the Pods addresses of the VPC.";
    NotHealthy = 110 Note "A Pod takes no requests yet",
        "VPC Lattice has not found the Pod's target healthy.",
        "See the Pod, its health check and its security group.";
    Conflicted = 111 Error "Something else is in the way",
        "An older policy, or a resource that somebody else made, is in the way.",
        "Do what the message says of it.";
    ClassParameters = 112 Error "A GatewayClass takes no parameters",
        "The class names parameters, and there are none.",
        "Remove the field.";
    FunctionNotFound = 113 Error "A function is not there",
        "The Lambda function that a Backend names does not exist in the account and Region.",
        "Create the function, or correct its name.";
    InvokeNotPermitted = 114 Error "VPC Lattice may not invoke a function",
        "The function's policy does not let VPC Lattice in, and its owner has not said that Trellis may.",
        "Run the command that the message gives, or tag the function trellis:invoke=allow.";
    ScalingGroupNotFound = 115 Error "An Auto Scaling group is not there",
        "The Auto Scaling group that a Backend names does not exist in the account and Region.",
        "Create the group, or correct its name.";
    LoadBalancerNotFound = 116 Error "A load balancer is not there",
        "The load balancer that a Backend names does not exist in the account and Region.",
        "Create it, or correct the ARN.";
    LoadBalancerUnfit = 117 Error "VPC Lattice leads to no such load balancer",
        "VPC Lattice leads to internal load balancers of type application only.",
        "Name such a one.";
    EndpointsAwaited = 118 Note "A Service has no EndpointSlice yet",
        "The Service was made just now, so the targets that it had stay until its EndpointSlices come, for a minute at most.",
        "Wait; if none comes, look at the cluster's endpoint slice controller.";
    NoEndpointForPort = 119 Error "No endpoint has the Service's port",
        "The Service's EndpointSlices have endpoints for other ports only, so its requests are answered 503.",
        "Name a targetPort that the Pods have.";
    ResourceValue = 120 Error "A resource cannot be had as it is written",
        "A field of a ResourceGateway or a ResourceConfiguration has a value that VPC Lattice does not take.",
        "Correct the field that the message names.";
    ResourceGatewayNotFound = 121 Error "A resource gateway is not there",
        "The ResourceGateway that a ResourceConfiguration names does not exist, or VPC Lattice does not have it yet.",
        "Create the ResourceGateway in the same namespace, or wait until it is programmed.";
    NoTlsBackend = 122 Error "Nothing takes a TLSRoute's connections",
        "No backend of the TLSRoute takes requests. VPC Lattice passes TLS on and cannot answer an error, so there is no listener and connections fail.",
        "Name a backend that is there, with a weight above 0.";
    ExporterLeftOut = 123 Warning "An export of one cluster gets no requests",
        "A cluster's ServiceExport cannot be led to, and those of other clusters have all requests of the import.",
        "Do what the message says, in that cluster.";
    // What is in the way in VPC Lattice.
    ServiceNameTaken = 200 Error "A service's name is taken",
        "Another service of the account bears the name.",
        "Give the route another name by the annotation service-name-override.";
    TargetGroupNameTaken = 201 Error "A target group's name is taken",
        "A target group of that name is not ours or was changed.",
        "Delete it.";
    NetworkMissing = 202 Error "The service network is not there",
        "No service network of the name or id is there, or shared with this account.",
        "See the Gateway's status, or correct its name or the share.";
    DomainTaken = 203 Error "Another service has the hostname in the network",
        "A custom domain is one service's in a service network, and one that does not give way has it.",
        "Use another hostname, or take it from the service that the message names.";
    EndpointWithoutSubnets = 204 Error "No subnet is known for a VPC endpoint",
        "Neither EKS nor the Gateway's annotation names a subnet for the endpoint.",
        "Name subnets in the annotation vpc-endpoint-subnet-ids.";
    NetworkAmbiguous = 205 Error "Several service networks bear the name",
        "It cannot be told which of them is meant.",
        "Name the one by its ARN in the parameter AllowedNetworks, or the Gateway by its id.";
    NetworkUnseen = 206 Error "A service network is not shown to this account",
        "A VPC is associated with a network of that name that its owner does not share any more, or no listing shows.",
        "Ask for the share, or delete the association.";
    NetworkNotAllowed = 207 Error "A service network of others may not be used",
        "A network of that name is there that this installation did not make.",
        "Rename the Gateway, or name the network in the parameter AllowedNetworks.";
    ListenerPortTaken = 208 Error "A listener of others has the port",
        "A listener that is not ours has the port of the service.",
        "Delete it.";
    NoPriorityLeft = 209 Error "Rules of others leave too few priorities",
        "Rules that are not ours have the priorities of the listener.",
        "Delete some.";
    QuotaExceeded = 210 Error "A quota would be exceeded",
        "What is asked for is more than a quota of VPC Lattice allows.",
        "Ask for less, or raise the quota in Service Quotas.";
    TargetGroupMissing = 211 Error "A target group cannot be used",
        "A listener leads to a target group that is not usable, for a cause that is told too.",
        "See the other findings.";
    TargetGroupInUse = 212 Error "A target group is another service's",
        "A target group can be used by one service only.",
        "Take it out of that one.";
    ServiceInUse = 213 Error "A service cannot be deleted",
        "An association that is not ours holds it in a network.",
        "Delete that association.";
    SecurityGroupsKept = 214 Error "The last security group stays",
        "VPC Lattice takes the last security group off no association.",
        "Do what the message says.";
    VpcAssociationOfOthers = 215 Error "A VPC association is another's",
        "Its security groups and private DNS are its owner's to set.",
        "Delete it, and one is made as the policy says.";
    AccessLogTaken = 216 Error "Access logs go elsewhere already",
        "A service or network has one subscription of each type, and it is not ours.",
        "Delete that one.";
    AuthPolicyOfOthers = 217 Error "A person has written an auth policy",
        "An auth policy that this installation did not write stays, and nothing new is associated.",
        "Delete it, or set the annotation replace-auth-policy of the IAMAuthPolicy.";
    AuthOfOthers = 218 Error "An auth policy is not ours to write",
        "The service or network is not this installation's.",
        "Ask its owner.";
    AccessLogsOfOthers = 219 Error "Access logs are not ours to ask for",
        "The service or network is not this installation's.",
        "Ask its owner.";
    ResourceNameTaken = 220 Error "A resource's name is taken",
        "A resource gateway or configuration of the name exists that is not this object's.",
        "Delete that one.";
    ResourceGatewayInUse = 221 Note "A resource gateway is still used",
        "Resource configurations lead through the gateway, so it cannot be deleted yet.",
        "Wait until they are gone, or delete them.";
    ResourceInUse = 222 Error "A resource is held by somebody else's association",
        "The resource configuration cannot be deleted while another's association with a service network holds it.",
        "Delete that association.";
    ResourceDomainTaken = 223 Error "A resource's domain is taken",
        "Another resource has the domain in the service network.",
        "Name another domain, or take the other resource out of the network.";
    // Deletions.
    NetworkStays = 300 Warning "A service network stays",
        "Other objects still ask for the service network.",
        "Delete them too, if it is to go.";
    // Of files alone.
    NotAmongFiles = 400 Error "An object is not among the files",
        "A file names an object that no file has, so nothing can be said of what depends on it.",
        "Give the file that has it as well.";
    PlanFault = 401 Error "A plan breaks an invariant",
        "The plan must not be applied. This is a fault of Trellis.",
        "Report it with the files.";
    Restless = 402 Error "Statuses do not come to rest",
        "Objects wake each other by their statuses without an end. This is a fault of Trellis.",
        "Report it with the files.";
    // Of an installation and its clusters.
    StackNotReady = 500 Error "The stack is not deployed",
        "CloudFormation has the installation's stack in a state in which it may not be whole.",
        "Wait until it is deployed, or mend it.";
    ClusterNotReady = 501 Error "The cluster is not active",
        "EKS has the cluster in a state in which it cannot be read.",
        "Wait until it is active.";
    AuthenticationMode = 502 Error "The cluster knows no access entries",
        "The functions are let in by access entries, which the cluster's authentication mode does not have.",
        "Change the mode to API_AND_CONFIG_MAP.";
    AccessEntryMissing = 503 Error "A function is not let into the cluster",
        "The role of a function has no access entry, so the API server does not know it.",
        "Register the cluster: trellis register.";
    AccessEntryGroups = 504 Error "An access entry lacks the group",
        "The access entry of a function's role is there without the group that has the rights.",
        "Give it the group that the message names.";
    AgentMissing = 505 Error "There is no agent for Pod Identity",
        "Without the add-on no Pod of the cluster gets a role by Pod Identity, so the webhook can send no hint.",
        "Register the cluster: trellis register.";
    AgentNotReady = 506 Warning "The agent for Pod Identity is not well",
        "EKS has the add-on in a state in which Pods may get no roles.",
        "See the add-on in the console of EKS.";
    AssociationMissing = 507 Error "The webhook has no role",
        "No Pod Identity association gives the webhook's ServiceAccount the role that may send to the queue.",
        "Register the cluster: trellis register.";
    AssociationRole = 508 Error "The webhook has another role",
        "The Pod Identity association gives the webhook's ServiceAccount another role than the stack has made for it.",
        "Give it the stack's, as the message says.";
    NotRegistered = 509 Error "The cluster is not registered",
        "The tag that registers the cluster is not there, or says that it is being taken out.",
        "Register the cluster: trellis register.";
    ClusterNew = 510 Note "The functions do not know the cluster yet",
        "A function that runs looks for new clusters once a minute.",
        "Ask again in a minute.";
    ClusterUnreadable = 511 Error "The functions cannot read the cluster",
        "The API server does not answer, does not let them in, or lacks CRDs or rights; what the cluster has in VPC Lattice stays as it is.",
        "Do what the message says: it has the API server's own words.";
    KindsNotServed = 512 Warning "The cluster lacks kinds",
        "The API server does not serve some kinds that Trellis reads, so objects of these cannot be.",
        "Install their CRDs if they are wanted.";
    DeadLetters = 513 Warning "Messages could not be worked off",
        "The dead-letter queue has messages that the reconcile function has tried to the end.",
        "Read them, and send them again: OPERATIONS.md says how.";
    MadeByHand = 514 Warning "A person has made it",
        "It bears no tag of this installation, so it is not removed.",
        "Remove it yourself if nobody else needs it.";
    Unasked = 515 Warning "It could not be asked",
        "AWS refused the call, or it failed, so nothing is known of it.",
        "See the cause in the message; it may be a right that you lack.";
    RegisteredElsewhere = 516 Error "The cluster's tag is another installation's",
        "The tag that registers clusters has a value that this installation does not give, so another one may have the cluster.",
        "Take the cluster out there, or remove the tag.";
    FunctionFails = 517 Error "The drift function fails",
        "The function was called and gave no report, so drift is not repaired.",
        "See its log.";
}

/// `TRL` and four digits.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TRL{:04}", *self as u16)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod code_tests;
