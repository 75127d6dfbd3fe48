"""Valid input for every operation: what must exist first, and what is then sent."""

import itertools

VPC = "vpc-0a1b2c3d4e5f60001"
REGION = "us-west-2"
NUMBERS = itertools.count(1)
NOT_FOUND = {"fixedResponse": {"statusCode": 404}}
MATCH = {"httpMatch": {"pathMatch": {"match": {"exact": "/x"}}}}
CONFIG = {"port": 80, "protocol": "HTTP", "vpcIdentifier": VPC}
LOGS = "arn:aws:logs:us-west-2:000000000000:log-group:"
POLICY = '{"Version":"2012-10-17","Statement":[]}'


def name(prefix):
    return f"{prefix}-{next(NUMBERS)}"


class Scene:
    """Makes resources through a client. Each method returns what the API answered, with identifiers by name."""

    def __init__(self, client):
        self.client = client

    def network(self):
        return {"serviceNetworkIdentifier": self.client.create_service_network(name=name("net"))["id"]}

    def service(self):
        return {"serviceIdentifier": self.client.create_service(name=name("svc"[:2]))["id"]}

    def listener(self):
        service = self.service()
        listener = self.client.create_listener(
            **service, name=name("http"), protocol="HTTP", port=80, defaultAction=NOT_FOUND)
        return {**service, "listenerIdentifier": listener["id"]}

    def rule(self):
        listener = self.listener()
        rule = self.client.create_rule(**listener, name=name("one"), match=MATCH, priority=1, action=NOT_FOUND)
        return {**listener, "ruleIdentifier": rule["id"]}

    def group(self):
        made = self.client.create_target_group(name=name("group"), type="IP", config=CONFIG)
        return {"targetGroupIdentifier": made["id"]}

    def targets(self):
        group, targets = self.group(), {"targets": [{"id": "10.0.0.1", "port": 80}]}
        self.client.register_targets(**group, **targets)
        return {**group, **targets}

    def service_link(self):
        made = self.client.create_service_network_service_association(**self.service(), **self.network())
        return {"serviceNetworkServiceAssociationIdentifier": made["id"]}

    def vpc_link(self):
        made = self.client.create_service_network_vpc_association(**self.network(), vpcIdentifier=vpc())
        return {"serviceNetworkVpcAssociationIdentifier": made["id"]}

    def configuration(self):
        made = self.client.create_resource_configuration(name=name("conf"), type="SINGLE")
        return {"resourceConfigurationIdentifier": made["id"]}

    def gateway(self):
        made = self.client.create_resource_gateway(name=name("gate"), vpcIdentifier=VPC)
        return {"resourceGatewayIdentifier": made["id"]}

    def resource_link(self):
        made = self.client.create_service_network_resource_association(**self.configuration(), **self.network())
        return {"serviceNetworkResourceAssociationIdentifier": made["id"]}

    def holder(self):
        return {"resourceIdentifier": self.service()["serviceIdentifier"]}

    def policy(self):
        holder = self.holder()
        self.client.put_auth_policy(**holder, policy=POLICY)
        return holder

    def arn(self):
        return {"resourceArn": self.client.create_service(name=name("arn"), tags={"a": "b"})["arn"]}

    def resource_policy(self):
        arn = self.arn()
        self.client.put_resource_policy(**arn, policy=POLICY)
        return arn

    def log(self):
        made = self.client.create_access_log_subscription(**self.holder(), destinationArn=LOGS + "one")
        return {"accessLogSubscriptionIdentifier": made["id"]}

    def verification(self):
        made = self.client.start_domain_verification(domainName=f"{name('shop')}.example.com")
        return {"domainVerificationIdentifier": made["id"]}


def vpc():
    return f"vpc-{next(NUMBERS):08d}"


VALID = {
    "BatchUpdateRule": lambda s: split(s.rule(), "ruleIdentifier", lambda rule: {"rules": [{**rule, "priority": 7}]}),
    "CreateAccessLogSubscription": lambda s: {**s.holder(), "destinationArn": LOGS + "one"},
    "CreateListener": lambda s: {**s.service(), "name": name("http"), "protocol": "HTTP", "defaultAction": NOT_FOUND},
    "CreateResourceConfiguration": lambda s: {"name": name("conf"), "type": "SINGLE"},
    "CreateResourceGateway": lambda s: {"name": name("gate")},
    "CreateRule": lambda s: {**s.listener(), "name": name("one"), "match": MATCH, "priority": 1, "action": NOT_FOUND},
    "CreateService": lambda s: {"name": name("sv")},
    "CreateServiceNetwork": lambda s: {"name": name("net")},
    "CreateServiceNetworkResourceAssociation": lambda s: {**s.configuration(), **s.network()},
    "CreateServiceNetworkServiceAssociation": lambda s: {**s.service(), **s.network()},
    "CreateServiceNetworkVpcAssociation": lambda s: {**s.network(), "vpcIdentifier": vpc()},
    "CreateTargetGroup": lambda s: {"name": name("group"), "type": "IP", "config": CONFIG},
    "DeleteAccessLogSubscription": lambda s: s.log(),
    "DeleteAuthPolicy": lambda s: s.policy(),
    "DeleteDomainVerification": lambda s: s.verification(),
    "DeleteListener": lambda s: s.listener(),
    "DeleteResourceConfiguration": lambda s: s.configuration(),
    "DeleteResourceGateway": lambda s: s.gateway(),
    "DeleteResourcePolicy": lambda s: s.resource_policy(),
    "DeleteRule": lambda s: s.rule(),
    "DeleteService": lambda s: s.service(),
    "DeleteServiceNetwork": lambda s: s.network(),
    "DeleteServiceNetworkResourceAssociation": lambda s: s.resource_link(),
    "DeleteServiceNetworkServiceAssociation": lambda s: s.service_link(),
    "DeleteServiceNetworkVpcAssociation": lambda s: s.vpc_link(),
    "DeleteTargetGroup": lambda s: s.group(),
    "DeregisterTargets": lambda s: s.targets(),
    "GetAccessLogSubscription": lambda s: s.log(),
    "GetAuthPolicy": lambda s: s.policy(),
    "GetDomainVerification": lambda s: s.verification(),
    "GetListener": lambda s: s.listener(),
    "GetResourceConfiguration": lambda s: s.configuration(),
    "GetResourceGateway": lambda s: s.gateway(),
    "GetResourcePolicy": lambda s: s.resource_policy(),
    "GetRule": lambda s: s.rule(),
    "GetService": lambda s: s.service(),
    "GetServiceNetwork": lambda s: s.network(),
    "GetServiceNetworkResourceAssociation": lambda s: s.resource_link(),
    "GetServiceNetworkServiceAssociation": lambda s: s.service_link(),
    "GetServiceNetworkVpcAssociation": lambda s: s.vpc_link(),
    "GetTargetGroup": lambda s: s.group(),
    "ListAccessLogSubscriptions": lambda s: s.log() and s.holder(),
    "ListDomainVerifications": lambda s: s.verification() and {},
    "ListListeners": lambda s: only(s.listener(), "serviceIdentifier"),
    "ListResourceConfigurations": lambda s: s.configuration() and {},
    "ListResourceEndpointAssociations": lambda s: s.configuration(),
    "ListResourceGateways": lambda s: s.gateway() and {},
    "ListRules": lambda s: only(s.rule(), "serviceIdentifier", "listenerIdentifier"),
    "ListServiceNetworkResourceAssociations": lambda s: s.resource_link() and s.network(),
    "ListServiceNetworkServiceAssociations": lambda s: s.service_link() and s.network(),
    "ListServiceNetworkVpcAssociations": lambda s: s.vpc_link() and s.network(),
    "ListServiceNetworkVpcEndpointAssociations": lambda s: s.network(),
    "ListServiceNetworks": lambda s: s.network() and {},
    "ListServices": lambda s: s.service() and {},
    "ListTagsForResource": lambda s: s.arn(),
    "ListTargetGroups": lambda s: s.group() and {},
    "ListTargets": lambda s: only(s.targets(), "targetGroupIdentifier"),
    "PutAuthPolicy": lambda s: {**s.holder(), "policy": POLICY},
    "PutResourcePolicy": lambda s: {**s.arn(), "policy": POLICY},
    "RegisterTargets": lambda s: s.targets(),
    "StartDomainVerification": lambda s: {"domainName": f"{name('shop')}.example.com"},
    "TagResource": lambda s: {**s.arn(), "tags": {"c": "d"}},
    "UntagResource": lambda s: {**s.arn(), "tagKeys": ["a"]},
    "UpdateAccessLogSubscription": lambda s: {**s.log(), "destinationArn": LOGS + "two"},
    "UpdateListener": lambda s: {**s.listener(), "defaultAction": {"fixedResponse": {"statusCode": 500}}},
    "UpdateResourceConfiguration": lambda s: {**s.configuration(), "portRanges": ["80"]},
    "UpdateResourceGateway": lambda s: {**s.gateway(), "securityGroupIds": ["sg-12345678"]},
    "UpdateRule": lambda s: {**s.rule(), "priority": 9},
    "UpdateService": lambda s: {**s.service(), "authType": "AWS_IAM"},
    "UpdateServiceNetwork": lambda s: {**s.network(), "authType": "AWS_IAM"},
    "UpdateServiceNetworkVpcAssociation": lambda s: {**s.vpc_link(), "securityGroupIds": ["sg-12345678"]},
    "UpdateTargetGroup": lambda s: {**s.group(), "healthCheck": {"path": "/healthz"}},
}

WITHOUT_RESOURCES = {"DeleteResourceEndpointAssociation": {"resourceEndpointAssociationIdentifier": "rea-" + "0" * 17}}
"""Operations on what only another service can make: they can only answer that it does not exist."""


def only(document, *names):
    return {key: document[key] for key in names}


def split(document, key, then):
    """The document without a key, and what `then` makes of that key alone."""
    value = document.pop(key)
    return {**document, **then({key: value})}
