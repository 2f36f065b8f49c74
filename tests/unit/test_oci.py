"""Manifests, configurations and names of a registry, and the one layer that is put on top."""

import json

import pytest

from builder import oci

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def manifest(kind: str = oci.DOCKER, **more) -> bytes:
    told = {
        "schemaVersion": 2, "mediaType": kind,
        "config": {"mediaType": oci.CONFIG[kind], "size": 7, "digest": A},
        "layers": [{"mediaType": oci.LAYER[kind], "size": 5, "digest": B}],
    }  # fmt: skip
    return json.dumps(told | more).encode()


CONFIG = {
    "architecture": "amd64", "os": "linux", "created": "2026-11-22T00:00:00Z", "container": "x", "docker_version": "20",
    "config": {"User": "1000:1000", "WorkingDir": "/app", "Entrypoint": ["launcher"],
               "Labels": {"podium.kind": "deps", "x": "y"}},
    "history": [{"created_by": "base"}], "rootfs": {"type": "layers", "diff_ids": [C]},
}  # fmt: skip


@pytest.mark.parametrize("kind", [oci.OCI, oci.DOCKER])
def test_one_layer_more_and_nothing_else_changed(kind):
    base = oci.manifest(manifest(kind))
    layer = oci.Layer(C, A, 99)
    config, made = oci.put_on(base, CONFIG, layer, {"podium.kind": "app"}, "the app")
    assert (config, made) == oci.put_on(base, CONFIG, layer, {"podium.kind": "app"}, "the app")
    told, above = oci.config(config), oci.manifest(made)
    assert told["rootfs"]["diff_ids"] == [C, A]
    assert told["config"] == {**CONFIG["config"], "Labels": {"podium.kind": "app", "x": "y"}}
    assert told["history"] == [*CONFIG["history"], {"created": CONFIG["created"], "created_by": "the app"}]
    assert "container" not in told and "docker_version" not in told and told["architecture"] == "amd64"
    assert above.media_type == kind and above.layers == (*base.layers, oci.Blob(C, 99, oci.LAYER[kind]))
    assert above.config == oci.Blob(oci.sha256(config), len(config), oci.CONFIG[kind])
    assert above.digest == oci.sha256(made) and above.size == len(config) + 5 + 99


def test_a_configuration_that_is_not_the_manifests_is_refused():
    with pytest.raises(ValueError, match="same layers"):
        oci.put_on(oci.manifest(manifest(layers=[])), CONFIG, oci.Layer(C, A, 1), {}, "x")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"[" * 100_000, b"\xff", manifest(mediaType="text/plain"), manifest(layers=None), manifest(layers=["x"]),
        manifest(config={"digest": "md5:1", "size": 1}), manifest(config={"digest": A, "size": -1}),
        manifest(config={"digest": A, "size": True}), manifest(config={"digest": A + "\n", "size": 1}),
        manifest(layers=[{"digest": A, "size": 1}] * oci.LAYERS),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(ValueError):
        oci.manifest(data)


@pytest.mark.parametrize(
    "told", [{}, {"rootfs": []}, {"rootfs": {"diff_ids": 1}}, {"rootfs": {"diff_ids": []}, "config": "x"},
             {"rootfs": {"diff_ids": []}, "config": {"Labels": ["x"]}}],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(told):
    with pytest.raises(ValueError):
        oci.config(json.dumps(told).encode())


def test_of_an_index_the_image_for_the_machine_is_taken():
    entries = [{"digest": A, "size": 1, "platform": {"os": "linux", "architecture": "arm64"}},
               {"digest": B, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}}]  # fmt: skip
    data = json.dumps({"mediaType": oci.INDEXES[0], "manifests": entries}).encode()
    assert oci.is_index(data) and not oci.is_index(manifest())
    assert (oci.pick(data, "amd64"), oci.pick(data, "arm64")) == (B, A)
    with pytest.raises(ValueError, match="linux/s390x"):
        oci.pick(data, "s390x")


@pytest.mark.parametrize(
    ("text", "host", "path", "loopback"),
    [
        ("localhost:5000/podium", "localhost:5000", "podium", True),
        ("localhost", "localhost", "", True),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", True),
        ("[::1]:5000/a", "[::1]:5000", "a", True),
        ("registry.example.org/team/podium", "registry.example.org", "team/podium", False),
        ("Registry:5000", "registry:5000", "", False),
        ("127.0.0.1.example.org:80", "127.0.0.1.example.org:80", "", False),
    ],
)
def test_places(text, host, path, loopback):
    place = oci.place(text)
    assert (place.host, place.path) == (host, path)
    assert place.is_loopback is loopback
    assert place.reference("app", A).endswith(f"/app@{A}") and oci.split(place.reference("app", A))[0] == host


@pytest.mark.parametrize(
    "text", ["", "podium", "https://localhost:5000", "localhost:5000/", "localhost:5000/Upper", "localhost:5000/a b",
             "localhost:5000/a//b", "host:5000/../x", "a@b:1"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text):
    with pytest.raises(ValueError):
        oci.place(text)


@pytest.mark.parametrize("text", ["", "host/app", "host/app:tag", f"host@{A}", f"host/app@{A}0", f"host/app@{A}\n"])
def test_what_is_no_reference_by_digest_is_refused(text):
    with pytest.raises(ValueError):
        oci.split(text)
