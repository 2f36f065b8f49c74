"""What fine-grained tokens and tokens of Spaces may do, as a table; and that the shape of the Hub is kept both ways."""

import pytest

from orchestrator.domain import grants as g
from orchestrator.domain.caller import Caller, may, require, require_admin, role_in, role_on
from orchestrator.domain.grants import Grant, Grants
from orchestrator.domain.records import Owner, Space
from orchestrator.domain.space import Role, Visibility, Wish
from orchestrator.errors import Forbidden, Invalid, NotFound

ANN, ORG, OTHER = Owner("u1", "ann"), Owner("o1", "acme", "org"), Owner("o2", "other", "org")
READ, WRITE = frozenset((g.READ,)), frozenset((g.READ, g.WRITE))


def space(owner, name, visibility=Visibility.PRIVATE):
    return Space(f"{owner.id}-{name}", owner.name, owner.id, name, name, visibility, Wish(""))


MINE, TWIN, ACMES = space(ANN, "mine"), space(ANN, "twin"), space(ORG, "demo")
OPEN, FOREIGN = space(OTHER, "open", Visibility.PUBLIC), space(OTHER, "closed")


def ann(grants, **more):
    limit = grants.most if grants else Role.ADMIN
    return Caller(ANN, limit, {ORG.id: Role.WRITE}, "token", grants=grants, **more)


def on(owner, words):
    return Grants(scoped=(Grant(owner.kind, owner.id, owner.name, words),))


def on_repo(repo, words):
    return Grants(scoped=(Grant("space", repo.id, repo.full_name, words),))


@pytest.mark.parametrize(
    "grants,mine,twin,acmes,public",
    [
        (None, Role.ADMIN, Role.ADMIN, Role.WRITE, Role.READ),
        (Grants(), Role.NONE, Role.NONE, Role.NONE, Role.READ),
        (on(ANN, READ), Role.READ, Role.READ, Role.NONE, Role.READ),
        (on(ANN, WRITE), Role.ADMIN, Role.ADMIN, Role.NONE, Role.READ),
        (on(ORG, WRITE), Role.NONE, Role.NONE, Role.WRITE, Role.READ),
        (on(OTHER, WRITE), Role.NONE, Role.NONE, Role.NONE, Role.READ),
        (on_repo(MINE, READ), Role.READ, Role.NONE, Role.NONE, Role.READ),
        (on_repo(MINE, WRITE), Role.ADMIN, Role.NONE, Role.NONE, Role.READ),
        (on_repo(ACMES, WRITE), Role.NONE, Role.NONE, Role.WRITE, Role.READ),
        (on_repo(FOREIGN, WRITE), Role.NONE, Role.NONE, Role.NONE, Role.READ),
        (on(ANN, frozenset((g.DISCUSS,))), Role.NONE, Role.NONE, Role.NONE, Role.READ),
        (g.of_scopes(["openid", "profile", "email"], ANN.id, "ann"), Role.NONE, Role.NONE, Role.NONE, Role.READ),
        (g.of_scopes(["read-repos", "nonsense"], ANN.id, "ann"), Role.READ, Role.READ, Role.NONE, Role.READ),
        (g.of_scopes(["manage-repos"], ANN.id, "ann"), Role.ADMIN, Role.ADMIN, Role.NONE, Role.READ),
    ],
)
def test_what_a_token_may_do(grants, mine, twin, acmes, public):
    caller = ann(grants)
    assert [role_on(caller, one) for one in (MINE, TWIN, ACMES, OPEN)] == [mine, twin, acmes, public]
    assert role_on(caller, FOREIGN) is Role.NONE
    assert role_in(caller, OTHER.id) is Role.NONE


def test_the_limit_alone_never_says_more_than_the_grants():
    """Code that looks at `limit` only, not knowing of grants, must not let more through than the most of them."""
    assert ann(Grants()).limit is Role.NONE
    assert ann(on_repo(MINE, READ)).limit is Role.READ
    assert ann(on_repo(MINE, WRITE)).limit is Role.ADMIN


def test_refusals_say_what_is_missing():
    with pytest.raises(NotFound):
        require(ann(on_repo(MINE, WRITE)), TWIN, Role.READ)
    with pytest.raises(Forbidden) as refused:
        require(ann(on_repo(MINE, READ)), MINE, Role.WRITE)
    assert refused.value.code == "TOKEN_SCOPE"
    with pytest.raises(Forbidden) as refused:
        require(ann(on_repo(MINE, WRITE)), OPEN, Role.WRITE)
    assert refused.value.code == "TOKEN_SCOPE"


def test_an_admin_with_such_a_token_is_no_admin():
    admin = Owner("u9", "root", is_admin=True)
    grants = Grants(scoped=(Grant("user", "u9", "root", WRITE),))
    caller = Caller(admin, Role.ADMIN, {}, "token", grants=grants)
    assert not caller.is_admin
    assert role_on(caller, FOREIGN) is Role.NONE
    with pytest.raises(Forbidden):
        require_admin(caller)


def test_words_beside_repos():
    everywhere = ann(Grants(frozenset((g.DISCUSS, g.WEBHOOKS_READ))))
    assert may(everywhere, g.DISCUSS, OTHER.id, OPEN.id)
    assert may(everywhere, g.WEBHOOKS_READ) and not may(everywhere, g.WEBHOOKS_WRITE)
    only = ann(on_repo(MINE, frozenset((g.DISCUSS,))))
    assert may(only, g.DISCUSS, ANN.id, MINE.id)
    assert not may(only, g.DISCUSS, ANN.id, TWIN.id)
    plain, reader = ann(None), Caller(ANN, Role.READ, {}, "token")
    assert may(plain, g.DISCUSS) and may(plain, g.WEBHOOKS_READ)
    assert not may(reader, g.DISCUSS) and may(reader, g.WEBHOOKS_READ)
    assert not may(Caller(), g.DISCUSS)


def test_the_shape_is_the_hubs_and_comes_back():
    grants = Grants(
        frozenset((g.GATED, g.DISCUSS)),
        (Grant("org", "o1", "acme", READ), Grant("space", "s1", "acme/demo", WRITE)),
    )
    shown = g.as_json(grants)
    assert shown == {
        "canReadGatedRepos": True,
        "global": ["discussion.write"],
        "scoped": [
            {"entity": {"_id": "o1", "type": "org", "name": "acme"}, "permissions": ["repo.content.read"]},
            {
                "entity": {"_id": "s1", "type": "space", "name": "acme/demo"},
                "permissions": ["repo.content.read", "repo.write"],
            },
        ],
    }
    assert g.from_json(shown) == grants
    assert grants.readable() == (frozenset(("o1",)), frozenset(("s1",)))


@pytest.mark.parametrize(
    "grants",
    [
        Grants(),
        Grants(frozenset(("everything",))),
        on(ANN, frozenset(("repo.admin",))),
        Grants(scoped=(Grant("galaxy", "x", "x", READ),)),
        Grants(scoped=(Grant("space", "x", "x", READ),) * (g.MOST + 1)),
    ],
)
def test_what_makes_no_sense_is_refused(grants):
    with pytest.raises(Invalid) as refused:
        g.check(grants)
    assert refused.value.code == "TOKEN_GRANTS"
