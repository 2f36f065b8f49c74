"""Bad input, as data: what is sent to a running Podium and what the sender must be told. One module per door; the tests are in
tests/e2e/test_bad_input.py. `D4` is the list of kinds that the product promises to answer well: every number of it is on
some row, or in `ELSEWHERE` (a test of another file proves it, because it needs a Podium with other limits), or in `NOT_HERE`
(nothing of the sort exists in the one-machine shape)."""

D4 = (
    *(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28, 29, 31, 32, 34, 35, 37, 38, 40),  # git push
    *(41, 43, 44, 46, 47, 49, 50, 52, 53, 55, 56),  # front matter
    *(58, 59, 61, 62, 64, 65, 67, 68, 70, 71, 73, 74, 76, 77, 79, 80),  # requirements, builds
    *(82, 83, 85, 86, 88, 89, 91, 92, 94, 95, 97, 98, 100),  # API
    *(101, 103, 104, 106, 107),  # secrets
    *(109, 110, 112, 113, 115, 116, 118, 119),  # proxy
)

ELSEWHERE = {
    34: ("needs two owners of objects", "tests/contracts/test_large_api.py", "test_a_hash_alone_opens_nothing"),
    35: ("needs a look at what is left", "tests/contracts/test_large_api.py", "test_bad_uploads_leave_nothing"),
    95: ("needs addresses of all sorts", "tests/unit/test_webhooks.py", "test_what_is_no_url_for_a_webhook"),
    8: ("needs a small repo limit", "tests/contracts/test_git_http.py", "test_a_full_repo"),
    73: ("needs a short time limit", "tests/unit/test_builder_explain.py", "test_limits"),
    74: ("needs a small memory limit", "tests/unit/test_builder_explain.py", "test_limits"),
    79: ("crashes on start, by their words", "tests/contracts/test_runtime.py", "test_an_exit_is_explained"),
    80: ("samples that listen wrongly or end", "tests/e2e/test_apps.py", "test_app"),
    112: (
        "needs an app that tells what it was sent",
        "tests/contracts/test_gateway.py",
        "test_the_app_sees_the_truth_whatever_the_visitor_claims",
    ),
    119: ("needs an app that speaks wrongly", "tests/contracts/test_gateway.py", "test_answers_that_are_no_answers"),
    107: ("needs a lost key", "tests/unit/test_reconciler.py", "test_an_undecryptable_secret_is_said"),
}  # fmt: skip

NOT_HERE = {
    70: "no Dockerfiles: sdk docker is refused with a sentence",
    71: "no base images",
    76: "no images: the size of a revision's files is limited instead",
    77: "no Dockerfile that could want a secret",
    88: "no idempotency keys in the API of the Hub",
}
