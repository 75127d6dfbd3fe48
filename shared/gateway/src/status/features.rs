/// What a GatewayClass of ours reports as `supportedFeatures`, sorted: names of the Gateway API's features. A port in a
/// parentRef counts, but HTTPRouteParentRefPort is not claimed: its test wants 404 on a listener's port without any route,
/// and there a VPC Lattice service has no listener to give it.
pub(crate) const SUPPORTED: [&str; 9] = [
    "GRPCRoute",
    "Gateway",
    "GatewayPort8080",
    "HTTPRoute",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "ReferenceGrant",
    "TLSRoute",
];
