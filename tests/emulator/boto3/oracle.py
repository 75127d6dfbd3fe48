"""The oracle: every raw answer is held against the API model that botocore carries.

botocore itself notices next to nothing (an unknown member, a missing required one, a wrong enum, a null all pass), so
this walks the raw JSON over the model's shapes.
"""

import json
import re

import botocore.session

EMPTY_LISTS = {"HeaderMatchList"}
"""AWS itself answers an empty list here when a rule without header matches is read."""

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def model():
    """The service model of the botocore that is installed."""
    return botocore.session.Session().get_service_model("vpc-lattice")


def api_version():
    return model().api_version


def watch(client):
    """Collects what is wrong with the client's answers in `client.findings`."""
    client.findings = []

    def before_parse(operation_model, response_dict, **_):
        client.findings.extend(
            f"{operation_model.name}: {finding}" for finding in findings(operation_model, response_dict))

    client.meta.events.register("before-parse.vpc-lattice.*", before_parse)


def findings(operation, response):
    """What is wrong with one raw answer."""
    status, headers, body = response["status_code"], response["headers"], response["body"]
    if not headers.get("x-amzn-requestid"):
        yield "there is no request id"
    if status < 300:
        expected = operation.http.get("responseCode", 200)
        if status != expected:
            yield f"status {status} instead of {expected}"
        if status == 204:
            if body:
                yield "204 has a body"
            return
        yield from walk(operation.output_shape, parsed(body), "")
        return
    code = headers.get("x-amzn-errortype")
    shape = next((shape for shape in operation.error_shapes if shape.name == code), None)
    if shape is None:
        yield f"{code} is no error of this operation"
        return
    if status != shape.metadata["error"]["httpStatusCode"]:
        yield f"{code} with status {status}"
    yield from walk(shape, parsed(body), "")
    if code == "ThrottlingException" and not headers.get("retry-after"):
        yield "a throttled call is not told when to come again"


def parsed(body):
    return json.loads(body) if body else {}


def walk(shape, value, at):
    """What is wrong with a value of a shape."""
    kind = shape.type_name
    if value is None:
        yield f"{at} is null"
    elif kind == "structure":
        yield from structure(shape, value, at)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        if shape.name not in EMPTY_LISTS:
            yield from bounds(shape, len(value), at)
        for index, item in enumerate(value):
            yield from walk(shape.member, item, f"{at}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from walk(shape.key, key, f"{at}.{key}")
            yield from walk(shape.value, item, f"{at}.{key}")
    elif kind == "string":
        yield from text(shape, value, at)
    elif kind == "timestamp":
        if not isinstance(value, str) or not TIMESTAMP.fullmatch(value):
            yield f"{at} is no timestamp: {value!r}"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield f"{at} is no boolean"
    elif not isinstance(value, int) or isinstance(value, bool):
        yield f"{at} is no integer"
    else:
        yield from bounds(shape, value, at)


def structure(shape, value, at):
    if not isinstance(value, dict):
        yield f"{at} is no object"
        return
    members = {name: inner for name, inner in shape.members.items() if inner.serialization.get("location") != "header"}
    for name in shape.required_members:
        if name in members and name not in value:
            yield f"{at}.{name} is missing"
    if shape.is_tagged_union and len(value) != 1:
        yield f"{at} is a union with {len(value)} members"
    for name, item in value.items():
        if name in members:
            yield from walk(members[name], item, f"{at}.{name}")
        else:
            yield f"{at}.{name} is not in the model"


def text(shape, value, at):
    if not isinstance(value, str):
        yield f"{at} is no string"
        return
    if shape.enum:
        if value not in shape.enum:
            yield f"{at} is {value!r}"
        return
    if value == "" and shape.metadata.get("min", 0) > 0:
        yield f"{at} is empty"
    yield from bounds(shape, len(value), at)
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{at} does not fit its pattern: {value!r}"


def bounds(shape, size, at):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"{at} is below its minimum: {size}"
    if high is not None and size > high:
        yield f"{at} is above its maximum: {size}"
