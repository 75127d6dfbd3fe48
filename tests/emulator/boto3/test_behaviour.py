"""What a client sees over the wire: tokens, pages, tags, faults, throttling, counts."""

import pytest
import scenes
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.exceptions import ConnectionError as BrokenConnection
from test_model import call, code

LISTS = {
    "list_access_log_subscriptions": lambda s: many_logs(s),
    "list_domain_verifications": lambda s: [s.verification() for _ in range(3)] and {},
    "list_listeners": lambda s: many_listeners(s),
    "list_resource_configurations": lambda s: [s.configuration() for _ in range(3)] and {},
    "list_resource_gateways": lambda s: [s.gateway() for _ in range(3)] and {},
    "list_rules": lambda s: many_rules(s),
    "list_service_network_resource_associations": lambda s: many_links(s, "resource"),
    "list_service_network_service_associations": lambda s: many_links(s, "service"),
    "list_service_network_vpc_associations": lambda s: many_links(s, "vpc"),
    "list_service_networks": lambda s: [s.network() for _ in range(3)] and {},
    "list_services": lambda s: [s.service() for _ in range(3)] and {},
    "list_target_groups": lambda s: [s.group() for _ in range(3)] and {},
    "list_targets": lambda s: many_targets(s),
}


def many_logs(scene):
    holder = scene.holder()
    for arn in (scenes.LOGS + "one", "arn:aws:s3:::a-bucket-for-logs", "arn:aws:firehose:us-west-2:000000000000:deliverystream/d"):
        scene.client.create_access_log_subscription(**holder, destinationArn=arn)
    return holder


def many_listeners(scene):
    service = scene.service()
    for port in (80, 81, 82):
        scene.client.create_listener(
            **service, name=f"http-{port}", protocol="HTTP", port=port, defaultAction=scenes.NOT_FOUND)
    return service


def many_rules(scene):
    listener = scene.listener()
    for priority in (1, 2):
        scene.client.create_rule(
            **listener, name=f"rule{priority}", match=scenes.MATCH, priority=priority, action=scenes.NOT_FOUND)
    return listener


def many_links(scene, kind):
    network = scene.network()
    for _ in range(3):
        if kind == "vpc":
            scene.client.create_service_network_vpc_association(**network, vpcIdentifier=scenes.vpc())
        elif kind == "service":
            scene.client.create_service_network_service_association(**network, **scene.service())
        else:
            scene.client.create_service_network_resource_association(**network, **scene.configuration())
    return network


def many_targets(scene):
    group = scene.group()
    scene.client.register_targets(**group, targets=[{"id": f"10.0.0.{n}"} for n in (1, 2, 3)])
    return group


@pytest.mark.parametrize("method", sorted(LISTS))
def test_pages_of_one_item_add_up_to_the_whole_list(lattice, method):
    filters = LISTS[method](scenes.Scene(lattice))
    whole = getattr(lattice, method)(**filters)
    assert len(whole["items"]) == 3 and "nextToken" not in whole
    pages = list(lattice.get_paginator(method).paginate(**filters, PaginationConfig={"PageSize": 1}))
    assert [len(page["items"]) for page in pages] == [1, 1, 1]
    assert [item for page in pages for item in page["items"]] == whole["items"]


def test_every_list_of_the_model_is_paged_here_or_empty_by_nature():
    from test_model import OPERATIONS

    lists = {name for name in OPERATIONS if name.startswith("List")} - {"ListTagsForResource"}
    known = {"".join(word.capitalize() for word in method.split("_")) for method in LISTS}
    assert lists - known == {"ListServiceNetworkVpcEndpointAssociations", "ListResourceEndpointAssociations"}


def test_a_bad_page_token_is_refused(lattice):
    assert code(call(lattice, "ListServices", {"nextToken": "bogus"})) == "ValidationException"


def test_a_retry_with_its_client_token_makes_one_resource(lattice):
    inputs = {"name": "once", "clientToken": "t-1"}
    first, second = lattice.create_service(**inputs), lattice.create_service(**inputs)
    assert first["id"] == second["id"] and len(lattice.list_services()["items"]) == 1
    assert code(call(lattice, "CreateService", {"name": "twice", "clientToken": "t-1"})) == "ConflictException"


def test_an_arn_in_the_path_is_as_good_as_an_id(lattice):
    scene = scenes.Scene(lattice)
    rule = lattice.get_rule(**scene.rule())
    service, listener, _ = rule["arn"].split("/listener/")[0], rule["arn"].split("/rule/")[0], None
    by_arn = lattice.get_rule(serviceIdentifier=service, listenerIdentifier=listener, ruleIdentifier=rule["arn"])
    assert by_arn["id"] == rule["id"]


def test_throttled_calls_are_told_when_to_come_again(lattice, configured):
    rate = {"per-second": 0.001, "burst": 2.0}
    configured({"throttle": {"read": rate, "mutate": rate}})
    codes = [code(call(lattice, "ListServices", {})) for _ in range(3)]
    assert codes == [None, None, "ThrottlingException"]


def test_a_fault_before_the_effect_changes_nothing(lattice, configured):
    configured({"faults": [{"kind": "error-before", "operation": "CreateService", "count": 1}]})
    assert code(call(lattice, "CreateService", {"name": "one"})) == "InternalServerException"
    assert lattice.list_services()["items"] == []


def test_a_fault_after_the_effect_is_healed_by_the_client_token(lattice, configured):
    configured({"faults": [{"kind": "error-after", "operation": "CreateService", "count": 1}]})
    inputs = {"name": "one", "clientToken": "t-1"}
    assert code(call(lattice, "CreateService", inputs)) == "InternalServerException"
    made = lattice.create_service(**inputs)
    assert [item["id"] for item in lattice.list_services()["items"]] == [made["id"]]


def test_an_answer_that_is_lost_after_the_effect_breaks_the_connection(lattice, configured):
    configured({"faults": [{"kind": "timeout-after", "operation": "CreateService", "count": 1}]})
    with pytest.raises((ConnectionClosedError, BrokenConnection)):
        lattice.create_service(name="one")
    assert len(lattice.list_services()["items"]) == 1


def test_a_denied_call_says_so_and_changes_nothing(lattice, configured):
    configured({"faults": [{"kind": "deny", "operation": "CreateService", "count": 1}]})
    assert code(call(lattice, "CreateService", {"name": "one"})) == "AccessDeniedException"
    assert lattice.list_services()["items"] == []


def test_a_target_outside_of_its_vpcs_blocks_is_told_beside_the_good_ones(lattice, configured):
    group = scenes.Scene(lattice).group()
    configured({"vpc-cidrs": {scenes.VPC: ["10.0.0.0/16"]}})
    answer = lattice.register_targets(
        **group, targets=[{"id": "10.0.0.9", "port": 80}, {"id": "192.168.0.1", "port": 80}])
    assert [target["id"] for target in answer["successful"]] == ["10.0.0.9"]
    assert [(target["id"], target["failureCode"]) for target in answer["unsuccessful"]] == [("192.168.0.1", "UnsupportedTarget")]
    configured({"vpc-cidrs": {scenes.VPC: None}})


def test_a_stale_list_hides_what_is_new(lattice, configured):
    configured({"faults": [{"kind": "stale-list", "delay": "1h", "count": 1}]})
    lattice.create_service(name="one")
    assert lattice.list_services()["items"] == []
    assert len(lattice.list_services()["items"]) == 1


def test_scrambled_messages_keep_class_and_shape(lattice, configured):
    lattice.create_service(name="one")
    texts = []
    for scrambled in (False, True):
        configured({"switches": {"scramble-messages": scrambled}})
        with pytest.raises(ClientError) as caught:
            lattice.create_service(name="one")
        assert caught.value.response["Error"]["Code"] == "ConflictException"
        texts.append(caught.value.response["Error"]["Message"])
    assert "exists" in texts[0] and "exists" not in texts[1]


def test_a_failed_creation_shows_its_reason(lattice, configured):
    configured({"failures": [{"transition": "create", "resource": "service", "code": "Broken", "message": "So."}]})
    made = lattice.create_service(name="one")
    seen = lattice.get_service(serviceIdentifier=made["id"])
    assert (seen["status"], seen["failureCode"], seen["failureMessage"]) == ("CREATE_FAILED", "Broken", "So.")


def test_calls_are_counted_by_operation_and_error_with_a_log(emulator, lattice):
    last = emulator.admin("GET", "calls")["last"]
    lattice.create_service(name="one")
    call(lattice, "CreateService", {"name": "one"})
    report = emulator.admin("GET", f"calls?since={last}")
    assert report["operations"]["CreateService"] == 2 and report["errors"]["ConflictException"] == 1
    assert [(entry["operation"], entry["status"]) for entry in report["calls"]] == [
        ("CreateService", 201), ("CreateService", 409)]
    emulator.admin("POST", "calls/reset")
    assert emulator.admin("GET", "calls")["total"] == 0


def test_settings_with_unknown_names_are_refused(emulator):
    import urllib.error

    with pytest.raises(urllib.error.HTTPError) as caught:
        emulator.admin("PUT", "config", {"delays": {"sevrice": "1s"}})
    assert caught.value.code == 400


def test_a_snapshot_brings_back_what_a_reset_forgot(emulator, lattice):
    made = lattice.create_service(name="one", tags={"a": "b"})
    snapshot, before = emulator.admin("GET", "snapshot"), emulator.admin("GET", "state")
    emulator.admin("POST", "reset")
    assert lattice.list_services()["items"] == []
    emulator.admin("PUT", "snapshot", snapshot)
    assert emulator.admin("GET", "state") == before
    assert lattice.list_tags_for_resource(resourceArn=made["arn"])["tags"] == {"a": "b"}
