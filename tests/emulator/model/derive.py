"""Prints the emulator's shape table from the API model that botocore carries.

The table keeps what a server must know and nothing else: routes, success codes, error lists, members with
their place and whether they are required, lengths, ranges, patterns and enums. Run it after a botocore
upgrade and read the difference before checking it in:

    python tests/emulator/model/derive.py > tests/emulator/model/vpc-lattice.table
"""

import botocore
import botocore.session

ERROR_LETTERS = {
    "ValidationException": "V",
    "AccessDeniedException": "A",
    "ResourceNotFoundException": "N",
    "ConflictException": "C",
    "ServiceQuotaExceededException": "Q",
    "ThrottlingException": "T",
    "InternalServerException": "I",
}
LOCATIONS = {"uri": "@path", "querystring": "@query", "header": "@header"}


def member(name, shape, required):
    """One member: name, `!` when required, the shape's name, the place when it is not the body."""
    place = LOCATIONS.get(shape.serialization.get("location"), "")
    wire = shape.serialization.get("name", name)
    token = "~" if shape.metadata.get("idempotencyToken") else ""
    label = name if place == "@path" or wire == name else f"{name}={wire}"
    return f"{label}{'!' if required else ''}:{shape.name}{place}{token}"


def describe(shape):
    """One shape as one line: kind, name, bounds, then members, the item, the enum or the pattern."""
    low, high = (shape.metadata.get(key, "-") for key in ("min", "max"))
    if shape.type_name == "structure":
        kind = "union" if shape.is_tagged_union else "struct"
        members = [member(name, inner, name in shape.required_members) for name, inner in sorted(shape.members.items())]
        return " ".join([kind, shape.name, *members])
    if shape.type_name == "list":
        return f"list {shape.name} {low} {high} {shape.member.name}"
    if shape.type_name == "map":
        return f"map {shape.name} {low} {high} {shape.key.name} {shape.value.name}"
    if shape.type_name == "string" and shape.enum:
        return " ".join(["enum", shape.name, *shape.enum])
    if shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        return f"string {shape.name} {low} {high}" + (f" {pattern}" if pattern else "")
    return f"{shape.type_name} {shape.name} {low} {high}"


def reachable(shape, seen):
    """Collects the shape and everything below it."""
    if shape is None or shape.name in seen:
        return
    seen[shape.name] = shape
    if shape.type_name == "structure":
        for inner in shape.members.values():
            reachable(inner, seen)
    elif shape.type_name == "list":
        reachable(shape.member, seen)
    elif shape.type_name == "map":
        reachable(shape.key, seen)
        reachable(shape.value, seen)


def table():
    """The whole table as lines, in an order that does not depend on the model's."""
    service = botocore.session.Session().get_service_model("vpc-lattice")
    seen = {}
    lines = [f"model botocore-{botocore.__version__} {service.api_version}"]
    for name in sorted(service.operation_names):
        operation = service.operation_model(name)
        reachable(operation.input_shape, seen)
        reachable(operation.output_shape, seen)
        for error in operation.error_shapes:
            reachable(error, seen)
        letters = "".join(sorted(ERROR_LETTERS[error.name] for error in operation.error_shapes))
        http = operation.http
        if (operation.input_shape.name, operation.output_shape.name) != (f"{name}Request", f"{name}Response"):
            raise SystemExit(f"{name}: its shapes do not follow the naming rule that the emulator relies on")
        lines.append(f"op {name} {http['method']} {http['requestUri']} {http.get('responseCode', 200)} {letters}")
    lines.extend(describe(seen[name]) for name in sorted(seen))
    return lines


if __name__ == "__main__":
    print("\n".join(table()))
