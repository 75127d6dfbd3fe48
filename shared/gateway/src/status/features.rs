/// What a GatewayClass of ours reports as `supportedFeatures`, sorted: names of the Gateway API's features.
pub(crate) const SUPPORTED: [&str; 10] = [
    "GRPCRoute",
    "Gateway",
    "GatewayPort8080",
    "HTTPRoute",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "ReferenceGrant",
    "TLSRoute",
];
