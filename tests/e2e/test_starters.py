"""What the console offers as templates runs as it is."""

import pytest

from orchestrator.api.readme import readme
from web.starters import STARTERS

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("one", [s for s in STARTERS if s.sdk in ("gradio", "streamlit")], ids=lambda one: one.name)
def test_a_template_runs(space, one, tmp_path):
    for change in one.files():
        tmp_path.joinpath(change.path).write_bytes(change.content)
    tmp_path.joinpath("README.md").write_text(readme("demo", one.sdk))
    space.push(tmp_path)
    space.wait("RUNNING", timeout=400)
