//! Quotas: the names and codes of Service Quotas, and what the settings set them to.

use serde::{Deserialize, Serialize};

/// The service's code in Service Quotas.
pub const SERVICE_CODE: &str = "vpc-lattice";

/// A quota as Service Quotas lists it.
#[derive(Debug)]
pub struct Quota {
    /// Its code, which a refusal names.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its value in the settings.
    pub value: fn(&Quotas) -> usize,
}

/// Listeners per service.
pub(super) const LISTENERS: &str = "L-D64E952E";
/// Rules per listener.
pub(super) const RULES: &str = "L-CF78395E";
/// Service associations per service network.
pub(super) const SERVICES_PER_NETWORK: &str = "L-75D4A19E";
/// Service networks per Region.
pub(super) const NETWORKS: &str = "L-9CAD07FB";
/// Services per Region.
pub(super) const SERVICES: &str = "L-620C821E";
/// Target groups per Region.
pub(super) const GROUPS: &str = "L-BB11C6B9";
/// Target groups per service.
pub(super) const GROUPS_PER_SERVICE: &str = "L-3DEC3B9F";
/// Targets per target group.
pub(super) const TARGETS: &str = "L-D71303F3";
/// VPC associations per service network.
pub(super) const VPCS_PER_NETWORK: &str = "L-EF6E2D62";
/// Resource configurations per service network.
pub(super) const RESOURCES_PER_NETWORK: &str = "L-6095700C";
/// Resource configurations per Region.
pub(super) const CONFIGURATIONS: &str = "L-5FF8F9B9";
/// Child resource configurations per group.
pub(super) const CHILDREN: &str = "L-9BC96FEF";
/// Resource gateways per VPC.
pub(super) const GATEWAYS: &str = "L-0DCA4434";
/// Domain verifications.
pub(super) const VERIFICATIONS: &str = "L-73D0F278";

/// All quotas of the service that the settings know.
pub const QUOTAS: &[Quota] = &[
    Quota { code: LISTENERS, name: "Listeners per service", value: |it| it.listeners_per_service },
    Quota { code: RULES, name: "Rules per listener", value: |it| it.rules_per_listener },
    Quota {
        code: SERVICES_PER_NETWORK,
        name: "Service associations per service network",
        value: |it| it.services_per_network,
    },
    Quota { code: NETWORKS, name: "Service networks per Region", value: |it| it.service_networks },
    Quota { code: SERVICES, name: "Services per Region", value: |it| it.services },
    Quota { code: GROUPS, name: "Target groups per Region", value: |it| it.target_groups },
    Quota {
        code: GROUPS_PER_SERVICE,
        name: "Target groups per service",
        value: |it| it.target_groups_per_service,
    },
    Quota { code: TARGETS, name: "Targets per target group", value: |it| it.targets_per_group },
    Quota {
        code: VPCS_PER_NETWORK,
        name: "VPC associations per service network",
        value: |it| it.vpcs_per_network,
    },
    Quota {
        code: RESOURCES_PER_NETWORK,
        name: "Resource configurations per service network",
        value: |it| it.resources_per_network,
    },
    Quota {
        code: CONFIGURATIONS,
        name: "Resource configurations per Region",
        value: |it| it.resource_configurations,
    },
    Quota {
        code: CHILDREN,
        name: "Child resource configurations per group",
        value: |it| it.children_per_group,
    },
    Quota { code: GATEWAYS, name: "Resource gateways per VPC", value: |it| it.resource_gateways_per_vpc },
    Quota { code: VERIFICATIONS, name: "Domain verifications", value: |it| it.domain_verifications },
];

/// Upper limits with the defaults of the user guide's quota page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each name is the quota's own")]
pub struct Quotas {
    pub listeners_per_service: usize,
    pub rules_per_listener: usize,
    pub services_per_network: usize,
    pub service_networks: usize,
    pub services: usize,
    pub target_groups: usize,
    pub target_groups_per_service: usize,
    pub targets_per_group: usize,
    pub vpcs_per_network: usize,
    pub resources_per_network: usize,
    pub resource_configurations: usize,
    pub children_per_group: usize,
    pub resource_gateways_per_vpc: usize,
    pub domain_verifications: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            listeners_per_service: 2,
            rules_per_listener: 10,
            services_per_network: 500,
            service_networks: 50,
            services: 2000,
            target_groups: 500,
            target_groups_per_service: 10,
            targets_per_group: 1000,
            vpcs_per_network: 500,
            resources_per_network: 500,
            resource_configurations: 2000,
            children_per_group: 60,
            resource_gateways_per_vpc: 500,
            domain_verifications: 5,
        }
    }
}
