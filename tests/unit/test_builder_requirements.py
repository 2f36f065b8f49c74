"""requirements.txt and its relatives: what is read, what is refused with file and line."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder import dependencies
from builder.errors import Fault


def read(text: str | bytes = "", **more: str):
    names = {
        name.replace("__", "/").replace("_txt", ".txt").replace("_toml", ".toml"): text for name, text in more.items()
    }
    files = {name: text.encode() for name, text in names.items()}
    if text:
        files["requirements.txt"] = text if isinstance(text, bytes) else text.encode()
    return dependencies.read(files.get)


def texts(found) -> list[str]:
    return [line.text for line in found.lines]


def test_lines_are_read_as_pip_joins_them():
    found = read(
        "\ufeffnumpy>=2 # fast\r\n\r\n# a comment\r\nSix \\\r\n  ==1.17 ; python_version < '3.13'\r\nuvicorn[standard]\r\n"
    )
    assert texts(found) == ["numpy>=2", "Six ==1.17 ; python_version < '3.13'", "uvicorn[standard]"]
    assert [(line.name, line.where) for line in found.lines] == [
        ("numpy", "requirements.txt:1"),
        ("six", "requirements.txt:4"),
        ("uvicorn", "requirements.txt:6"),
    ]
    assert not found.own_code


def test_pre_requirements_includes_and_constraints():
    found = read("-r deps/a.txt\n-c limits.txt\nscipy", pre_requirements_txt="", deps__a_txt="-r b.txt\nsix", deps__b_txt="tqdm",
                 limits_txt="scipy<2")  # fmt: skip
    assert texts(found) == ["tqdm", "six", "scipy"]
    assert [line.where for line in found.lines][:2] == ["deps/b.txt:1", "deps/a.txt:2"]
    assert [line.text for line in found.constraints] == ["scipy<2"]


@pytest.mark.parametrize(
    "line",
    [
        "git+https://github.com/a/b@main#egg=c",
        "pkg @ https://example.org/pkg-1-py3-none-any.whl",
        "-e git+https://github.com/a/b",
        "--extra-index-url https://example.org/simple\nsix",
        "--find-links https://example.org/list.html\nsix",
        "--no-binary :all:\nsix",
    ],
)
def test_what_only_the_author_vouches_for_is_not_shared(line):
    assert read(line).own_code


def test_pyproject_is_read_when_there_is_no_requirements_txt():
    toml = '[project]\nname = "x"\nrequires-python = ">=3.11"\ndependencies = [\n  "six>=1",\n]\n'
    found = read(pyproject_toml=toml)
    assert texts(found) == ["six>=1"] and found.lines[0].where == "pyproject.toml:5"
    assert found.requires_python == ">=3.11"
    both = read("tqdm", pyproject_toml=toml)
    assert texts(both) == ["tqdm"] and "requirements.txt" in both.warnings[0]


def test_uv_lock_pins_what_pyproject_asks_for():
    lock = (
        'version = 1\n[[package]]\nname = "six"\nversion = "1.16.0"\nsource = { registry = "https://example.org/simple" }\n'
        '[[package]]\nname = "mine"\nversion = "1"\nsource = { git = "https://example.org/m" }\n'
    )
    files = {"pyproject.toml": b'[project]\ndependencies = ["six"]\n', "uv.lock": lock.encode()}
    found = dependencies.read(files.get)
    assert [line.text for line in found.constraints] == ["six==1.16.0"]
    assert any("mine" in warning for warning in found.warnings)


BAD = [
    ("ok\nok\nnumpy=>1", "REQ_SYNTAX", 3, "did you mean '>='?"),
    ("numpy=<1", "REQ_SYNTAX", 1, "did you mean '<='?"),
    ("numpy = 1.0", "REQ_SYNTAX", 1, "did you mean '=='?"),
    ("pip install numpy", "REQ_SYNTAX", 1, "only the package: 'numpy'"),
    ("import numpy", "REQ_SYNTAX", 1, "no Python"),
    ("numpy scipy", "REQ_SYNTAX", 1, "one package a line"),
    ("--frobnicate", "REQ_SYNTAX", 1, "not an option"),
    ("nu\u202empy", "REQ_SYNTAX", 1, "direction"),
    ("a" * 5000, "REQ_SYNTAX", 1, "5000 characters"),
    ("-r /etc/passwd", "REQ_PATH", 1, "outside of this repo"),
    ("-r ../x.txt", "REQ_PATH", 1, "outside of this repo"),
    ("-r a/../../x.txt", "REQ_PATH", 1, "outside of this repo"),
    ("-r nowhere.txt", "REQ_PATH", 1, "not in this repo"),
    ("-r requirements.txt", "REQ_PATH", 1, "includes itself"),
    ("-r https://example.org/r.txt", "REQ_URL", 1, "files of this repo"),
    ("-e /", "REQ_PATH", 1, "is a path"),
    ("-e .", "REQ_PATH", 1, "is a path"),
    (".", "REQ_PATH", 1, "is a path"),
    ("./pkg.whl", "REQ_PATH", 1, "is a path"),
    ("file:///etc", "REQ_PATH", 1, "is a path"),
    ("pkg @ file:///etc", "REQ_PATH", 1, "is a path"),
    ("--index-url file:///x", "REQ_PATH", 1, "is a path"),
    ("--find-links /", "REQ_PATH", 1, "is a path"),
    ("git+ssh://git@github.com/a/b", "REQ_URL", 1, "git+https://"),
    ("git+file:///x", "REQ_URL", 1, "git+https://"),
    ("git+https://10.0.0.1/a/b", "REQ_URL", 1, "not a public address"),
    ("pkg @ https://127.0.0.1/x.whl", "REQ_URL", 1, "not a public address"),
    ("https://2130706433/x.whl", "REQ_URL", 1, "not a public address"),
    ("https://[::ffff:10.0.0.1]/x.whl", "REQ_URL", 1, "not a public address"),
    ("https://169.254.169.254/x.whl", "REQ_URL", 1, "not a public address"),
    ("--extra-index-url http://localhost/simple", "REQ_URL", 1, "not a public address"),
    ("git+ssh://me:secret@github.com/a", "REQ_URL", 1, "***@"),
]


@pytest.mark.parametrize(("text", "code", "line", "part"), BAD, ids=[case[0][:30] for case in BAD])
def test_bad_lines(text, code, line, part):
    with pytest.raises(Fault) as caught:
        read(text)
    fault = caught.value
    assert (fault.code, fault.where) == (code, f"requirements.txt:{line}")
    assert part in fault.message and "secret" not in fault.message
    assert fault.message.isprintable()


@pytest.mark.parametrize(
    ("data", "code", "part"),
    [
        ("six\n".encode("utf-16"), "REQ_ENCODING", "save it as UTF-8"),
        (b"six\n\xff\xfe\n", "REQ_ENCODING", "UTF-8"),
        (b"six\n" * 600_000, "TOO_LARGE", "bytes"),
        (b"six\n" * 6_000, "TOO_LARGE", "5000"),
    ],
)
def test_bad_files(data, code, part):
    with pytest.raises(Fault) as caught:
        read(data)
    assert caught.value.code == code and part in caught.value.message


def test_includes_have_a_depth_and_a_number():
    deep = {f"a{n}.txt": f"-r a{n + 1}.txt".encode() for n in range(9)}
    with pytest.raises(Fault, match="deeper than 5"):
        dependencies.read({"requirements.txt": b"-r a0.txt", **deep}.get)
    wide = {f"a{n}.txt": f"-r a{n + 1}.txt\n".encode() * 200 for n in range(4)} | {"a4.txt": b""}
    with pytest.raises(Fault, match="included files"):
        dependencies.read({"requirements.txt": b"-r a0.txt", **wide}.get)


def test_packages_txt():
    assert dependencies.packages(b"ffmpeg libgl1 # both\n\nlibsm6=2:1.2-1\r\n") == [
        "ffmpeg",
        "libgl1",
        "libsm6=2:1.2-1",
    ]
    for line in (b"curl;", b"-o=APT::x", b"https://example.org/x.deb", b"./x.deb", b"$(id)"):
        with pytest.raises(Fault) as caught:
            dependencies.packages(b"ffmpeg\n" + line)
        assert (caught.value.code, caught.value.where) == ("PACKAGES", "packages.txt:2")


PARTS = st.sampled_from(
    ["-r ", "-c ", "-e ", "--index-url ", "requirements.txt", "numpy", "[x]", "==", ">=1", " ; ", "python_version<'3'", "git+",
     "https://", "file:", "@ ", "\\\n", "\n", "#", "..", "/", "--hash=sha256:aa", "\x00", "\u202e", "${X}", "[::1]", " "]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.lists(PARTS, max_size=25).map(lambda p: "".join(p).encode()),
    )
)
def test_any_bytes_are_lines_or_a_fault(data):
    began = time.monotonic()
    for name in ("requirements.txt", "pyproject.toml"):
        try:
            for line in dependencies.read({name: data}.get).lines:
                assert "\n" not in line.text and not re.match(r"-[a-z-]", line.text)
        except Fault as fault:
            assert fault.message.isprintable()
    try:
        dependencies.packages(data)
    except Fault:
        pass
    assert time.monotonic() - began < 5
