"""Every operation of the model: valid input, each required member missing, each constraint broken."""

import http.client
import json
import urllib.parse

import oracle
import pytest
import samples
import scenes
from botocore.exceptions import ClientError

MODEL = oracle.model()
OPERATIONS = sorted(MODEL.operation_names)
METHODS = {}


def call(client, operation, document):
    """Calls an operation by its name in the model; returns the answer or the error."""
    if not METHODS:
        METHODS.update({api: method for method, api in client.meta.method_to_api_mapping.items()})
    try:
        return getattr(client, METHODS[operation])(**document)
    except ClientError as error:
        return error


def code(outcome):
    return outcome.response["Error"]["Code"] if isinstance(outcome, ClientError) else None


def fields(outcome):
    return [field["name"] for field in outcome.response.get("fieldList", [])]


def written(path):
    """A path of the samples as the emulator writes it: `targets[0].id`."""
    text = ""
    for step in path:
        text += f"[{step}]" if step == 0 else f".{step}" if text else step
    return text


def located(shape, kind):
    return shape.serialization.get("location") == kind


def test_the_model_has_the_operations_that_this_suite_knows():
    assert set(OPERATIONS) == set(scenes.VALID) | set(scenes.WITHOUT_RESOURCES)
    assert len(OPERATIONS) == 73


@pytest.mark.parametrize("operation", sorted(scenes.VALID))
def test_valid_input_is_answered_by_the_model(lattice, operation):
    outcome = call(lattice, operation, scenes.VALID[operation](scenes.Scene(lattice)))
    assert code(outcome) is None, outcome
    samples.CASES["operations with valid input"] += 1


@pytest.mark.parametrize("operation", sorted(scenes.WITHOUT_RESOURCES))
def test_what_only_another_service_makes_is_not_found(lattice, operation):
    assert code(call(lattice, operation, scenes.WITHOUT_RESOURCES[operation])) == "ResourceNotFoundException"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_missing_required_member_is_named(lattice, operation):
    model = MODEL.operation_model(operation)
    for path, shape, owner in samples.places(model.input_shape):
        # A path cannot be without one of its segments.
        if path[-1] not in getattr(owner, "required_members", []) or located(shape, "uri"):
            continue
        outcome = call(lattice, operation, samples.without(model, path, shape))
        assert code(outcome) == "ValidationException", (path, outcome)
        assert written(path) in fields(outcome), (path, outcome.response)
        samples.CASES["missing required members"] += 1


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_broken_bound_enum_pattern_and_union_is_named(lattice, operation):
    model = MODEL.operation_model(operation)
    for path, shape, _ in samples.places(model.input_shape):
        tried = set()
        for what, value in samples.breaks(shape):
            outcome = call(lattice, operation, samples.put(model, path, value))
            assert code(outcome) == "ValidationException", (path, what, value, outcome)
            assert any(field.startswith(written(path)) for field in fields(outcome)), (path, what, fields(outcome))
            tried.add(what)
            samples.CASES[f"broken {what.split()[-1]}"] += 1
        assert tried == samples.constraints(shape), (path, "a constraint was not tried")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_bound_itself_is_within(lattice, operation):
    model = MODEL.operation_model(operation)
    for path, shape, _ in samples.places(model.input_shape):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if shape.type_name in ("integer", "long"):
            values = [bound for bound in (low, high) if bound is not None]
        elif shape.type_name == "list":
            values = [[samples.sample(shape.member)] * bound for bound in (low, high) if bound]
        elif shape.type_name == "string" and not shape.enum and samples.stretchable(shape):
            values = [samples.stretched(shape, bound) for bound in (low, high) if bound]
        else:
            values = []
        for value in values:
            samples.CASES["bounds themselves"] += 1
            outcome = call(lattice, operation, samples.put(model, path, value))
            if code(outcome) == "ValidationException":
                told = [field for field in outcome.response.get("fieldList", []) if field["name"] == written(path)]
                assert not any("to" in field["message"].split() for field in told), (path, value, outcome.response)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_member_of_another_json_type_cannot_be_parsed(emulator, operation):
    model = MODEL.operation_model(operation)
    target = urllib.parse.urlsplit(emulator.url)
    connection = http.client.HTTPConnection(target.hostname, target.port)
    document = samples.minimal(model)
    path = model.http["requestUri"].format(**{
        name: urllib.parse.quote(str(document.get(name, "x")), safe="") for name in model.input_shape.members})
    body_members = [name for name, shape in model.input_shape.members.items() if not shape.serialization.get("location")]
    for name in body_members:
        kind = model.input_shape.members[name].type_name
        body = {key: value for key, value in document.items() if key in body_members}
        body[name] = 5 if kind in ("string", "structure", "list", "map") else "five"
        status, reason = send(connection, model, path, json.dumps(body))
        assert (status, reason) == (400, "cannotParse"), name
        samples.CASES["other JSON types"] += 1
    if body_members:
        for body in ("{", "[]", '"text"'):
            samples.CASES["other JSON types"] += 1
            assert send(connection, model, path, body) == (400, "cannotParse"), body


def send(connection, model, path, body):
    connection.request(model.http["method"], path, body, {"content-type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read()).get("reason")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_does_not_exist_is_not_found_by_id_or_arn_of_any_account(lattice, operation):
    model = MODEL.operation_model(operation)
    if "ResourceNotFoundException" not in [error.name for error in model.error_shapes]:
        return
    for name, shape in model.input_shape.members.items():
        if not located(shape, "uri"):
            continue
        document = samples.minimal(model)
        documents = [document]
        if shape.name in samples.PREFIXES and shape.name != "ResourceIdentifier":
            documents += [{**document, name: arn} for arn in arns(shape.name)]
        for document in documents:
            assert code(call(lattice, operation, document)) == "ResourceNotFoundException", document
            samples.CASES["resources that do not exist"] += 1


def arns(shape):
    """ARNs of resources that do not exist: of this account, of another one, of another Region."""
    prefix = samples.PREFIXES[shape]
    kinds = {"als": "accesslogsubscription", "dv": "domainverification", "rcfg": "resourceconfiguration",
             "rea": "resourceendpointassociation", "rgw": "resourcegateway", "svc": "service", "sn": "servicenetwork",
             "snra": "servicenetworkresourceassociation", "snsa": "servicenetworkserviceassociation",
             "snva": "servicenetworkvpcassociation", "tg": "targetgroup"}
    parents = {"listener": f"service/svc-{samples.ID}/listener",
               "rule": f"service/svc-{samples.ID}/listener/listener-{samples.ID}/rule"}
    kind = kinds.get(prefix) or parents[prefix]
    for home in ("us-west-2:000000000000", "us-west-2:999999999999", "eu-west-1:000000000000"):
        yield f"arn:aws:vpc-lattice:{home}:{kind}/{prefix}-{samples.ID}"


def test_an_unknown_operation_is_a_modelled_error(emulator, configured):
    target = urllib.parse.urlsplit(emulator.url)
    for as_501, status in ((False, 400), (True, 501)):
        configured({"switches": {"unknown-operation-501": as_501}})
        connection = http.client.HTTPConnection(target.hostname, target.port)
        connection.request("GET", "/nothing/of/the/kind")
        response = connection.getresponse()
        assert response.status == status
        assert response.getheader("x-amzn-errortype") == "ValidationException"
        assert json.loads(response.read())["reason"] == "unknownOperation"


def test_the_shape_table_in_the_emulator_is_that_of_this_model():
    """Fails when botocore moves on: run model/derive.py, read the difference, and keep it."""
    import importlib.util
    import pathlib

    folder = pathlib.Path(__file__).resolve().parents[1] / "model"
    spec = importlib.util.spec_from_file_location("derive", folder / "derive.py")
    derive = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(derive)
    kept = (folder / "vpc-lattice.table").read_text().splitlines()
    assert kept[1:] == derive.table()[1:]
