"""What a revision may hold: front matter, requirements, packages.txt, file names and links. Each row is pushed with real git and
built; the fault is looked for in the push, the runtime, the list of builds and the build log."""
# ruff: noqa: E501  (tables: one row a line)

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Files:
    """`files` are written over a small app that would otherwise be found (None deletes), `links` are symlinks, `tree` rows of
    `git mktree` added as they are (`BLOB` is some blob). `code` "" means that the build must succeed; `says` is searched in the
    fault's sentence, hint and place, or in what the pusher and the build were warned of."""

    d4: int
    name: str
    files: dict[str, str | bytes | None]
    code: str
    where: str = ""
    says: str = ""
    stage: str = "CONFIG_ERROR"
    links: dict[str, str] = field(default_factory=dict)
    tree: tuple[bytes, ...] = ()
    warns: str = ""  #: searched in the warnings of a build that fails
    alone: bool = False  #: the one file that `where` names decides

    def __str__(self) -> str:
        return f"{self.d4}-{self.name}"


def card(body: str | bytes, **more: str | bytes | None) -> dict[str, str | bytes | None]:
    text = body if isinstance(body, bytes) else body.encode()
    return {"README.md": b"---\n" + text + b"\n---\n# Demo\n", **{k.replace("__", "."): v for k, v in more.items()}}


def fm(d4: int, body: str | bytes, code: str, line: int, says: str, **more: str | bytes | None) -> Files:
    """A fault of the front matter; its first line is line 2 of README.md."""
    alone = not more and code not in ("APP_FILE", "APP_BUILD_COMMAND")
    return Files(
        d4, f"{body[:40]!r}", card(body, **more), code, f"README.md:{line}" if line else "README.md", says, alone=alone
    )


def req(d4: int, text: str | bytes, code: str, line: int, says: str, **more: str | bytes | None) -> Files:
    files = {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt": text, **more}
    where = f"requirements.txt:{line}" if line else "requirements.txt"
    return Files(d4, f"{text[:40]!r}", files, code, where, says, "BUILD_ERROR", alone=not more)


def apt(text: str | bytes, line: int, says: str, code: str = "PACKAGES") -> Files:
    files = {"README.md": "---\nsdk: gradio\n---\n", "packages.txt": text}
    return Files(
        68,
        f"{text[:40]!r}",
        files,
        code,
        f"packages.txt:{line}" if line else "packages.txt",
        says,
        "BUILD_ERROR",
    )


#: Of an object that nobody uploaded.
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 99999999\n"
STATIC = {"README.md": "---\nsdk: static\n---\n", "app.py": None}
NOTHING = {"README.md": "# Only words\n", "app.py": None, "index.html": None}

FRONT_MATTER = [
    Files(41, "nothing at all", {"README.md": None, "app.py": None, "index.html": None}, "NO_APP_FILE",
          says=r"app\.py.*front matter", stage="NO_APP_FILE"),
    Files(41, "no front matter", NOTHING, "NO_APP_FILE", says=r"no app\.py, index\.html or Dockerfile", stage="NO_APP_FILE"),
    Files(41, "recognised", {"README.md": "# x\n", "app.py": None}, "", says="recognised as a static app"),
    Files(41, "not closed", {"README.md": "---\nsdk: static\n\n# Demo\n"}, "YAML_SYNTAX", "README.md:1", "never closed.*---"),
    Files(41, "empty", {"README.md": "---\n---\n", "app.py": None}, "", says="names no `sdk`"),
    Files(41, "README is a folder", {"README.md": None, "README.md/x": "1"}, "FILE_KIND", "README.md", "folder"),
    Files(41, "README is a link", {"README.md": None}, "FILE_KIND", "README.md", "symbolic link", links={"README.md": "index.html"}),
    Files(41, "README in UTF-16", {"README.md": "---\nsdk: static\n---\n".encode("utf-16")}, "README_ENCODING", "README.md", "UTF-8"),
    Files(41, "README in latin-1", card(b"title: caf\xe9\nsdk: static"), "README_ENCODING", "README.md:2", "UTF-8"),
    Files(41, "Readme.md", {"README.md": None, "Readme.md": "---\nsdk: static\n---\n", "app.py": None}, "", says=r"Readme\.md.*README\.md"),
    fm(43, "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", "YAML_UNSAFE", 2, "aliases"),
    fm(43, "<<: *x", "YAML_UNSAFE", 2, "aliases"),
    fm(43, "a: !!python/object/apply:os.system [id]", "YAML_UNSAFE", 2, "python/object"),
    fm(43, "a: !!binary aGk=", "YAML_UNSAFE", 2, "tag"),
    fm(43, "sdk: !!python/name:os.system ''", "YAML_UNSAFE", 2, "tag"),
    fm(43, "x: " + "y" * 5_000_000, "TOO_LARGE", 1, "more than 65536 bytes"),
    fm(43, "sdk: static\nsdk: gradio", "DUPLICATE_KEY", 3, "'sdk' is written twice"),
    fm(43, "sdk: static\n'sdk': gradio", "DUPLICATE_KEY", 3, "'sdk' is written twice"),
    fm(43, "tags:\n  - a: 1\n    a: 2", "DUPLICATE_KEY", 4, "'a' is written twice"),
    fm(43, "- a\n- b", "YAML_SYNTAX", 2, "key: value"),
    fm(43, "just words", "YAML_SYNTAX", 2, "key: value"),
    fm(43, "42", "YAML_SYNTAX", 2, "key: value"),
    fm(43, "x: " + "y" * 70_000, "TOO_LARGE", 1, "7000. bytes; at most 65536"),
    fm(43, "title: [", "YAML_SYNTAX", 0, "not valid YAML"),
    fm(43, "title: a: b", "YAML_SYNTAX", 2, "not valid YAML"),
    fm(43, "title: 'open", "YAML_SYNTAX", 0, "not valid YAML"),
    fm(43, "title: x\n\tsdk: static", "YAML_SYNTAX", 0, "not valid YAML"),
    fm(43, "title: @x", "YAML_SYNTAX", 2, "not valid YAML"),
    fm(43, "%YAML 9.9\nsdk: static", "YAML_SYNTAX", 0, ""),
    fm(43, "title: \x01", "YAML_SYNTAX", 2, "control|special"),
    fm(43, "title: \x00", "YAML_SYNTAX", 2, "control|special"),
    fm(43, "a: " + "[" * 3000, "YAML_UNSAFE", 2, "10 levels"),
    fm(43, "a: " + "{b: " * 3000, "YAML_UNSAFE", 2, "10 levels"),
    fm(43, "? [a, b]\n: c", "YAML_UNSAFE", 2, "plain word"),
    fm(43, "sdk: static\n...\nsdk: gradio", "YAML_SYNTAX", 4, "one YAML document|not valid"),
    *[fm(44, f"sdk: {given}", "SDK", 2, says) for given, says in (
        ("gradioo", "unknown sdk 'gradioo', did you mean 'gradio'.*valid.*gradio, streamlit, static, docker"),
        ("Gradio", "'Gradio', did you mean 'gradio'"),
        ("stream-lit", "did you mean 'streamlit'"),
        ("html", "valid"), ("''", "valid"), ("7", "'7'"), ("[gradio]", "valid"), ("{a: gradio}", "valid"), ("true", "valid"),
        ("1.5e300", "valid"), ("\"\\e[31mgradio\"", r"\\x1b"), ("\"gr\\u202eoidar\"", r"\\u202e"), ("x" * 50_000, "valid"),
    )],
    fm(44, "sdk: docker", "SDK", 2, "needs the Docker or Kubernetes runtime", Dockerfile="FROM scratch\n"),
    *[fm(44, f"sdk: static\nsdk_version: {given}", "SDK_VERSION", 3, says) for given, says in (
        ("5.10", r"number 5\.1; write sdk_version: '5\.10' with quotes"), ("'6; rm -rf /'", r"6\.20\.0"), ("latest", r"6\.20\.0"),
        ("'>=5'", r"6\.20\.0"), ("[5]", "a text, not a list"), ("true", r"6\.20\.0"), ("'5.0 @ https://evil.org/x.whl'", r"6\.20\.0"),
        ("'" + "1" * 5000 + "'", "40 characters"), ("-5", r"6\.20\.0"), ("''", r"6\.20\.0"), (".5", r"6\.20\.0|quotes"),
        ("1e3", r"6\.20\.0|quotes"), ("0x10", r"6\.20\.0|quotes"),
    )],
    *[fm(46, f"sdk: gradio\npython_version: {given}", "PYTHON_VERSION", 3, says) for given, says in (
        ("2.7", r"'2\.7' is not supported; supported are 3\.\d+ to 3\.\d+"), ("3.99", r"'3\.99' is not supported; supported are"),
        ("3.10", r"read as the number 3\.1; write python_version: '3\.10' with quotes"), ("3.1", "quotes"), ("3", "supported"),
        ("'3'", "supported"), ("three", "supported"), ("'3.12; id'", "supported"), ("'>=3.10'", "supported"), ("'../../bin/sh'", "supported"),
        ("[3.12]", "supported"), ("{a: 1}", "supported"), ("true", "supported"), ("''", "supported"), ("3.12.", "supported|quotes"),
        ("-3.12", "supported|quotes"), ("'3.12t'", "supported"), ("pypy3.10", "supported"), ("'３.１２'", "supported"), ("1e999", "supported"),
        ("0o14", "supported"), ("'" + "3" * 9999 + "'", "supported"),
    )],
    *[Files(47, f"app_file {given}", card(f"sdk: gradio\napp_file: {given}"), "APP_FILE", "README.md:3", says, "NO_APP_FILE") for given, says in (
        ("nope.py", "no 'nope.py' in this repo, did you mean 'app.py'"), ("~/app.py", "no '~/app.py' in this repo"), ("$HOME/app.py", "no"), ("App.py", "did you mean 'app.py'"),
    )],
    *[fm(47, f"sdk: gradio\napp_file: {given}", "APP_FILE", 3, says) for given, says in (
        ("../../x.py", "inside the repo"), ("/etc/passwd", "inside the repo"), ("app.py; id", "Python file"),
        ("src", "Python file|folder"), ("data.csv", "Python file"), ("-c.py", "inside the repo"), ("''", "inside the repo"), ("[app.py]", "a text, not a list"),
        ("true", "Python file"), ("12", "Python file"), ("a//b.py", "inside the repo"), ("./../app.py", "inside the repo"), ("'a\\b.py'", "inside the repo"),
        ("\"a\\u202eyp.py\"", "direction"), ("\"a\\nb.py\"", "control"), ("x" * 2000 + ".py", "1000"),
    )],
    Files(47, "a folder", card("sdk: gradio\napp_file: src.py", **{"src__py/x": "1"}) | {"src.py/x": "1"}, "APP_FILE", "README.md:3", "folder", "NO_APP_FILE"),
    Files(47, "a link", card("sdk: gradio\napp_file: link.py"), "APP_FILE", "README.md:3", "link", "NO_APP_FILE", links={"link.py": "app.py"}),
    Files(47, "none for gradio", card("sdk: gradio") | {"app.py": None}, "APP_FILE", "", r"app\.py", "NO_APP_FILE"),
    Files(47, "none for streamlit", card("sdk: streamlit") | {"app.py": None}, "APP_FILE", "", r"app\.py", "NO_APP_FILE"),
    Files(47, "none for static", card("sdk: static") | {"index.html": None}, "APP_FILE", "", r"index\.html", "NO_APP_FILE"),
    *[fm(49, f"sdk: static\nbase_path: {given}", "BASE_PATH", 3, says) for given, says in (
        ("//evil.com", "one slash"), ("docs", "one slash"), ("'/\\evil'", "one slash"), ('"/a\\r\\nSet-Cookie: x"', "control"), ("https://evil.com/", "one slash"),
        ("''", "one slash"), ("[/a]", "a text, not a list"), ("5", "one slash"), ("/a b", "one slash"), ("/" + "a" * 5000, "1000"), ('"/\\t/evil.com"', "control"),
        ("javascript:alert(1)", "one slash"),
    )],
    *[fm(50, f"sdk: static\ncustom_headers:{given}", "CUSTOM_HEADERS", line, says) for given, line, says in (
        ("\n  set-cookie: a=b", 4, "'set-cookie' cannot be set; only cross-origin-embedder-policy"),
        ("\n  Cross-Origin-Opener-Policy: same-origin", 4, "lower case"),
        ("\n  cross-origin-opener-policy: same-orign", 4, r"must be one of \[same-origin"),
        ('\n  cross-origin-opener-policy: "same-origin\\r\\nx: y"', 4, "must be one of"),
        ('\n  "x\\r\\ny": z', 4, "cannot be set"), ("\n  cross-origin-opener-policy: [same-origin]", 4, "must be one of"),
        ("\n  cross-origin-opener-policy:", 4, "must be one of"), (" x", 3, "mapping"), (" [a]", 3, "mapping"), (" 5", 3, "mapping"),
    )],
    *[fm(52, f"sdk: static\nstartup_duration_timeout: {given}", "STARTUP_TIMEOUT", 3, says) for given, says in (
        ("10y", "'10y'.*30m or 1h"), ("-5m", "'-5m'.*30m"), ("99h", "'99h'.*at most 24h"), ("0m", "more than nothing"), ("30", "unit"), ("1.5h", "unit|30m"),
        ("[30m]", "30m"), ("true", "30m"), ("''", "30m"), ("999999999d", "24h"), ("9" * 400 + "h", "30m"), ("1h30m", "30m"), ("1e3s", "30m"), ("'１h'", "30m"),
    )],
    *[fm(53, f"sdk: static\ntitle: {given}", "TITLE", 3, says) for given, says in (
        ("x" * 10_000, "200.*10000"), ('"a\\u202eb"', r"direction characters.*\\u202e"), ('"a\\x1b]0;owned\\x07"', r"control.*\\x1b"), ("[a]", "a text, not a list"),
        ("{a: b}", "a text, not a mapping"), ('"a\\0b"', "control"), ('"a\\nb"', "control"), ('"\\u2066x"', "direction"),
    )],
    Files(53, "HTML in the title", card("sdk: static\ntitle: <script>alert(1)</script>"), "", ""),
    *[fm(55, f"sdk: static\n{given}", code, 3, says) for given, code, says in (
        ("models: a/b", "MODELS", "list of texts, not a text"), ("datasets: {a: 1}", "DATASETS", "list of texts, not a mapping"),
        ("tags: [" + "x," * 10_000 + "]", "TAGS", "10000 entries; at most 1000"), ("tags: [[a]]", "TAGS", "texts only"), ("tags: [true]", "TAGS", "texts only"),
        ("models: [" + "x" * 5000 + "]", "MODELS", "too long"), ('tags: ["\\e[31m"]', "TAGS", r"\\x1b"), ("tags: 5", "TAGS", "a number"),
        ("preload_from_hub: gpt2", "PRELOAD_FROM_HUB", "list"),
        ("emoji: hello", "EMOJI", "'hello'; write one emoji"), ("emoji: <b>", "EMOJI", "one emoji"), ("emoji: []", "EMOJI", "a list"), ("emoji: ''", "EMOJI", "one emoji"),
        ("colorFrom: mauve", "COLOR", r"must be one of \[red.*'mauve'"), ("colorTo: [red]", "COLOR", "must be one of"), ("colorFrom: Red", "COLOR", "must be one of"),
        ("pinned: yes", "PINNED", "true or false, not 'yes'"), ("pinned: 1", "PINNED", "true or false"), ("fullWidth: 'true'", "FULL_WIDTH", "true or false"),
        ("header: tiny", "HEADER", "mini, default"), ("short_description: " + "x" * 61, "SHORT_DESCRIPTION", "60.*61"), ("short_description: [x]", "SHORT_DESCRIPTION", "a list"),
        ("license: {a: 1}", "LICENSE", "a mapping"), ("thumbnail: [x]", "THUMBNAIL", "a list"), ("app_port: 70000", "APP_PORT", "'70000'.*1 to 65535"),
        ("app_port: '7860'", "APP_PORT", "whole number"), ("app_port: 0", "APP_PORT", "1 to 65535"), ("app_port: -1", "APP_PORT", "1 to 65535"), ("app_port: 78.5", "APP_PORT", "whole number"),
        ("app_port: true", "APP_PORT", "whole number"), ("app_port: 1" + "0" * 300, "APP_PORT", "whole number"), ("disable_embedding: maybe", "DISABLE_EMBEDDING", "true or false"),
        ("hf_oauth: x", "HF_OAUTH", "true or false"), ("hf_oauth_scopes: email", "HF_OAUTH", "list"), ("hf_oauth_expiration_minutes: 99999", "HF_OAUTH", "43200"),
        ("suggested_storage: huge", "SUGGESTED_STORAGE", "small, medium, large"), ("suggested_hardware: [x]", "SUGGESTED_HARDWARE", "a list"), ("duplicated_from: [x]", "DUPLICATED_FROM", "a list"),
    )],
    fm(55, "sdk: static\napp_build_command: npm run build", "APP_BUILD_COMMAND", 3, "commit the result"),
    Files(56, "unknown keys", card("sdk: static\nsdk_verson: 1\nfoo: {a: [1]}"), "", says=r"README\.md:3: unknown key 'sdk_verson', did you mean 'sdk_version'"),
    Files(56, "a key with an escape", card('sdk: static\n"\\e[31mred": 1'), "", says=r"unknown key '\\+x1b\[31mred'"),
    Files(56, "a key of 60 kB", card("sdk: static\n? " + "k" * 60_000 + "\n: 1"), "", says="unknown key 'kkkk"),
    Files(56, "keys that are numbers", card("sdk: static\n5: 1\ntrue: 2\nnull: 3"), "", says="unknown key '5'"),
    Files(56, "a value left out", card("sdk: static\ntitle:\ntags:\npinned: ~"), "", says=""),
]  # fmt: skip

REQUIREMENTS = [
    req(58, "pandas\n\nnumpy=>1\n", "REQ_SYNTAX", 3, r"'numpy=>1'.*did you mean '>='"),
    req(58, "numpy=1", "REQ_SYNTAX", 1, "did you mean '=='"),
    req(58, "# fine\npandas\nnumpy==\n", "REQ_SYNTAX", 3, "'numpy=='"),
    req(58, "pip install numpy\n", "REQ_SYNTAX", 1, "write only the package: 'numpy'"),
    req(58, "!pip install -q numpy\n", "REQ_SYNTAX", 1, "write only the package"),
    req(58, "import numpy\n", "REQ_SYNTAX", 1, "no Python"),
    req(58, "numpy pandas\n", "REQ_SYNTAX", 1, "one package a line"),
    req(58, "numpy, pandas\n", "REQ_SYNTAX", 1, "'numpy, pandas'"),
    req(58, "numpy>=1,<\n", "REQ_SYNTAX", 1, "numpy"),
    req(58, "numpy[\n", "REQ_SYNTAX", 1, "numpy"),
    req(58, "numpy; python_version>\n", "REQ_SYNTAX", 1, "numpy"),
    req(58, "[tool.poetry]\n", "REQ_SYNTAX", 1, "poetry"),
    req(58, "{\"a\": 1}\n", "REQ_SYNTAX", 1, "not a requirement"),
    req(58, "<html><body>404</body></html>\n", "REQ_SYNTAX|REQ_PATH", 1, "html"),
    req(58, "numpy\x1b[31m\n", "REQ_SYNTAX", 1, r"\\x1b"),
    req(58, "a\u202eb\n", "REQ_SYNTAX", 1, r"\\u202e"),
    req(58, "--frobnicate\n", "REQ_SYNTAX", 1, "'--frobnicate' is not an option"),
    req(58, "-\n", "REQ_SYNTAX", 1, "'-'"),
    req(58, "--install-option=--prefix=/\n", "REQ_SYNTAX", 1, "not an option"),
    req(58, "numpy\\\n==\\\n", "REQ_SYNTAX", 1, "numpy"),
    req(58, "п" * 50 + "\n", "REQ_SYNTAX", 1, "not a requirement"),
    req(58, "x" * 5000 + "\n", "REQ_SYNTAX", 1, "5000 characters; at most 4000"),
    req(58, "conda install numpy\n", "REQ_SYNTAX", 1, "one package a line|only the package"),
    *[req(64, f"pandas\n{line}\n", "REQ_PATH", 2, says) for line, says in (
        ("-r /etc/passwd", "'/etc/passwd' is outside of this repo"), ("-r ../x", "outside"), ("-r a/../../x", "outside"), ("-r ~/x", "outside"), ("-r", "outside|name"),
        ("-r nope.txt", r"'nope\.txt' is not in this repo"), ("-c nope.txt", "not in this repo"), ("-r requirements.txt", "includes itself"), ("-r/etc/passwd", "outside"),
        ("--requirement=/etc/passwd", "outside"), ("-e /", "is a path"), ("-e .", "is a path"), ("--editable=../x", "is a path"), ("--index-url file:///", "path"),
        ("--find-links /", "path"), ("-f ./wheels", "path"), ("file:///etc/passwd", "path"), ("x @ file:///etc/passwd", "path"), ("./x.whl", "path"), ("../x", "path"),
        ("x.whl", "path"), ("C:\\x", "path"), ("src/pkg", "path"), ("x @ ../y", "path"), ("FILE:///x", "path"), ("file:x", "path"), ("-r \"../x\"", "outside"),
    )],
    Files(64, "a loop of two", {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt": "-r a.txt\n", "a.txt": "numpy\n-r requirements.txt\n"},
          "REQ_PATH", "a.txt:2", "includes itself", "BUILD_ERROR"),
    Files(64, "too deep", {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt": "-r 1.txt\n"} | {f"{n}.txt": f"-r {n + 1}.txt\n" for n in range(1, 9)},
          "REQ_PATH", "", "deeper than 5", "BUILD_ERROR"),
    Files(64, "a folder", {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt": "-r a\n", "a/b": "1"}, "FILE_KIND", "a", "folder", "BUILD_ERROR"),
    Files(64, "pre-requirements", {"README.md": "---\nsdk: gradio\n---\n", "pre-requirements.txt": "\n-r /x\n"}, "REQ_PATH", "pre-requirements.txt:2", "outside", "BUILD_ERROR"),
    *[req(65, line + "\n", "REQ_URL", 1, says) for line, says in (
        ("git+ssh://git@example.org/x", r"write git\+https|only https"), ("git+file:///x", "only https"), ("git+http://x.org/y", "only https"), ("hg+https://x.org/y", "only https"),
        ("x @ git+ssh://git@example.org/x", "only https"), ("http://127.0.0.1/x.whl", r"127\.0\.0\.1 is not a public address"), ("x @ http://10.0.0.1/x.whl", "not a public"),
        ("http://[::1]/x.whl", "not a public"), ("http://[::ffff:10.0.0.1]/x.whl", "not a public"), ("http://2130706433/x.whl", "not a public"), ("http://0x7f.1/x.whl", "not a public"),
        ("http://169.254.169.254/x.whl", "not a public"), ("http://localhost/x.whl", "not a public"), ("http://a.internal/x.whl", "not a public"), ("--index-url http://10.0.0.1/simple", "not a public"),
        ("--extra-index-url ftp://x.org/", "only https"), ("--find-links http://0/", "not a public"), ("https:///x.whl", "not a public"), ("gopher://x.org/x", "only https"),
        ("x @ https://user:hunter2@10.0.0.1/x.whl", r"\*\*\*@10"), ("-e git+ssh://x/y", "only https"), ("http://[x/y.whl", "not a URL"), ("-r https://x.org/r.txt", "only files of this repo"),
    )],
    req(67, "numpy\n".encode("utf-16"), "REQ_ENCODING", 0, "UTF-16.*save it as UTF-8"),
    req(67, "numpy\n".encode("utf-16-le"), "REQ_ENCODING", 0, "UTF-8"),
    req(67, "numpy\n".encode("utf-32"), "REQ_ENCODING", 0, "UTF-8"),
    req(67, b"numpy\ncaf\xe9\n", "REQ_ENCODING", 2, "save it as UTF-8"),
    req(67, b"\xef\xbb\xbfnumpy\r\npandas\r\nx=>1\r\n", "REQ_SYNTAX", 3, r"'x=>1'"),
    req(67, "# " + "x" * 2_000_000 + "\n", "TOO_LARGE", 0, "2000003 bytes; at most 1048576"),
    req(67, "a\n" * 6000, "TOO_LARGE", 5002, "more than 5000"),
    req(67, b"PK\x03\x04\0\0\0\0", "REQ_ENCODING", 0, "UTF"),
    Files(67, "a folder", {"README.md": "---\nsdk: gradio\n---\n", "requirements.txt/x": "1"}, "FILE_KIND", "requirements.txt", "folder", "BUILD_ERROR"),
    Files(67, "a link", {"README.md": "---\nsdk: gradio\n---\n"}, "FILE_KIND", "requirements.txt", "link", "BUILD_ERROR", links={"requirements.txt": "app.py"}),
    Files(67, "pyproject", {"README.md": "---\nsdk: gradio\n---\n", "pyproject.toml": "[project\n"}, "REQ_SYNTAX", "pyproject.toml:1", "TOML", "BUILD_ERROR"),
    *[Files(67, f"pyproject {text!r}", {"README.md": "---\nsdk: gradio\n---\n", "pyproject.toml": text}, code, where, says, "BUILD_ERROR") for text, code, where, says in (
        ("project = 5\n", "REQ_SYNTAX", "pyproject.toml", ""), ("[project]\ndependencies = 'numpy'\n", "REQ_SYNTAX", "pyproject.toml", "list of texts"),
        ("[project]\ndependencies = [1]\n", "REQ_SYNTAX", "pyproject.toml", "list of texts"), ("[project]\ndependencies = {a = 1}\n", "REQ_SYNTAX", "pyproject.toml", "list of texts"),
        ("[project]\ndependencies = ['x=>1']\n", "REQ_SYNTAX", "pyproject.toml:2", "did you mean"), ("[project]\ndependencies = ['x @ file:///x']\n", "REQ_PATH", "pyproject.toml:2", "path"),
        ("[project]\nrequires-python = '=>3'\n", "REQ_SYNTAX", "pyproject.toml:2", "requires-python"), ("[project]\nrequires-python = 3.12\n", "REQ_SYNTAX", "pyproject.toml:2", "requires-python"),
        
        ('a = "\\U00110000"\n', "REQ_SYNTAX", "pyproject.toml:1", "TOML"), ("a = " + "[" * 3000 + "\n", "REQ_SYNTAX", "pyproject.toml", "TOML"),
    )],
    Files(62, "a python of the future", {"README.md": "---\nsdk: gradio\n---\n", "pyproject.toml": "[project]\nrequires-python = '>=3.99'\n"},
          "PYTHON_VERSION", "pyproject.toml", r">=3\.99 is not on this machine; it has 3\."),
    Files(67, "uv.lock", {"README.md": "---\nsdk: gradio\n---\n", "pyproject.toml": "[project]\ndependencies=['numpy']\n", "uv.lock": "package = 5\n"},
          "REQ_SYNTAX", "uv.lock", "uv lock", "BUILD_ERROR"),
    apt("ffmpeg\ncurl; rm -rf /\n", 2, "'curl;' is not a Debian package name"),
    apt("-o=APT::Update::Pre-Invoke::=id\n", 1, "'-o=APT"),
    apt("https://x.org/x.deb\n", 1, "not a Debian package name"),
    apt("./x.deb\n", 1, "not a Debian package name"),
    apt("$(id)\n", 1, "not a Debian"),
    apt("ffmpeg\x1b[31m\n", 1, r"\\x1b"),
    apt("FFmpeg\n", 1, "'FFmpeg'"),
    apt("ﬀmpeg\n", 1, "not a Debian"),
    apt("a\n", 1, "'a'"),
    apt("x" * 5000 + "!\n", 1, "not a Debian"),
    apt("ffmpeg\n".encode("utf-16"), 0, "UTF-8", "REQ_ENCODING"),
    apt(b"ffmp\xe9g\n", 1, "UTF-8", "REQ_ENCODING"),
    apt("x" * 2_000_000, 0, "2000000 bytes", "TOO_LARGE"),
]  # fmt: skip

NAMES = [
    *[Files(16, f"{target!r}", STATIC, "SYMLINK", "", says, "BUILD_ERROR", links={"data": target}) for target, says in (
        ("/etc/passwd", "data -> /etc/passwd leaves the repo"), ("../x", r"data -> \.\./x leaves the repo"), ("data", "goes round in a circle"), ("a/../../x", "leaves the repo"),
        ("x\x1b[31my", r"\\x1b"), ("/proc/self/environ", "leaves"), ("y" * 3500, "too long"),
    )],
    Files(16, "a loop of two", STATIC, "SYMLINK", "", "circle", "BUILD_ERROR", links={"a": "b", "b": "a"}),
    Files(16, "a chain out", STATIC, "SYMLINK", "", "leaves", "BUILD_ERROR", links={"a": "b/x", "b": ".."}),
    *[Files(17, f"{name!r}", STATIC, code, "", says, "BUILD_ERROR", tree=(b"100644 blob BLOB\t" + name,)) for name, code, says in (
        (b"a\nb", "PATH_CHARS", r"a\\nb"), (b"a\x1b]0;x\x07", "PATH_CHARS", r"\\x1b"), ("a\u202eyp.x".encode(), "PATH_CHARS", r"\\u202e"), (b"caf\xe9", "PATH_CHARS", "not UTF-8"),
        (b"a\x7f", "PATH_CHARS", r"\\x7f"), ("a\u0085".encode(), "PATH_CHARS", r"\\x85"), (b"a\\b", "PATH_UNSAFE", "rename"), (b".wh.x", "WHITEOUT", "rename"), (b"x" * 300, "PATH_LENGTH", "255"),
        (b"a\rb", "PATH_CHARS", r"\\r"), (b"\t", "PATH_CHARS", r"\\t"),
    )],
    Files(22, "3000 folders deep", STATIC | {"d/" * 3000 + "f": "x"}, "PATH_LENGTH", "", "6001 bytes, at most 3000", "BUILD_ERROR"),
    Files(25, "a submodule", STATIC, "SUBMODULE", "", "sub is a git submodule.*commit its files", "BUILD_ERROR", tree=(b"160000 commit " + b"a" * 40 + b"\tsub",)),
    Files(20, "twins by case", STATIC | {"A.txt": "1", "a.txt": "2"}, "", says="A.txt.*a.txt.*differ only"),
    Files(20, "twins by form", STATIC | {"caf\u00e9": "1", "cafe\u0301": "2"}, "", says="differ only"),
    Files(38, "a broken pointer is text", STATIC | {"x.bin": POINTER.replace("\n", "\r\n") + "more: 1\n"}, "", says=""),
]  # fmt: skip

#: Files that are such a pointer: the push is refused (row 38).
POINTERS = ("README.md", "app.py", "requirements.txt", "packages.txt", "x.bin")

#: These ask the package index, as every build of an environment does.
ONLINE = [
    req(59, "numpy\ntorhc-sample-nobody-published\n", "REQ_NOT_FOUND", 2, "torhc-sample-nobody-published"),
    req(59, "\nnumpy==99.9\n", "REQ_NOT_FOUND|REQ_VERSION", 2, r"numpy"),
    req(61, "gradio==6.31.0\nhuggingface_hub==0.1.0\n", "REQ_CONFLICT", 1, "huggingface"),
    Files(68, "a package that nobody has", {"README.md": "---\nsdk: gradio\n---\n", "packages.txt": "podium-sample-nobody-packaged\n",
          "requirements.txt": "numpy==99.9\n"}, "REQ_VERSION", "requirements.txt:1", "numpy", "BUILD_ERROR",
          warns="podium-sample-nobody-packaged not installed on this machine.*apt-get install"),
]  # fmt: skip

#: Of the rows that one file decides, a few of each code are pushed. The others are asked of a cheaper door: front matter of
#: `/api/validate-yaml`, requirements of the builder's reading of them.
_PUSHED_OF_EACH = 2


def _pushed(rows: list[Files]) -> list[Files]:
    seen: Counter[str] = Counter()
    pushed = []
    for row in rows:
        seen[row.code] += row.alone
        if not row.alone or seen[row.code] <= _PUSHED_OF_EACH:
            pushed.append(row)
    return pushed


PUSHED = _pushed(FRONT_MATTER) + _pushed(REQUIREMENTS) + NAMES
ASKED = [row for row in FRONT_MATTER if row.alone]
READ = [row for row in REQUIREMENTS if row.alone]
