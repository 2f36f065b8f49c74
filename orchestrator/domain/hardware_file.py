"""hardware.yaml: the operator's catalogue. Owns its format; every mistake is refused with file, line, field, what was found and
what to write. Pure: the text is read elsewhere. The format is explained by hardware.example.yaml, which a test reads back."""

import re

import yaml

from orchestrator.domain.hardware import NEVER, Access, Hardware, Toleration
from orchestrator.domain.yaml_fields import Fields, Refuse, items, read
from orchestrator.errors import Invalid

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,38}[a-z0-9]")
_LABEL = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_OWNER = re.compile(r"[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_MB, _TB = 1024**2, 1024**4
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
WHO = "everyone, request (members ask, an admin approves), admins, or a list of users and organisations"


def parse(text: str, file: str = "hardware.yaml") -> dict[str, Hardware]:
    """The flavours by name, in the order of the file; the first is the default. Raises Invalid `HARDWARE_FILE`."""
    refuse = Refuse("HARDWARE_FILE", file)
    whole = Fields(read(text, refuse), "the file", refuse)
    currency = whole.text("currency", "USD", _CURRENCY, "three capital letters such as EUR")
    found: dict[str, Hardware] = {}
    lines: dict[str, int] = {}
    for node in items(whole.node("flavors", "a list of flavours, each beginning with '- name:'"), "flavors", refuse):
        flavor, line = _flavor(node, currency, refuse)
        if flavor.name in found:
            raise refuse(
                node, f"the flavour {flavor.name!r} is there already, in line {lines[flavor.name]}; rename one"
            )
        found[flavor.name], lines[flavor.name] = flavor, line
    whole.end()
    first = next(iter(found.values()), None)
    if first is None:
        raise refuse(whole.node("flavors"), "flavors is empty; write at least one flavour without an accelerator")
    if first.count or first.access is not Access.EVERYONE:
        raise Invalid(
            "HARDWARE_FILE",
            f"{file}:{lines[first.name]}: the first flavour is what every new Space gets, and {first.name} is not for that; "
            "put one without an accelerator and with 'allowed: everyone' first",
        )
    return found


def _flavor(node: yaml.Node, currency: str, refuse: Refuse) -> tuple[Hardware, int]:
    fields = Fields(node, "a flavour", refuse)
    name = fields.text("name", None, _NAME, "2 to 40 small letters, digits, '-' and '.', such as t4-small")
    fields.what = name
    accelerator, count = _accelerator(fields)
    access, owners = _access(fields, refuse)
    sleep_after = fields.seconds("sleep_after", None, NEVER)
    sleep_forced = fields.flag("sleep_forced", False)
    if sleep_forced and sleep_after is None:
        raise refuse(fields.node("sleep_forced"), f"{name} has sleep_forced without sleep_after; say after how long")
    flavor = Hardware(
        name,
        fields.text("pretty_name", name),
        fields.number("cpu", None, 0.05, 1024, "a number of CPUs such as 4 or 0.5"),
        fields.size("memory", None, 64 * _MB, 64 * _TB),
        fields.size("disk", 50 * 1024**3, 64 * _MB, 1024 * _TB),
        int(fields.number("processes", 512, 16, 1_000_000, "a whole number such as 512", whole=True)),
        int(fields.number("files", 4096, 64, 1_000_000, "a whole number such as 4096", whole=True)),
        fields.flag("exclusive", bool(count)),
        accelerator,
        fields.text("resource", "nvidia.com/gpu" if count else "", _LABEL, "a resource's name such as nvidia.com/gpu"),
        count,
        fields.texts("node_selector", _LABEL, _VALUE),
        tuple(_toleration(one, name, refuse) for one in fields.items("tolerations")),
        fields.text("runtime_class", "", _OBJECT, "the name of a RuntimeClass"),
        fields.number("price", 0.0, 0, 1_000_000, f"the price of one hour in {currency}, such as 0.60"),
        currency,
        fields.text("vram", ""),
        access,
        owners,
        sleep_after,
        sleep_forced,
        fields.flag("elastic", False),
        fields.text("priority_class", "", _OBJECT, "the name of a PriorityClass"),
    )
    if flavor.resource and not count:
        raise refuse(
            fields.node("resource"), f"{name} has a resource without an accelerator; add accelerator and count"
        )
    fields.end()
    return flavor, node.start_mark.line + 1


def _accelerator(fields: Fields) -> tuple[str, int]:
    """What people call it, and how many of them."""
    accelerator = fields.text("accelerator", "none")
    given = fields.has("count")
    count = int(fields.number("count", 1, 1, 64, "a whole number from 1 to 64", whole=True))
    if accelerator == "none":
        if given:
            raise fields.refuse(
                fields.node("count"), f"{fields.what} has a count without an accelerator; add accelerator: Nvidia T4"
            )
        return accelerator, 0
    return accelerator, count


def _access(fields: Fields, refuse: Refuse) -> tuple[Access, tuple[str, ...]]:
    if not fields.has("allowed"):
        return (Access.REQUEST if fields.has("accelerator") else Access.EVERYONE), ()
    node = fields.node("allowed")
    if isinstance(node, yaml.ScalarNode):
        known = {one.value: one for one in (Access.EVERYONE, Access.REQUEST, Access.ADMINS)}
        if node.value not in known:
            raise refuse(node, f"allowed of {fields.what} is {node.value[:60]!r}; write {WHO}")
        return known[node.value], ()
    names = [one.value if isinstance(one, yaml.ScalarNode) else "" for one in items(node, "allowed", refuse)]
    wrong = next((name for name in names if not _OWNER.fullmatch(name)), None if names else "")
    if wrong is not None:
        raise refuse(
            node, f"allowed of {fields.what} names {wrong[:60]!r}, which is no user or organisation; write {WHO}"
        )
    return Access.OWNERS, tuple(names)


def _toleration(node: yaml.Node, flavor: str, refuse: Refuse) -> Toleration:
    fields = Fields(node, f"a toleration of {flavor}", refuse)
    made = Toleration(
        fields.text("key", "", _LABEL, "the key of a taint such as nvidia.com/gpu"),
        fields.text("value", "", _VALUE, "the value of a taint"),
        fields.choice("effect", "", EFFECTS),
        fields.choice("operator", "Equal", ("Equal", "Exists")),
    )
    if made.operator == "Exists" and made.value:
        raise refuse(fields.node("value"), f"{fields.what} has operator Exists and a value; leave the value out")
    if made.operator == "Equal" and not made.key:
        raise refuse(node, f"{fields.what} has no key; add it, or write operator: Exists to tolerate every taint")
    fields.end()
    return made
