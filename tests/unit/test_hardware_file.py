"""hardware.yaml: every mistake is refused with file, line, field, what was found and what to write."""

from importlib import resources

import pytest

from orchestrator.catalogue import flavors
from orchestrator.domain.hardware import NEVER, Access, Toleration
from orchestrator.domain.hardware_file import parse
from orchestrator.errors import Invalid
from orchestrator.settings import GB, MB, Settings

HEAD = "flavors:\n  - name: cpu-basic\n    cpu: 2\n    memory: 16 GB\n"


def gpu(*lines: str) -> str:
    """A file whose flavour `big` begins in line 5 and whose lines of its own begin in line 8."""
    return HEAD + "  - name: big\n    cpu: 4\n    memory: 8 GB\n" + "".join(f"    {line}\n" for line in lines)


BAD = {
    "empty": ("", 1, "the file is empty"),
    "only a comment": ("# nothing\n", 1, "the file is empty"),
    "not a mapping": ("- a\n", 1, "the file is a list"),
    "no flavours": ("currency: EUR\n", 1, "flavors of the file is missing"),
    "flavours is nothing": ("flavors:\n", 1, "flavors of the file is empty"),
    "flavours is a word": ("flavors: gpu\n", 1, "flavors is 'gpu'; write a list"),
    "flavours is an empty list": ("flavors: []\n", 1, "flavors is empty; write at least one"),
    "unknown at the top": ("flavours: []\n" + HEAD, 1, "the file has no field 'flavours'; write flavors"),
    "currency": ("currency: euro\n" + HEAD, 1, "currency of the file is 'euro'; write three capital letters"),
    "two documents": (HEAD + "---\na: 1\n", 5, "this is no YAML"),
    "unclosed": ("flavors: [\n", 2, "this is no YAML"),
    "a tab": ("flavors:\n\t- a\n", 2, "this is no YAML"),
    "a control character": ("flavors:\n# a\n# \x07\n", 3, "the character '\\x07' is not allowed"),
    "python": ("flavors: !!python/object/apply:os.system [id]\n", 1, "a flavour is 'id'"),
    "nested without end": ("[" * 4000, 1, "nested too deeply"),
    "an anchor into itself": ("flavors: &a [*a]\n", 1, "a flavour is a list"),
    "a flavour is a word": ("flavors:\n  - cpu-basic\n", 2, "a flavour is 'cpu-basic'; write lines of 'field: value'"),
    "no name": ("flavors:\n  - cpu: 2\n", 2, "name of a flavour is missing"),
    "name mistyped": ("flavors:\n  - nam: cpu\n", 2, "is 'nam' meant"),
    "name in capitals": ("flavors:\n  - name: GPU Box\n", 2, "name of a flavour is 'GPU Box'; write 2 to 40 small letters"),
    "name twice": (gpu() + "  - name: cpu-basic\n    cpu: 1\n    memory: 1 GB\n", 8, "is there already, in line 2"),
    "a field twice": (gpu("price: 1", "price: 2"), 9, "price of a flavour is there already, in line 8"),
    "no cpu": ("flavors:\n  - name: cpu-basic\n    memory: 1 GB\n", 2, "cpu of cpu-basic is missing"),
    "cpu in words": ("flavors:\n  - name: cpu-basic\n    cpu: two\n", 3, "cpu of cpu-basic is 'two'; write a number of CPUs"),
    "cpu of nothing": ("flavors:\n  - name: cpu-basic\n    cpu: 0\n", 3, "from 0.05 to 1024"),
    "cpu is a list": ("flavors:\n  - name: cpu-basic\n    cpu: [1]\n", 3, "cpu of cpu-basic is a list"),
    "cpu without end": ("flavors:\n  - name: cpu-basic\n    cpu: .inf\n", 3, "cpu of cpu-basic is '.inf'"),
    "cpu inf": ("flavors:\n  - name: cpu-basic\n    cpu: inf\n", 3, "cpu of cpu-basic is 'inf'"),
    "cpu empty": ("flavors:\n  - name: cpu-basic\n    cpu:\n", 3, "cpu of cpu-basic is empty"),
    "memory without number": (HEAD.replace("16 GB", "much"), 4, "memory of cpu-basic is 'much'; write a size such as 16 GB"),
    "memory too small": (HEAD.replace("16 GB", "16"), 4, "from 64 MB to 64 TB"),
    "negative memory": (HEAD.replace("16 GB", "-1 GB"), 4, "memory of cpu-basic is '-1 GB'"),
    "a field that is none": (gpu("pirce: 3"), 8, "big has no field 'pirce'; write price"),
    "a field like none": (gpu("zzz: 3"), 8, "big has no field 'zzz'; it may have"),
    "negative price": (gpu("price: -1"), 8, "price of big is '-1'; write the price of one hour in USD"),
    "price with currency": (gpu("price: 3 EUR"), 8, "price of big is '3 EUR'"),
    "count in halves": (gpu("accelerator: Nvidia T4", "count: 0.5"), 9, "count of big is '0.5'; write a whole number"),
    "count of none": (gpu("accelerator: Nvidia T4", "count: 0"), 9, "count of big is '0'"),
    "count alone": (gpu("count: 2"), 8, "big has a count without an accelerator"),
    "resource alone": (gpu("resource: nvidia.com/gpu"), 8, "big has a resource without an accelerator"),
    "resource with spaces": (gpu("accelerator: A", "resource: my gpu"), 9, "resource of big is 'my gpu'"),
    "exclusive maybe": (gpu("exclusive: maybe"), 8, "exclusive of big is 'maybe'; write true or false"),
    "selector is a list": (gpu("node_selector: [a]"), 8, "node_selector of big is a list"),
    "selector with a bad label": (gpu("node_selector:", "  'a b': c"), 9, "node_selector of big names 'a b'"),
    "selector with a bad value": (gpu("node_selector:", "  a: 'b c'"), 9, "a of node_selector of big is 'b c'"),
    "tolerations is a mapping": (gpu("tolerations: {key: a}"), 8, "tolerations of big is a group of fields"),
    "toleration without key": (gpu("tolerations:", "  - value: a"), 9, "a toleration of big has no key"),
    "toleration with a wrong effect": (gpu("tolerations:", "  - key: a", "    effect: No"), 10, "write NoSchedule, PreferNo"),
    "toleration that exists as": (
        gpu("tolerations:", "  - key: a", "    operator: Exists", "    value: b"),
        11,
        "has operator Exists and a value",
    ),
    "runtime class": (gpu("runtime_class: Nvidia!"), 8, "runtime_class of big is 'Nvidia!'"),
    "who": (gpu("allowed: everybody"), 8, "allowed of big is 'everybody'; write everyone, request"),
    "nobody": (gpu("allowed: []"), 8, "allowed of big names ''"),
    "who has odd names": (gpu("allowed: ['a b']"), 8, "allowed of big names 'a b', which is no user"),
    "sleep in words": (gpu("sleep_after: soon"), 8, "sleep_after of big is 'soon'; write a time such as 30 min"),
    "sleep at once": (gpu("sleep_after: 0"), 8, "sleep_after of big is '0'"),
    "forced without time": (gpu("sleep_forced: true"), 8, "big has sleep_forced without sleep_after"),
    "a GPU first": ("flavors:\n  - name: big\n    cpu: 1\n    memory: 1 GB\n    accelerator: A\n", 2, "every new Space gets"),
    "on request first": ("flavors:\n  - name: big\n    cpu: 1\n    memory: 1 GB\n    allowed: admins\n", 2, "every new Space"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_refused_with_its_line(name):
    text, line, says = BAD[name]
    with pytest.raises(Invalid) as refused:
        parse(text, "here/hardware.yaml")
    assert refused.value.code == "HARDWARE_FILE"
    assert refused.value.message.startswith(f"here/hardware.yaml:{line}: "), refused.value.message
    assert says in refused.value.message
    assert "\n" not in refused.value.message and len(refused.value.message) < 400


def test_a_flavour_is_read_as_it_is_written():
    found = parse(
        "currency: EUR\n"
        + gpu(
            "pretty_name: Big one",
            "disk: 0.5 TB",
            "accelerator: Nvidia A10G",
            "count: 4",
            "vram: 24 GB",
            'node_selector: {"nvidia.com/gpu.present": true, zone: 1}',
            "tolerations: [{key: gpu, value: 'yes', effect: NoExecute}, {operator: Exists}]",
            "runtime_class: nvidia",
            "price: 1.25",
            "allowed: [acme, Lab]",
            "sleep_after: 90 min",
            "sleep_forced: true",
            "elastic: true",
            "priority_class: gpu-first",
        )
    )
    assert list(found) == ["cpu-basic", "big"]
    big, basic = found["big"], found["cpu-basic"]
    assert (big.pretty_name, big.disk, big.memory, big.cpu) == ("Big one", 512 * GB, 8 * GB, 4)
    assert (big.accelerator, big.count, big.resource, big.exclusive) == ("Nvidia A10G", 4, "nvidia.com/gpu", True)
    assert big.node_selector == {"nvidia.com/gpu.present": "true", "zone": "1"}
    assert big.tolerations == (Toleration("gpu", "yes", "NoExecute"), Toleration("", "", "", "Exists"))
    assert (big.price, big.currency, big.access, big.owners) == (1.25, "EUR", Access.OWNERS, ("acme", "Lab"))
    assert (big.sleep_after, big.sleep_forced, big.elastic, big.runtime_class) == (5400, True, True, "nvidia")
    assert big.priority_class == "gpu-first"
    assert (basic.accelerator, basic.count, basic.access, basic.metered) == ("none", 0, Access.EVERYONE, False)


def test_what_an_accelerator_is_by_itself():
    t4 = parse(gpu("accelerator: Nvidia T4"))["big"]
    assert (t4.count, t4.exclusive, t4.access, t4.metered) == (1, True, Access.REQUEST, True)
    assert parse(gpu("accelerator: Nvidia T4", "exclusive: false"))["big"].exclusive is False


def test_sleep_rules():
    never = parse(gpu("sleep_after: never", "sleep_forced: true"))["big"]
    assert never.sleep_after == NEVER and never.sleeps_after(60) is None
    begin = parse(gpu("sleep_after: 2 days"))["big"]
    assert (begin.sleep_after, begin.sleeps_after(60), begin.sleeps_after(None)) == (172800, 60, None)


def test_owners_are_compared_without_case():
    lab = parse(gpu("allowed: [Lab]"))["big"]
    assert lab.open_to("lab") and not lab.open_to("acme")


def test_the_example_has_the_default_first():
    text = (resources.files("orchestrator") / "domain" / "hardware.example.yaml").read_text()
    found = parse(text)
    assert next(iter(found)) == "cpu-basic" and any(one.count for one in found.values())


def test_settings_lead_to_the_file_or_to_one_flavour(tmp_path):
    assert list(flavors(Settings(data=tmp_path, app_memory=300 * MB))) == ["cpu-basic"]
    path = tmp_path / "hardware.yaml"
    path.write_text(gpu())
    assert list(flavors(Settings(data=tmp_path, hardware=str(path)))) == ["cpu-basic", "big"]
    path.write_text(gpu("cpu: x"))
    with pytest.raises(Invalid, match=rf"{path}:8: cpu of a flavour is there already, in line 6"):
        flavors(Settings(data=tmp_path, hardware=str(path)))
    path.write_bytes(b"\xff")
    with pytest.raises(Invalid, match="it is not UTF-8"):
        flavors(Settings(data=tmp_path, hardware=str(path)))
    with pytest.raises(Invalid, match="No such file"):
        flavors(Settings(data=tmp_path, hardware=str(tmp_path / "none.yaml")))
