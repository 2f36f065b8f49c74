"""What lists tell and are asked for, as clients of the Hub do: linked Spaces, tags that cards make, models for an app."""

from tests.unit.test_api_weights import model, small


def card(text):
    return small("README.md", f"---\n{text}\n---\n".encode())


def test_tags_by_what_they_tell_of(console, ada):
    model(ada, "one", card("license: mit\nlibrary_name: timm\ntags: [nice, 'a b:c']"))
    model(ada, "two", card("license: mit\nlanguage: [en]\nco2_eq_emissions: 3"))
    hidden = model(ada, "three", card("license: other"))
    assert ada.put(f"{hidden}/settings", json={"private": True}).status_code == 200
    with console.client(None) as stranger:
        told = stranger.get("/api/models-tags-by-type").json()
        assert stranger.get("/api/datasets-tags-by-type").json() == {}
    assert told["license"] == [{"type": "license", "id": "license:mit", "label": "mit"}]
    assert told["library"] == [{"type": "library", "id": "timm", "label": "timm"}]
    assert [one["id"] for one in told["other"]] == ["a b:c", "co2_eq_emissions", "nice"]
    assert [one["id"] for one in ada.get("/api/models?filter=co2_eq_emissions").json()] == ["ada/two"]


def test_models_that_an_app_runs(ada):
    model(ada, "quantized", card("tags: [gguf]"))
    assert [one["id"] for one in ada.get("/api/models?apps=ollama,jan").json()] == ["ada/quantized"]
    refused = ada.get("/api/models?apps=vllm")
    assert refused.status_code == 400 and "llama.cpp" in refused.json()["error"]


def test_linked_spaces_tell_what_they_use(console, ada):
    console.space("linked")
    body = '{"key": "header", "value": {"summary": "m"}}\n' + str(card("sdk: gradio\nmodels: [a/b]")).replace("'", '"')
    assert ada.post("/api/spaces/ada/linked/commit/main", content=body).status_code == 200
    for asked in ("search=ada/linked&linked=true", "models=a/b"):
        (told,) = ada.get(f"/api/spaces?{asked}").json()
        assert (told["models"], told["datasets"]) == (["a/b"], [])
    assert "models" not in ada.get("/api/spaces?search=ada/linked").json()[0]


def test_what_collections_do_not_have(ada):
    made = ada.post("/api/collections", json={"title": "x", "namespace": "ada"}).json()
    refused = ada.post(f"/api/collections/{made['slug']}/resource-group", json={"resourceGroupId": "1"})
    assert (refused.status_code, refused.json()["code"]) == (400, "NOT_SUPPORTED")
