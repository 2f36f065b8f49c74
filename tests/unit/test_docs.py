"""The README and the guide say everything and nothing else: settings, stages, sdks, commands, folders. What the chart's page says
of settings and tests is so. (Keys of the front matter: the page is made of them.)"""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from builder.keys import SDKS
from orchestrator.cli import app
from orchestrator.domain.stage import Stage
from orchestrator.settings import GB, MB, Settings
from web.docs import CHAPTERS, GUIDE, MEANINGS, rendered

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CHART = (ROOT / "helm" / "podium" / "README.md").read_text()
CHAPTER = {path.stem: path.read_text() for path in GUIDE.glob("*.md")}
ALL = "\n".join((README, CHART, *CHAPTER.values()))


def _default(value: object) -> str:
    if value == "":
        return ""
    if isinstance(value, Path):
        return f"`./{value}`"
    for size, unit in ((GB, "GB"), (MB, "MB")):
        if isinstance(value, int) and value >= size and value % size == 0:
            return f"`{value}` ({value // size} {unit})"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def settings_table() -> str:
    """The table as it must stand in the guide."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field in fields(Settings):
        doc = field.metadata["doc"].replace("<", "&lt;").replace("|", "\\|")
        rows.append(f"| `PODIUM_{field.name.upper()}` | {_default(field.default)} | {doc} |")
    return "\n".join(rows)


def commands(group=None, words: tuple[str, ...] = ()) -> list[str]:
    """Every command of the command line: `podium user add`."""
    group = group or get_command(app)
    found = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found += commands(command, (*words, name))
        elif not command.hidden:
            found.append(" ".join(("podium", *words, name)))
    return found


def test_every_setting_is_in_the_guide_as_it_is() -> None:
    table = settings_table()
    assert table in CHAPTER["settings"], f"put this into web/guide/settings.md:\n\n{table}\n"


def test_no_setting_is_named_that_does_not_exist() -> None:
    known = {f"PODIUM_{field.name.upper()}" for field in fields(Settings)}
    assert set(re.findall(r"\bPODIUM_[A-Z_]+\b", ALL)) <= known


def test_the_guide_has_the_chapters_that_the_console_shows() -> None:
    assert set(CHAPTER) <= set(CHAPTERS)
    linked = set(re.findall(r"\]\(web/guide/([a-z-]+)\.md\)", README))
    assert linked == set(CHAPTER), "the README leads to every chapter"
    among = {name: set(re.findall(r"\]\(([^)#]+?)(?:\.md)?(?:#[^)]*)?\)", text)) for name, text in CHAPTER.items()}
    assert not {name: bad for name, to in among.items() if (bad := {t for t in to if "://" not in t} - set(CHAPTER))}
    for name, text in CHAPTER.items():
        assert text.startswith(f"# {CHAPTERS[name]}\n")


def test_a_chapter_as_html() -> None:
    text = "# One & two\n\n[set](settings.md#x) it\n\n| a |\n|---|\n| &lt;b> |\n\n```sh\nls <x>\n```\n"
    html = rendered(text, lambda code, label: f"[{label}: {code}]")
    assert '<h1 id="one--two">One &amp; two</h1>' in html and 'href="/docs/settings#x"' in html
    assert '<div class="scroll"><table>' in html and "<td>&lt;b&gt;</td>" in html and "[sh: ls <x>]" in html


def test_every_test_that_the_table_of_faults_names_is_there() -> None:
    named = re.findall(r"`(?:contracts/)?(test_\w+)` ?[,|]", CHART)
    missing = [name for name in named if not list((ROOT / "tests").glob(f"*/{name}.py"))]
    assert named and not missing


def test_every_stage_is_explained() -> None:
    assert set(MEANINGS) == set(Stage)


@pytest.mark.parametrize("sdk", SDKS)
def test_every_sdk_is_in_the_readme(sdk: str) -> None:
    assert re.search(rf"`{sdk}`", README)


def test_every_command_is_in_the_guide() -> None:
    missing = [command for command in commands() if f"`{command}`" not in CHAPTER["commands"]]
    assert not missing


def test_every_command_that_is_shown_exists() -> None:
    known = commands()
    said = {
        " ".join(words.split())
        for block in re.findall(r"^(?:```sh\n|    )(.*?)(?:^```|\n\n)", ALL, re.MULTILINE | re.DOTALL)
        for words in re.findall(r"^\s*(podium(?: [a-z]+)+)", block, re.MULTILINE)
    }
    unknown = {words for words in said if not any(words == c or words.startswith(c + " ") for c in known)}
    assert said and not unknown


def test_every_folder_of_the_house_is_on_the_map() -> None:
    folders = [ROOT / "builder", ROOT / "runtime_images", ROOT / "web", *(ROOT / "orchestrator").iterdir()]
    names = [folder.name for folder in folders if folder.is_dir() and (folder / "__init__.py").exists()]
    missing = [name for name in names if f"{name}/" not in README]
    assert names and not missing


def test_every_target_in_the_readme_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = set(re.findall(r"\bmake ([a-z-]+)\b", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))))
    assert {"demo", "up", "install", "test", "bench"} <= said <= targets
